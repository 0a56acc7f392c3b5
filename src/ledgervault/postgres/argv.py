"""Argument lists of the programs we run: built here, run elsewhere, so that tests see them without running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPRESSORS: dict[str, tuple[str, ...]] = {  # in order of preference: the same .gz, at 0.26, 0.53 and 1 of the time
    "igzip": ("igzip", "-1", "-c"),
    "pigz": ("pigz", "-6", "-c"),
    "gzip": ("gzip", "-6", "-c"),
}
DECOMPRESSORS: dict[str, tuple[str, ...]] = {
    "igzip": ("igzip", "-d", "-c"),
    "pigz": ("pigz", "-d", "-c"),
    "gzip": ("gzip", "-d", "-c"),
}

# Whatever a role or a database has set for itself must not stop or bend a restore or a comparison.
SESSION = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "row_security": "off",
    "client_min_messages": "warning",
    "client_connection_check_interval": "10s",  # what we no longer wait for ends there too
    "role": "none",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "lc_monetary": "C",
}
# A network that is cut is noticed after a minute, also where nobody has anything to send.
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
    """Where and as whom. The password never stands in an argument list: it goes by the environment."""

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


def tied(argv: Sequence[str], signal: str = "KILL", behind: bool = False) -> list[str]:
    """The program dies with us, even if we are killed with -9. One that is `behind` lets others go first."""
    return ["setpriv", "--pdeathsig", signal, "--", *(["nice", "-n", "10"] if behind else []), *argv]


def pg_dump(snapshot: str, lock_wait_seconds: int) -> list[str]:
    return [
        "pg_dump",
        "--format=plain",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={lock_wait_seconds}s",
        "--no-tablespaces",
        "--no-subscriptions",
        "--no-password",
        "--dbname=" + " ".join(f"{name}={value}" for name, value in KEEPALIVE.items()),
    ]


def psql(variables: Mapping[str, str], single_transaction: bool = False) -> list[str]:
    argv = ["psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    argv += [f"--set={name}={value}" for name, value in variables.items()]
    return [*argv, *(["--single-transaction"] if single_transaction else []), "--file=-"]


def initdb(directory: Path, superuser: str) -> list[str]:
    return [
        "initdb",
        f"--pgdata={directory}",
        f"--username={superuser}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]


def unpack_cluster(template: Path, directory: Path, compressor: str) -> list[str]:
    tar = ["tar", "--extract", "--preserve-permissions", "--no-same-owner", f"--use-compress-program={compressor}"]
    return [*tar, f"--file={template}", f"--directory={directory}"]


def throw_away_server(directory: Path, sockets: Path, shared_buffers_mb: int, maintenance_mb: int) -> list[str]:
    """No network, no archiving, nothing kept: whatever is lost here can be made again from the backup."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "archive_mode": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "autovacuum": "off",
        "jit": "off",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "1h",
        "shared_buffers": f"{shared_buffers_mb}MB",
        "maintenance_work_mem": f"{maintenance_mb}MB",
        "dynamic_shared_memory_type": "mmap",  # containers give 64 MB of /dev/shm
        "max_connections": "20",
        "max_locks_per_transaction": "1024",
        "max_prepared_transactions": "0",
        "restart_after_crash": "off",
        "logging_collector": "off",
        "log_min_messages": "warning",
        "lc_messages": "C",
    }
    argv = ["postgres", "-D", str(directory)]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    return argv


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
