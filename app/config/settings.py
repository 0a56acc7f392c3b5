"""All settings, read from the environment. Rules and messages are in config/env.py; the table is in the role's README.

Importing this module is what starts to trust the environment, so the guard of dangerous commands runs here too: then
`manage.py`, `django-admin` and `python -m django` all meet it.
"""

import hashlib
import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any

import django_stubs_ext

from config import command_guard, env

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
_env = env.from_process()

LEDGER_ENV = _env.choice("LEDGER_ENV", env.ENVIRONMENTS)
STACK_NAME = _env.text("STACK_NAME", "ledger")
GUARDED = LEDGER_ENV in env.GUARDED_ENVIRONMENTS
STACK_ID = f"{STACK_NAME}-{LEDGER_ENV}"
command_guard.enforce(sys.argv, STACK_ID, guarded=GUARDED, authorised=_env.text("LEDGER_AUTHORISE", ""))

DEBUG = env.debug(_env, LEDGER_ENV)
SECRET_KEY = env.secret_key(_env, LEDGER_ENV)
ALLOWED_HOSTS = env.allowed_hosts(_env, LEDGER_ENV)
CSRF_TRUSTED_ORIGINS = _env.origins("CSRF_TRUSTED_ORIGINS")
PUBLIC_URL = _env.http_url("PUBLIC_URL")
SEARXNG_URL = _env.http_url("SEARXNG_URL")
GATE_FILE = _env.path("GATE_FILE", "")
API_SEARCH_TOKEN = _env.secret("API_SEARCH_TOKEN", "")
# The other way round: SearXNG asks the ledger only for a request that brings this digest of the same secret.
SEARCH_ENGINE_TOKEN = hashlib.sha256(API_SEARCH_TOKEN.encode()).hexdigest() if API_SEARCH_TOKEN else ""

TOOLBAR = DEBUG and LEDGER_ENV == "dev" and importlib.util.find_spec("debug_toolbar") is not None

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "ledger",
    "statements",
    "tools",
    "api",
    *(["debug_toolbar"] if TOOLBAR else []),
]

HEALTH_PATHS = ("/healthz", "/readyz", "/edgez")
# The health pages stand before everything that looks at the Host header: Caddy asks by the container's name.
MIDDLEWARE = [
    "config.health.HealthMiddleware",
    "config.middleware.PageHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *(["debug_toolbar.middleware.DebugToolbarMiddleware"] if TOOLBAR else []),
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

# Templates are read anew on each request only while debugging: gunicorn's --reload sees Python files alone.
_LOADERS = ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": _LOADERS if DEBUG else [("django.template.loaders.cached.Loader", _LOADERS)],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.site",
            ],
        },
    }
]

# Connections live a minute and are checked before use, so a restarted PostgreSQL costs no failed request.
_database = env.database(_env)
# No statement of a page runs for half a minute; a migration may take as long as it takes.
_usual = 0 if "migrate" in sys.argv else 30
_statement_timeout = _env.integer("DATABASE_STATEMENT_TIMEOUT_SECONDS", _usual, low=0, high=86400)
# What is given here replaces libpq's own variable, so that is handed on.
_options_given = (_database.libpq_options.get("options", ""), _env.text("PGOPTIONS", ""))
_libpq_options = " ".join(part for part in (f"-c statement_timeout={_statement_timeout}s", *_options_given) if part)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.name,
        "USER": _database.user,
        "PASSWORD": _database.password,
        "HOST": _database.host,
        "PORT": _database.port,
        "CONN_MAX_AGE": _env.integer("DATABASE_CONN_MAX_AGE_SECONDS", 60, low=0, high=3600),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_database.libpq_options,
            "options": _libpq_options,
            "connect_timeout": _env.integer("DATABASE_CONNECT_TIMEOUT_SECONDS", 3, low=1, high=60),
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15000,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Two Redis: the queue (kept) and the cache (may vanish at any time; config/cache.py treats that as misses).
REDIS_URL = env.redis_url(_env, "REDIS_URL", "REDIS_PASSWORD", required=True)
REDIS_CACHE_URL = env.redis_url(_env, "REDIS_CACHE_URL", "REDIS_CACHE_PASSWORD", required=False)


def _cache(prefix: str, longest_seconds: int) -> dict[str, Any]:
    if not REDIS_CACHE_URL:
        return {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    return {
        "BACKEND": "config.cache.SoftRedisCache",
        "LOCATION": REDIS_CACHE_URL,
        "KEY_PREFIX": prefix,
        "OPTIONS": {"longest_seconds": longest_seconds, "socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }


# Sessions stay a minute at most in the cache: a sign-out made while Redis was away is not undone when it comes back.
# The prefixes name the format: both colours share the Redis during a switch, and an older one wrote pickles.
CACHES = {"default": _cache("ledger-json", 86400), "sessions": _cache("session-json", 60)}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_CACHE_ALIAS = "sessions"
SESSION_COOKIE_AGE = 14 * 86400
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = GUARDED
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{STACK_NAME}_{LEDGER_ENV}_session", f"{STACK_NAME}_{LEDGER_ENV}_csrf"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["config.sign_ins.ThrottleBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "sign-in", "transactions", "sign-in"

# Caddy is the only door and always sets this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# W004 (HSTS) and W008 (redirect to TLS): Caddy does both, and the health pages are asked without TLS.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]

LANGUAGE_CODE = "en"
TIME_ZONE = _env.time_zone("TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]

STATIC_URL = "/static/"
STATIC_ROOT = _env.path("STATIC_ROOT")
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = _env.directory("MEDIA_ROOT")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

STATEMENT_MAX_BYTES = _env.integer("STATEMENT_MAX_MB", 10, low=1, high=100) * 1024 * 1024

# What may be run from the registry of tools, and nothing else.
TOOL_FUNCTIONS = ("tools.search_tool.search_web",)

CELERY_BROKER_URL = REDIS_URL
CELERY_TIMEZONE = "UTC"


def _worth_a_line(record: logging.LogRecord) -> bool:
    """A health page that says no is asked again in a second; config/health.py has written down why."""
    return getattr(getattr(record, "request", None), "path", None) not in HEALTH_PATHS


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"worth_a_line": {"()": "django.utils.log.CallbackFilter", "callback": _worth_a_line}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["worth_a_line"]}},
    "root": {"handlers": ["stderr"], "level": _env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")},
    "loggers": {"django": {"handlers": [], "level": "INFO"}, "django.server": {"handlers": [], "propagate": True}},
}

DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": "config.middleware.show_toolbar"}
