"""Runs inside a container of the vault's image: a server, a made-up ledger of each size, every way in turn, JSON out.

Apart from bench.vault, because it sees only what the image has: PostgreSQL's programs, gzip, Python and the vault.
`measure.py ROUNDS ROWS...`
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

V1, V2 = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage"), Path("/sys/fs/cgroup/cpu.stat")
PLACE = Path("/scratch")
HERE = Path(__file__).parent
SERVER = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={PLACE}", "-c", "shared_buffers=256MB"]
SERVER += ["-c", "max_wal_size=1GB"]  # durable as the stack's own: fsync and full_page_writes stay on
ROLES = "CREATE ROLE ledger_backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO ledger_backup"
# The same backup without the hashes of rows: what the issue measures apart. It is not an option of the vault.
COUNTED = """
import sys
from ledgervault import cli
from ledgervault.model import content
from ledgervault.postgres import database
def only_counted(connection, batch):
    names = [name for name, _ in batch]
    return {n: content.Table(c, "0", "0") for n, c in database.count_rows(connection, names).items()}
database.read_batch = only_counted
sys.exit(cli.main(sys.argv[1:]))
"""


def main(rounds: int, sizes: list[int]) -> None:
    os.environ.update(PGHOST=str(PLACE), PGUSER="postgres")
    run(["initdb", "-D", f"{PLACE}/data", "-U", "postgres", "--auth=trust", "--locale=C.UTF-8", "--data-checksums"])
    server = subprocess.Popen(["postgres", "-D", f"{PLACE}/data", *SERVER], stderr=(PLACE / "log").open("w"))
    try:
        run(["sh", "-c", "until psql -qc 'SELECT 1'; do sleep 0.1; done"])
        run(["psql", "-qc", ROLES])
        print(json.dumps([one_size(size, rounds) for size in sizes]))
    finally:
        server.terminate()
        server.wait()


def one_size(rows: int, rounds: int) -> dict[str, object]:
    database, place = f"l{rows}", PLACE / f"v{rows}"
    run(["createdb", database])
    run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-v", f"rows={rows}", "-d", database, "-f", str(HERE / "ledger.sql")])
    for folder in (place, place / "backups", place / "scratch"):
        folder.mkdir()
    (place / "counted.py").write_text(COUNTED)
    (place / "vault.toml").write_text(
        f'environment = "ci"\nbackup_prefix = "bench"\n[database]\nhost = "{PLACE}"\nname = "{database}"\n'
        f'user = "ledger_backup"\n[places]\nbackups = "{place}/backups"\nscratch = "{place}/scratch"\n'
    )
    rounds_ = [one_round(database, place) for _ in range(rounds)]
    return {"rows": rows, "rounds": rounds_}


def one_round(database: str, place: Path) -> dict[str, dict[str, float]]:
    vault = f"--config {place}/vault.toml"
    python = "/opt/vault/bin/python -P"
    ways = {
        "dump": f"set -o pipefail; pg_dump -U ledger_backup {database} | gzip > {place}/common.gz",
        "dump_limit": f"pg_dump -U ledger_backup {database} > /dev/null",
        "counted": f"{python} {place}/counted.py {vault} backup --json",
        "hashed": f"{python} -m ledgervault {vault} backup --json",
        "restore": f"set -o pipefail; gunzip -c {place}/common.gz | psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -d copy",
        "proof": f"{python} -m ledgervault {vault} prove newest --json",
        "proof_hourly": f"{python} -m ledgervault {vault} prove newest --indexes definitions --json",
    }
    timings = {}
    for name, command in ways.items():
        if name == "restore":
            run(["dropdb", "--if-exists", "copy"])
            run(["createdb", "-T", "template0", "copy"])
        os.sync()  # what the way before has still to write is not this one's
        timings[name] = run_timed(command)
    return timings


def run_timed(command: str) -> dict[str, float]:
    """Seconds, and the most memory of the vault's own process in MB (0 where it is not the vault's)."""
    started, before = time.monotonic(), processor_seconds()
    child = subprocess.Popen(["bash", "-c", f"exec {command}" if "ledgervault" in command else command],
                             stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert child.stdout is not None  # noqa: S101  - asked for with PIPE
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if child.returncode:
        raise SystemExit(f"{command}: ended with {child.returncode}\n{output[-2000:]}")
    report = json.loads(output) if output.startswith("{") else {}
    figures = report.get("figures") or {}
    memory = figures.get("own_rss_mb") or (usage.ru_maxrss / 1024 if "counted.py" in command or report else 0.0)
    after_start = figures.get("restore_seconds", 0.0) + figures.get("compare_seconds", 0.0)
    used = processor_seconds() - before
    start = figures.get("start_seconds", 0.0)
    return {"seconds": seconds, "processor": used, "own_mb": memory, "after_start": after_start, "start": start}


def processor_seconds() -> float:
    """Of the whole container, servers included: it follows the machine's load far less than the clock does."""
    if V2.exists():
        return int(V2.read_text().split()[1]) / 1e6
    return int(V1.read_text()) / 1e9


def run(argv: list[str]) -> None:
    process = subprocess.run(argv, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)}: {process.stderr[-2000:]}")


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(argument) for argument in sys.argv[2:]])
