"""Content and row comparisons that several tests of the vault start from."""

from __future__ import annotations

from ledgervault.model import content
from ledgervault.model.digests import NUMBER
from ledgervault.model.row_comparison import Comparison, Figures, Shape

GLOBALS = content.Globals(
    bootstrap="postgres",
    roles={
        "app": content.Role(("NOSUPERUSER", "LOGIN"), 5, "2030-01-01"),
        "postgres": content.Role(("SUPERUSER", "LOGIN")),
    },
    memberships=(content.Membership("admin", "app", "boss", False, True, True),),
    settings=(
        content.Setting("app", False, "search_path", '"$user", public'),
        content.Setting(None, True, "my.setting", "x"),
        content.Setting("app", True, "work_mem", "8MB"),
        content.Setting(None, False, "work_mem", "4MB"),
    ),
    parameters={"work_mem": (content.Grant(None, "SET", False),)},
    database=content.Database(
        "app", "UTF8", "b", "C.UTF-8", "C.UTF-8", "C.UTF-8", None, -1, (content.Grant(None, "CONNECT", True),)
    ),
    extensions={"plpgsql": "1.0"},
)

CONTENT = content.Content(
    tables={"public.t": content.Table(3, "30", "7"), "public.empty": content.Table(0, "0", "0")},
    sequences={"public.s": content.Sequence(3, True, 1, False, "public.t.id", 3)},
    schema={"index public.i": "CREATE INDEX i ON public.t USING btree (a)"},
    large_objects={"9": content.LargeObject("app", "none", 3, "x")},
    globals=GLOBALS,
    migration_heads=(("ledger", "0001"),),
)

KEYED = Shape(("amount", "id", "note"), ("id",), ("amount",), NUMBER)


def compare_rows(
    before: list[bytes], after: list[bytes], shape: Shape, order: tuple[str, ...] | None = None
) -> Figures:
    figures = Figures()
    comparison = Comparison(shape, None, figures)
    for row in after:
        comparison.put_later(row)
    take = comparison.taker(order or shape.columns)
    for row in before:
        take(row)
    comparison.end()
    return figures
