"""The content of a database. The source's snapshot and the restored copy are read into the same classes.

Names are as SQL would quote them (`public.ledger_transaction`, `"Été".x`). Hashes are text, because JSON readers lose
digits of 64-bit numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

UNREADABLE = "not readable by this role"  # a definition that the role may not read
# The kind of an object that was added to an extension's table. pg_dump leaves it out: CREATE EXTENSION cannot make it.
EXTENSIONS_OWN = "of an extension:"


def _plus(left: str, right: str) -> str:
    return str(int(left) + int(right))


@dataclass(frozen=True, slots=True)
class Table:
    """Row count, and sum and xor of a 64-bit hash of each row (queries.table_content). Either alone misses a change:
    xor cancels rows that occur twice, a sum cancels two changes of opposite size."""

    rows: int
    sum: str
    xor: str

    def __add__(self, other: Table) -> Table:
        """Both tables' rows together."""
        return Table(self.rows + other.rows, _plus(self.sum, other.sum), str(int(self.xor) ^ int(other.xor)))


@dataclass(frozen=True, slots=True)
class Sequence:
    last_value: int
    is_called: bool
    increment: int = 1
    cycle: bool = False
    owned_by: str | None = None
    owned_max: int | None = None  # the greatest value in the owning column, None if the table is empty


@dataclass(frozen=True, slots=True)
class SequenceValue:
    """A `setval` of the dump. Sequences are not part of the snapshot, so it may be ahead of it."""

    last_value: int
    is_called: bool


@dataclass(frozen=True, slots=True)
class LargeObject:
    owner: str
    acl: str
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Role:
    attributes: tuple[str, ...]  # SUPERUSER, NOLOGIN, ... as CREATE ROLE takes them
    connection_limit: int = -1
    valid_until: str | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    role: str
    member: str
    grantor: str
    admin: bool
    inherit: bool
    set: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """ALTER ROLE/DATABASE ... SET. `role` None means every role; `here` means only in this database."""

    role: str | None
    here: bool
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Grant:
    grantee: str | None  # None is PUBLIC
    privilege: str
    grantable: bool


@dataclass(frozen=True, slots=True)
class Database:
    owner: str
    encoding: str
    provider: str  # b builtin, c libc, i ICU
    collate: str
    ctype: str
    locale: str | None
    icu_rules: str | None
    connection_limit: int
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Globals:
    """What pg_dump leaves out: roles without passwords, memberships, settings and the database's own properties."""

    bootstrap: str
    roles: dict[str, Role]
    memberships: tuple[Membership, ...]
    settings: tuple[Setting, ...]
    parameters: dict[str, tuple[Grant, ...]]
    database: Database
    extensions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    tables: dict[str, Table]
    sequences: dict[str, Sequence]
    schema: dict[str, str]  # "index public.x" -> its definition
    large_objects: dict[str, LargeObject]
    globals: Globals
    migration_heads: tuple[tuple[str, ...], ...] | None = None
    of_extensions: dict[str, str] = field(default_factory=dict)  # a table or sequence -> the extension that made it
    left_out: tuple[str, ...] = ()  # what the dump does not hold although the source has it

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())
