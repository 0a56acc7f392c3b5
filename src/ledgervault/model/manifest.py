"""The manifest: written once beside a backup and never changed. Its schema is docs/manifest.schema.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledgervault.model.content import Content, SequenceValue
from ledgervault.model.records import from_json

SCHEMA = 2  # 1: no digests, other texts of definitions (definitions_schema1), no tables of extensions
SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True)
class Watched:
    """A table that reports mention: what its rows are called, what an empty table means, whether rows are expected."""

    noun: str
    empty: str
    expect_rows: bool


@dataclass(frozen=True, slots=True)
class DigestsFile:
    """The file beside the backup that holds the digests."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    schema: int
    file: str
    kind: str
    tier: str
    environment: str
    database: str
    begun: str
    snapshot: str
    finished: str
    server_version: str
    server_version_num: int
    dumped_with: str
    lsn: str
    compressor: str
    size: int
    sha256: str
    uncompressed_size: int
    content: Content
    sequences_dumped: dict[str, SequenceValue]
    watched: dict[str, Watched] = field(default_factory=dict)
    migration_heads_query: str | None = None
    deployment: dict[str, Any] | None = None
    secrets: str = "not included"
    digests: DigestsFile | None = None  # since schema 2

    @property
    def major(self) -> int:
        return self.server_version_num // 10000


def parse_manifest(text: bytes) -> Manifest:
    """Reads any schema up to ours. Raises NewerError for a later version and RecordError for anything else."""
    return from_json(Manifest, text, SCHEMA)


def end_marker(file: str) -> bytes:
    """The last line of each of our dumps. It reveals a cut between two gzip members: `gzip -t` and `psql` do not."""
    return f"-- ledgervault: end of {file}\n".encode()
