"""How gunicorn runs. The settings are read here, in the master, so that a wrong one stops the start once and clearly
instead of in each worker again."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from typing import Any

from gunicorn.glogging import Logger

from config import env
from config import settings as _settings

_env = env.from_process()


class QuietLogger(Logger):
    """Health pages that are well are asked every second and would bury everything else.

    So is the gate of the colour that takes no traffic, which answers 503; whether it is ready is `/readyz`'s to say.
    """

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        path = environ.get("PATH_INFO")
        if path == "/edgez" or (path in _settings.HEALTH_PATHS and str(resp.status).startswith("200")):
            return
        super().access(resp, req, environ, request_time)


logger_class = QuietLogger
bind = "0.0.0.0:8000"  # inside the container's own internal networks
worker_class = "gthread"
workers = _env.integer("WEB_WORKERS", 2, low=1, high=64)
threads = _env.integer("WEB_THREADS", 4, low=1, high=64)
timeout = 60
graceful_timeout = 30
keepalive = 5
worker_tmp_dir = "/dev/shm"  # noqa: S108  heartbeats of the workers must not wait for a disk
control_socket_disable = True
reload = _settings.DEBUG
accesslog = "-"
# Path without the query: a search is private and the API's token stands there.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'
