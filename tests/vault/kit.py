"""What the vault's tests drive: a cluster, and the vault by its command line. Apart, because tests import the types."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledgervault import cli
from ledgervault.postgres import database, definitions_schema1

HERE = Path(__file__).parent
ROLES = """
CREATE ROLE ledger_admin NOLOGIN; CREATE ROLE ledger_app LOGIN PASSWORD 'x'; CREATE ROLE ledger_migrate LOGIN;
GRANT ledger_admin TO ledger_migrate WITH INHERIT FALSE, SET TRUE; GRANT ledger_app TO ledger_admin;
CREATE ROLE ledger_backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO ledger_backup;
ALTER ROLE ledger_backup SET default_transaction_read_only = on;
CREATE ROLE ledger_secret LOGIN BYPASSRLS PASSWORD 'right'; GRANT pg_read_all_data TO ledger_secret;
CREATE ROLE ledger_plain LOGIN; GRANT pg_read_all_data TO ledger_plain;
CREATE ROLE ledger_restore LOGIN CREATEDB; GRANT ledger_admin TO ledger_restore;
ALTER ROLE ledger_app SET search_path = "$user", public;
ALTER ROLE ledger_app SET application_name = 'it''s \\ an app';
"""


@dataclass
class Cluster:
    sockets: Path

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(host=str(self.sockets), dbname=database, user=user, autocommit=True)

    def run(self, database: str, sql: str, user: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connect(database, user) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def script(self, database: str, path: Path, role: str | None = None) -> None:
        options = f"-c role={role}" if role else ""
        subprocess.run(
            ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", str(path)],
            check=True,
            env={
                "PATH": "/usr/lib/postgresql/17/bin:/usr/bin:/bin",
                "PGHOST": str(self.sockets),
                "PGUSER": "postgres",
                "PGDATABASE": database,
                "PGOPTIONS": f"-c client_min_messages=error {options}",
            },
        )


@dataclass
class Result:
    code: int
    data: Any
    error: str

    @property
    def verdict(self) -> str:
        return str(self.data["verdict"])

    @property
    def bad(self) -> str:
        """Every check that is not well, in one text."""
        return "\n".join(c["text"] for c in self.data["checks"] if c["result"] in ("failed", "inconclusive"))

    @property
    def said(self) -> str:
        return "\n".join(c["text"] for c in self.data["checks"])


@dataclass
class Vault:
    cluster: Cluster
    place: Path
    database: str
    capture: pytest.CaptureFixture[str]

    @property
    def backups(self) -> Path:
        return self.place / "backups"

    @property
    def config(self) -> Path:
        return self.place / "vault.toml"

    def configure(self, **changes: Any) -> None:
        values = {
            "environment": "ci",
            "user": "ledger_backup",
            "name": self.database,
            "scratch": self.place / "scratch",
            "expect": "after_first",
            "extra": "",
            "host": self.cluster.sockets,
            "backups": self.backups,
            "password": "",
            "limits": "lock_wait_seconds = 1",
            **changes,
        }
        self.config.write_text(
            'environment = "{environment}"\nbackup_prefix = "ledgerflow"\n'
            '[database]\nhost = "{host}"\nname = "{name}"\nuser = "{user}"\nlock_wait_seconds = 1\n{password}\n'
            '[restore]\nuser = "ledger_restore"\nowner = "ledger_admin"\n'
            '[places]\nbackups = "{backups}"\nscratch = "{scratch}"\n'
            'state = "{state}"\n'
            '[[tables]]\nname = "public.transaction"\nnoun = "transactions"\nempty = "the ledger is empty"\n'
            'expect_rows = "{expect}"\n'
            '[migrations]\nquery = "SELECT app, max(name) FROM public.heads GROUP BY app"\n'
            "[limits]\n{limits}\n{extra}\n".format(state=self.place / "vault.json", **values)
        )

    def __call__(self, *arguments: str) -> Result:
        self.capture.readouterr()
        code = cli.main(["--config", str(self.config), arguments[0], "--json", *arguments[1:]])
        output = self.capture.readouterr()
        return Result(code, json.loads(output.out) if output.out.strip() else None, output.err)

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        return self.cluster.run(self.database, text)

    def taken(self) -> Path:
        """A fresh backup's path."""
        result = self("backup")
        assert result.code == 0, result.error
        return Path(result.data["path"])

    def proven(self, path: Path | None = None) -> Result:
        result = self("prove", str(path or self.taken()), "--all")
        assert result.code == 0, result.bad
        return result

    def doctored(self, edit: Callable[[str], str], manifest: Callable[[dict[str, Any]], None] | None = None) -> Result:
        """The verdict on a backup whose dump was changed and whose bytes all fit again: only comparing finds it."""
        path = self.taken()
        before = gzip.decompress(path.read_bytes()).decode()
        after = edit(before)
        assert after != before, "the damage changed nothing"
        return self.forged(path, gzip.compress(after.encode()), manifest)

    def forged(
        self, path: Path, data: bytes, manifest: Callable[[dict[str, Any]], None] | None = None, *options: str
    ) -> Result:
        forged = Path(tempfile.mkdtemp(dir=self.place)) / path.name
        forged.write_bytes(data)
        facts = json.loads(path.with_name(path.name + ".manifest.json").read_bytes())
        facts |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if manifest is not None:
            manifest(facts)
        forged.with_name(path.name + ".manifest.json").write_text(json.dumps(facts))
        return self("prove", str(forged), "--without-journal", *options)


def aged(vault: Vault, facts: dict[str, Any]) -> None:
    """As the version before wrote the manifest of this database."""
    with vault.cluster.connect(vault.database) as connection:
        connection.execute("SET search_path = ''")
        facts["content"]["schema"] = database.read_schema(connection, 1)
        names = {name for (name,) in database.rows(connection, definitions_schema1.RELATIONS)}
    for kind in ("tables", "sequences"):
        facts["content"][kind] = {name: value for name, value in facts["content"][kind].items() if name in names}
    facts["schema"] = 1
    del facts["content"]["left_out"], facts["content"]["of_extensions"]
