"""Strict readers of the environment.

A module of its own because a wrong setting has to stop the start with one clear message in every process (gunicorn,
Celery, manage.py), and because the rules are pure: they are tested with a dict, without Django.

`SettingsError` is a `SystemExit`: whoever imports the settings ends with the message on stderr, exit status 1 and no
traceback. No reader ever puts a secret's value into a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ENVIRONMENTS = ("dev", "ci", "staging", "prod")
GUARDED_ENVIRONMENTS = ("staging", "prod")
SECRET_KEY_MIN_LENGTH = 50
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")
POSTGRES_QUERY_KEYS = ("options", "sslmode", "sslrootcert", "application_name")

_DEFAULT_KEY = re.compile(r"insecure|change[-_ ]?me|replace[-_ ]?me|example|your[-_ ]?secret|^secret|password", re.I)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"^(\*|\.?{_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:]+\])$")


class SettingsError(SystemExit):
    """`<setting>: <fault>` and a HINT. Its argument is the whole text, so Python prints it and exits with status 1."""

    def __init__(self, setting: str, fault: str, hint: str) -> None:
        self.setting, self.fault, self.hint = setting, fault, hint
        super().__init__(f"{setting}: {fault}\nHINT: {hint}")


@dataclass(frozen=True)
class Env:
    """Reads one mapping. An empty value counts as not given, because compose files produce empty ones easily."""

    values: Mapping[str, str]

    def text(self, name: str, default: str | None = None, *, hint: str = "") -> str:
        value = self.values.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise SettingsError(name, "is required and not set", hint or f"set {name} in the container's environment")
        return default

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.text(name, default, hint=f"set {name} to one of: {', '.join(choices)}")
        if value not in choices:
            raise SettingsError(name, f"unknown value {value!r}", f"set {name} to one of: {', '.join(choices)}")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in TRUE_WORDS + FALSE_WORDS:
            raise SettingsError(name, f"not a boolean, value seen {value!r}", f"set {name} to true or false")
        return value in TRUE_WORDS

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        value = self.text(name, str(default))
        hint = f"set {name} to a whole number from {low} to {high}"
        if not re.fullmatch(r"-?[0-9]{1,9}", value):
            raise SettingsError(name, f"not a whole number, value seen {value!r}", hint)
        if not low <= int(value) <= high:
            raise SettingsError(name, f"out of range, value seen {value}", hint)
        return int(value)

    def words(self, name: str, default: str = "") -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def hosts(self, name: str, default: str = "") -> list[str]:
        hosts = self.words(name, default)
        wrong = next((host for host in hosts if not _HOST.match(host)), None)
        if wrong is not None:
            hint = f"set {name} to bare names such as ledger.example.org,127.0.0.1 (no scheme, port or path)"
            raise SettingsError(name, f"not a host name, value seen {wrong!r}", hint)
        return hosts

    def origins(self, name: str) -> list[str]:
        origins = self.words(name)
        for origin in origins:
            self._http_url(name, origin, path_allowed=False)
        return origins

    def http_url(self, name: str, default: str = "") -> str:
        value = self.text(name, default)
        if value:
            self._http_url(name, value, path_allowed=True)
        return value.rstrip("/")

    def path(self, name: str, default: str | None = None) -> Path | None:
        value = self.text(name, default)
        if not value:
            return None
        if not value.startswith("/"):
            raise SettingsError(name, f"not an absolute path, value seen {value!r}", f"set {name} to a path from /")
        return Path(value)

    def directory(self, name: str) -> Path:
        directory = self.path(name)
        if directory is None or not directory.is_dir():
            fault = f"no such directory, value seen {str(directory)!r}"
            raise SettingsError(name, fault, f"mount or create {directory}")
        return directory

    def time_zone(self, name: str, default: str) -> str:
        value = self.text(name, default)
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise SettingsError(
                name, f"unknown time zone {value!r}", f"set {name} to an IANA name such as Europe/Vienna"
            ) from None
        return value

    def secret(self, name: str, default: str | None = None) -> str:
        """The value of `X` or the content of the file named by `X_FILE`; both given is an error."""
        file = self.values.get(f"{name}_FILE", "").strip()
        direct = self.values.get(name, "")
        if file and direct:
            raise SettingsError(name, f"{name} and {name}_FILE are both set", f"unset one of {name} and {name}_FILE")
        if file:
            return read_secret_file(f"{name}_FILE", Path(file))
        if direct:
            return direct
        if default is None:
            raise SettingsError(name, "is required and not set", f"set {name}_FILE=/run/secrets/… (or {name})")
        return default

    def _http_url(self, name: str, value: str, *, path_allowed: bool) -> None:
        hint = f"set {name} to an address such as https://ledger.example.org"
        parts = split_url(name, value, hint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise SettingsError(name, f"not an http address, value seen {masked(value)!r}", hint)
        if not path_allowed and (parts.path.strip("/") or parts.query):
            raise SettingsError(name, f"an origin has no path, value seen {masked(value)!r}", hint)


def from_process() -> Env:
    return Env(os.environ)


def read_secret_file(setting: str, path: Path) -> str:
    """One trailing line end is the editor's, everything else belongs to the secret."""
    try:
        value = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(setting, f"{path} is not text", "write the secret as UTF-8 text") from None
    except OSError as error:
        hint = f"create {path} readable for uid {os.getuid()}, or unset {setting}"
        raise SettingsError(setting, f"cannot read {path}: {error.strerror}", hint) from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise SettingsError(setting, f"{path} is empty", f"write the secret into {path}")
    return value


def split_url(setting: str, value: str, hint: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # a wrong port raises here, not in urlsplit
    except ValueError:
        raise SettingsError(setting, f"not a URL, value seen {masked(value)!r}", hint) from None
    return parts


def masked(url: str) -> str:
    """The URL for a message: the text between `//` and the last `@` may be a password, and so may query values."""
    return re.sub(r"=[^&]*", "=***", re.sub(r"//.*@", "//***@", url))


def secret_key(env: Env, ledger_env: str) -> str:
    key = env.secret("SECRET_KEY")
    if ledger_env not in GUARDED_ENVIRONMENTS:
        return key
    hint = "put 64 random characters into the file named by SECRET_KEY_FILE"
    if len(key) < SECRET_KEY_MIN_LENGTH or len(set(key)) < 10:
        fault = f"too weak for {ledger_env}: {len(key)} characters, {len(set(key))} different"
        raise SettingsError("SECRET_KEY", fault, hint)
    if _DEFAULT_KEY.search(key):
        raise SettingsError("SECRET_KEY", f"looks like a default key (value not shown); refused in {ledger_env}", hint)
    return key


def debug(env: Env, ledger_env: str) -> bool:
    on = env.boolean("DEBUG", default=False)
    if on and ledger_env in GUARDED_ENVIRONMENTS:
        fault = f"true is refused in {ledger_env}: error pages would show settings and data"
        raise SettingsError("DEBUG", fault, "unset DEBUG or set DEBUG=false")
    return on


def allowed_hosts(env: Env, ledger_env: str) -> list[str]:
    if ledger_env not in GUARDED_ENVIRONMENTS:
        return env.hosts("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
    hint = "set ALLOWED_HOSTS to the names people type, such as ledger.example.org"
    env.text("ALLOWED_HOSTS", hint=hint)
    hosts = env.hosts("ALLOWED_HOSTS")
    if "*" in hosts:
        raise SettingsError("ALLOWED_HOSTS", f"'*' is refused in {ledger_env}: value seen {','.join(hosts)!r}", hint)
    return hosts


@dataclass(frozen=True)
class Database:
    user: str
    password: str
    host: str
    port: int
    name: str
    query: Mapping[str, str]

    @property
    def libpq_options(self) -> dict[str, str]:
        return dict(self.query)


def database(env: Env) -> Database:
    """`DATABASE_URL`; the password either inside it or in `DATABASE_PASSWORD` (each also as a file)."""
    hint = "write it as postgresql://user@host:5432/name with DATABASE_PASSWORD_FILE, or with user:password@"
    url = env.secret("DATABASE_URL")
    parts = split_url("DATABASE_URL", url, hint)
    if parts.scheme not in ("postgresql", "postgres"):
        raise SettingsError("DATABASE_URL", f"scheme {parts.scheme!r} is not postgresql", hint)
    name = unquote(parts.path.removeprefix("/"))
    if not parts.hostname or not parts.username or not name or "/" in name:
        raise SettingsError("DATABASE_URL", f"needs user, host and name, value seen {masked(url)!r}", hint)
    query = _postgres_query(parts.query)
    password = _one_password(env, "DATABASE_URL", "DATABASE_PASSWORD", parts.password)
    return Database(unquote(parts.username), password, parts.hostname, parts.port or 5432, name, query)


def redis_url(env: Env, name: str, password_name: str, *, required: bool) -> str:
    """A redis:// or rediss:// URL with its password put in; '' if it is optional and not set."""
    hint = f"write it as redis://host:6379/0 with {password_name}_FILE, or with :password@"
    url = env.secret(name, None if required else "")
    if not url:
        return ""
    parts = split_url(name, url, hint)
    if parts.scheme not in ("redis", "rediss"):
        raise SettingsError(name, f"scheme {parts.scheme!r} is not redis or rediss", hint)
    if not parts.hostname or not re.fullmatch(r"(/[0-9]{0,2})?", parts.path):
        raise SettingsError(name, f"needs a host and a database number, value seen {masked(url)!r}", hint)
    password = _one_password(env, name, password_name, parts.password)
    if not password:
        return url
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = f"{parts.username or ''}:{quote(password, safe='')}@{host}:{parts.port or 6379}"
    return parts._replace(netloc=netloc).geturl()


def _postgres_query(query: str) -> dict[str, str]:
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    unknown = next((key for key in parameters if key not in POSTGRES_QUERY_KEYS), None)
    if unknown is not None:
        hint = f"use only: {', '.join(POSTGRES_QUERY_KEYS)}"
        raise SettingsError("DATABASE_URL", f"unknown parameter {unknown!r} after the ?", hint)
    return parameters


def _one_password(env: Env, url_name: str, name: str, in_url: str | None) -> str:
    separate = env.secret(name, "")
    if separate and in_url:
        raise SettingsError(name, f"a password is both in {url_name} and in {name}", f"remove it from {url_name}")
    return separate or unquote(in_url or "")
