"""The vault's speed and memory against the common way, in one run: `python -m bench.vault`, part of `make bench`.

A module of its own because it needs no stack: a container of the vault's image with a server and made-up ledgers
inside. Writes its part of docs/bench.md and build/results/bench-vault.json; 0 if all that is demanded holds or cannot,
1 if not, 2 if it could not be measured.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import figures
from bench.figures import Demand

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_666, 1_000_000)
ROUNDS = 3
START, END = "<!-- bench-vault:start -->", "<!-- bench-vault:end -->"
# way: (what stands in the table, what it is compared with, at most, aimed at)
WAYS = {
    "dump_limit": ("`pg_dump > /dev/null`: the floor of any way by pg_dump", "dump", None, None),
    "counted": ("backup: sha256, read back, rows counted", "dump", 0.40, 0.30),
    "hashed": ("the same with every row hashed: `ledgervault backup`", "dump", 0.60, 0.45),
    "proof_hourly": ("proof, secondary indexes compared but not built: each hour's", "restore", 0.60, 0.45),
    # Issue 3 lets each hour's proof leave secondary indexes unbuilt if the number of the other stands beside it.
    "proof": ("proof with every index built: one a day, and `make prove`", "restore", None, None),
}
COMMON = {"dump": "`pg_dump \\| gzip`", "restore": "`gunzip \\| psql`"}
LARGEST_MB = 64
LONGEST_SECONDS = 1.0
Round = Mapping[str, Mapping[str, float]]


def main() -> int:
    rounds = int(os.environ.get("BENCH_ROUNDS", ROUNDS))
    try:
        sizes = measure(image(), rounds)
    except (OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
        print(f"bench: the vault could not be measured: {error}", file=sys.stderr)
        return 2
    results = [demand for size in sizes for demand in demands(size["rows"], size["rounds"])]
    document = "\n".join([f"{rounds} rounds on {os.cpu_count()} cores, in one run.", "", *table(sizes), "",
                          *figures.demands_table(results)])  # fmt: skip
    place = ROOT / "docs/bench.md"
    place.write_text(figures.between_markers(place.read_text(), document, START, END))
    run_figures = {
        "schema": 1,
        "load": os.getloadavg()[0],
        "sizes": sizes,
        "demands": [asdict(demand) for demand in results],
    }
    (ROOT / "build/results/bench-vault.json").write_text(json.dumps(run_figures, indent=2) + "\n")
    print(document)
    return 1 if any(demand.bad for demand in results) else 0


def image() -> str:
    """The vault's image, made if it is not there."""
    environment = {**os.environ, "ENV": "ci", "YES": "1", "STACK": "", "SETTINGS": ""}
    argv = ["scripts/play", "test_images", "-e", "test_images_wanted=vault"]
    subprocess.run(argv, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return str(json.loads((ROOT / "build/results/images.json").read_text())["vault"])


def measure(reference: str, rounds: int) -> list[dict[str, Any]]:
    """In a container without a network, on a volume of its own (owned as the image's /scratch); both go afterwards."""
    argv = ["docker", "run", "--rm", "--name", f"tbench-vault-{uuid.uuid4().hex[:6]}", "--init", "--network", "none"]
    argv += ["--cap-drop", "ALL", "--user", "5432:5432", "--volume", "/scratch", "--tmpfs", "/tmp:mode=1777"]  # noqa: S108  - inside the container
    argv += ["--memory", "2g", "--volume", f"{ROOT / 'bench/vault_container'}:/bench:ro", "--entrypoint", "python3"]
    inside = ["/bench/measure.py", str(rounds), *map(str, SIZES)]
    process = subprocess.run([*argv, reference, *inside], capture_output=True, text=True, timeout=3600, check=False)
    if process.returncode:
        raise ValueError(f"ended with {process.returncode}\n{process.stdout[-2000:]}{process.stderr[-2000:]}")
    sizes: list[dict[str, Any]] = json.loads(process.stdout.splitlines()[-1])
    return sizes


def ratio(rounds: Sequence[Round], way: str, figure: str = "seconds", of: str = "") -> figures.Ratio:
    """Each round's own, so that load is in both halves of it; `figure`: seconds, processor, or start (`of` seconds)."""
    base = WAYS[way][1]
    return figures.spread([round_[way][figure] / round_[base][of or figure] for round_ in rounds])


def demands(rows: int, rounds: Sequence[Round]) -> list[Demand]:
    """What issue 3 demands at this size."""
    results = []
    for way, (label, base, most, aim) in WAYS.items():
        if most is not None:
            median = ratio(rounds, way).median
            results.append(Demand(f"{rows:,} rows, {label}", f"at most {most:.2f} of {COMMON[base]}, aim {aim:.2f}",
                                f"{median:.2f}", median <= most, _against_dump(rounds, way, most)))  # fmt: skip
    memory = max(round_[way]["own_mb"] for round_ in rounds for way in ("counted", "hashed", "proof", "proof_hourly"))
    results.append(Demand(f"{rows:,} rows, the vault's own process", f"at most {LARGEST_MB} MB", f"{memory:.0f} MB",
                        0 < memory <= LARGEST_MB))  # fmt: skip
    if rows == min(SIZES):
        seconds = statistics.median(round_["proof"]["after_start"] for round_ in rounds)
        expectation = f"at most {LONGEST_SECONDS:.0f} s after the server's start"
        results.append(Demand(f"{rows:,} rows, proof", expectation, f"{seconds:.2f} s", 0 < seconds <= LONGEST_SECONDS))
    return results


def _against_dump(rounds: Sequence[Round], way: str, most: float) -> str:
    """What every such way must do, where that alone takes longer than what is demanded of the whole."""
    if WAYS[way][1] == "dump":
        baseline, floor = "`pg_dump > /dev/null`", ratio(rounds, "dump_limit").median
    else:
        baseline, floor = "the throw-away server's start", ratio(rounds, way, "start", "seconds").median
    return f"{baseline} alone is {floor:.2f}" if floor > most else ""


def table(sizes: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = ["| rows | | of | ratio | rounds from … to | of its processor time | seconds (noise) |"]
    lines.append("|--:|---|---|--:|--:|--:|--:|")
    for size in sizes:
        for way, (label, base, _, _) in WAYS.items():
            measured = ratio(size["rounds"], way)
            seconds = statistics.median(round_[way]["seconds"] for round_ in size["rounds"])
            cells = (f"{size['rows']:,}", label, COMMON[base], f"**{measured.median:.2f}**",
                     f"{measured.least:.2f} … {measured.largest:.2f}",
                     f"{ratio(size['rounds'], way, 'processor').median:.2f}",
                     f"{seconds:.2f}")  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
