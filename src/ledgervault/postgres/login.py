"""Log-ins and the settings of our sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Settings of a role or a database must not stop or change a restore or a comparison.
SESSION = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "row_security": "off",
    "client_min_messages": "warning",
    "client_connection_check_interval": "10s",  # the server ends a query whose client is gone
    "role": "none",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "lc_monetary": "C",
}
# A cut network is noticed after a minute, even if neither side sends.
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
THROW_AWAY_SESSION = SESSION | {
    "default_transaction_read_only": "off",
    "session_preload_libraries": "",
    "session_replication_role": "origin",
    "event_triggers": "off",  # they were not on when the dump's rows were as the manifest says
    "synchronous_commit": "off",
}


@dataclass(frozen=True, slots=True)
class Login:
    """A server, a database and a role. The password is never in an argument list: the environment passes it."""

    host: str
    port: int
    user: str
    database: str
    password: str | None = None
    timeout: int = 10

    def environment(self, session: Mapping[str, str]) -> dict[str, str]:
        variables = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            "PGCONNECT_TIMEOUT": str(self.timeout),
            "PGCLIENTENCODING": "UTF8",
            "PGOPTIONS": options(session),
        }
        return variables | ({"PGPASSWORD": self.password} if self.password is not None else {})

    def to(self, database: str) -> Login:
        return Login(self.host, self.port, self.user, database, self.password, self.timeout)


def options(session: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={_escape(value)}" for name, value in session.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
