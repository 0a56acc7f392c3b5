"""A whole stack under a strict guard, looked at from its host: what tests of its life and end share.

A module of its own because making that host takes minutes: three files of tests stand on one. The host is a container
with systemd and an engine of its own, deployed over ssh as staging.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from tests.deploy.remote import ENVIRONMENT, Remote, remote
from tools.kit.stacks import LOGS

ROW, PHOTO = "the row that must survive", "data/photo.bin"
SDK = ("docker", "requests", "urllib3", "idna", "certifi", "charset_normalizer")


@dataclass(frozen=True)
class Kept:
    """What must be there afterwards: rows of the database, files on the disk of the host."""

    rows: str
    sentinels: str
    photo: str
    backups: str


@dataclass
class Guarded:
    """The deployed stack, looked at from its host."""

    far: Remote
    data_root: str = "/srv"
    stopwatch: dict[str, float] = field(default_factory=dict)
    meant: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.far.id

    @property
    def data(self) -> str:
        return f"{self.data_root}/{self.far.stack}/{ENVIRONMENT}"

    def volume(self, what: str = "db_data") -> str:
        return f"{self.far.stack}_{ENVIRONMENT}_{what}"

    def make(self, target: str, **given: str) -> str:
        """A target that must end well; its output. How long it took is printed at the end."""
        started = time.monotonic()
        words = [f"{name}={value}" for name, value in given.items()]
        said = self.far.well(" ".join(["make", target, f"ENV={ENVIRONMENT}", *words]))
        self.stopwatch[f"make {target}"] = time.monotonic() - started
        return said

    def sh(self, script: str, *arguments: str) -> str:
        """A shell of root on the host; its output, whatever its exit status: a refusal is judged by what it says and by
        what is left."""
        return self.far.host.run("sh", "-c", f"({script}) 2>&1 || true", "sh", *arguments)

    def python(self, script: str, *arguments: str) -> str:
        told = 'PYTHONPATH=/opt/sdk exec python3 -c "$@"'
        return self.sh(told, script, *arguments)

    def sql(self, statement: str, role: str = "backup", database: str = "ledger") -> str:
        """As the backup's role, who only reads, or another; by a user of the container who may write nothing."""
        password = self.far.values[f"postgres_{role}_password"]
        argv = ["docker", "exec", "-e", f"PGPASSWORD={password}", "-u", "65534:65534", f"{self.id}-postgres"]
        asked = ["psql", "-XqAt", "-h", "127.0.0.1", "-U", f"ledger_{role}", "-d", database, "-c", statement]
        return self.far.host.run(*argv, *asked)

    def add_row(self, environment: str = ENVIRONMENT) -> None:
        """One transaction, the way a statement brings it."""
        live = next(name for name in self.containers() if name.startswith(f"{self.far.stack}-{environment}-app-web-"))
        imported = ["python", "manage.py", "import_statement", "-", "--account", "Test", "--filename", "test.csv"]
        line = f'"01/02/2025","12.34","*","","{ROW}"\n'
        self.far.host.run("docker", "exec", "-i", live, *imported, stdin=line.encode())

    def kept(self) -> Kept:
        return Kept(
            rows=self.sql("SELECT id, description, amount FROM ledger_transaction ORDER BY id"),
            sentinels=self.far.host.run("sh", "-euc", f"cd {self.data} && sha256sum */.ledgerflow.json"),
            photo=self.far.host.run("sh", "-euc", f"cd {self.data} && sha256sum media/{PHOTO}"),
            backups=self.far.host.run("sh", "-euc", f"cd {self.data}/backups/data && find . -name '*.sql.gz' | sort"),
        )

    def containers(self) -> dict[str, str]:
        """Service → id and start time."""
        shown = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
        listed = self.far.host.run("sh", "-c", f"docker inspect --format '{shown}' $(docker ps -q)")
        return dict(line.lstrip("/").split(" ", 1) for line in listed.splitlines())

    def refusals(self) -> list[str]:
        """What was refused so far, the canary apart, which the role attacks on purpose."""
        lines = self.far.host.run("ledgerguard", "audit", "--verdict", "refused", "--json").splitlines()
        told = [json.loads(line) for line in lines]
        seen = [
            f"{one['time']} {one['uri']}: {one['reason']}" for one in told if "ledgerguard-canary" not in one["volumes"]
        ]
        return [line for line in seen if line not in self.meant]

    def forget_refusals(self) -> None:
        """What was refused so far was meant to be."""
        self.meant.update(self.refusals())


def packed(modules: Sequence[str]) -> bytes:
    """Python packages of this environment as an archive: the host cannot fetch them."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in modules:
            archive.add(Path(str(import_module(name).__file__)).parent, arcname=name)
    return made.getvalue()


@contextmanager
def guarded_host(base: Path) -> Iterator[Guarded]:
    """A host that was deployed to, with a row, a file and a proven backup; removed in any case."""
    with remote(base) as far:
        far.follow_runbook()
        far.take_inputs()
        made = Guarded(far)
        made.make("deploy")
        far.host.run("mkdir", "-p", "/opt/sdk")
        far.host.run("tar", "-x", "-C", "/opt/sdk", stdin=packed(SDK))
        made.add_row()
        photo = f"head -c 16384 /dev/urandom > {made.data}/media/{PHOTO} && chown 9001:9001 {made.data}/media/{PHOTO}"
        far.host.run("sh", "-euc", photo)
        made.make("backup")
        yield made
        times = "\n".join(f"{what}: {seconds:.1f} s" for what, seconds in made.stopwatch.items())
        (LOGS / "deploy-test-guarded-times.log").write_text(times + "\n")
        print(times)
