"""Argument lists of PostgreSQL's programs. They are built here and run elsewhere, so that tests can check them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ledgervault.postgres.login import KEEPALIVE


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
    """No network, no archiving and no durability: the backup can recreate everything in it."""
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
