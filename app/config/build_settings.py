"""Settings for `collectstatic` while the image is built and for the type checker, where no secret may be needed.

The final image does not contain this file. Even where it exists nothing can be served with it: it has no database and
a key made up anew in each process.
"""

import os
import secrets

os.environ.update(
    LEDGER_ENV="ci",
    SECRET_KEY=secrets.token_urlsafe(50),
    DATABASE_URL="postgresql://build@build.invalid/build",
    REDIS_URL="redis://build.invalid/0",
    MEDIA_ROOT="/tmp",  # noqa: S108  never written; only has to exist while building
)
os.environ.setdefault("STATIC_ROOT", "/nonexistent")

from config.settings import *  # noqa: F403  the environment has to be filled first

DATABASES = {"default": {"ENGINE": "django.db.backends.dummy"}}
ALLOWED_HOSTS = []
