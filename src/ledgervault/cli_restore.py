"""The command line's part that replaces the live database: plan, copy, switch, undo, drop.

Apart from `cli`: these are the commands of a playbook, which keeps their order; each is safe by itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from ledgervault.commands import report
from ledgervault.commands.context import Context
from ledgervault.model import proof, restore_plan
from ledgervault.model.errors import CouldNot
from ledgervault.model.records import plain
from ledgervault.storage import files

_Add = Callable[..., argparse.ArgumentParser]
NO_BACKUP = "none"
LIMITED = ("restore-plan", "restore-prepare")  # they read or write as much as a database holds


def add(command: _Add) -> None:
    command("restore-plan", _plan, "what a restore over the live database would do; changes nothing", file=True)
    prepare = command("restore-prepare", _prepare, "a backup as a database beside the live one, compared", file=True)
    switch = command("restore-switch", _switch, "the prepared copy becomes live; what was live is kept", file=True)
    for parser in (prepare, switch):
        parser.add_argument("--copy", required=True, metavar="NAME", help="the copy's name, as the plan gave it")
    text = f"the backup taken of the live database before, or `{NO_BACKUP}`"
    switch.add_argument("--safety", required=True, metavar="FILE", help=text)
    command("restore-clean", _clean, "drop the copies of restores that did not end")
    undo = command("restore-undo", _undo, "the database that the newest restore replaced becomes live again")
    undo.add_argument("--name", metavar="NAME", help="another one of those kept")
    command("restore-drop", _drop, "remove a database that a restore replaced").add_argument("name", metavar="NAME")
    command("restore-kept", _kept, "list the databases that restores replaced")


def _tell(options: argparse.Namespace, lines: list[str], facts: Mapping[str, Any]) -> int:
    print(
        report.as_json({"verdict": "holds", "exit": 0, "lines": lines, **facts}) if options.json else "\n".join(lines)
    )
    return 0


def _plan(here: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore_plan as command  # only here: the others need no database driver

    plan = command.plan(here, options.file)
    return _tell(options, plan.lines(files.now()), {"plan": plain(plan), "file": plan.file})


def _prepare(here: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore_switch

    result = restore_switch.prepare(here, here.store.find(options.file), options.copy)
    code = proof.EXIT[result.verdict]
    if code:
        restore_switch.clean(here)
        raise CouldNot(options.file, f"restored, but the comparison is {result.verdict}; the copy was dropped")
    text = f"restored {result.file} as {options.copy}: {result.verdict}, {result.figures['rows']:.0f} rows equal"
    return _tell(options, [text], {"proof": plain(result), "copy": options.copy})


def _switch(here: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore_switch

    safety = "" if options.safety == NO_BACKUP else options.safety
    switched = restore_switch.switch(here, here.store.find(options.file), options.copy, safety)
    return _tell(options, _switched_lines(switched), {"switched": plain(switched)})


def _undo(here: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore_switch

    switched = restore_switch.undo(here, options.name)
    return _tell(options, _switched_lines(switched), {"switched": plain(switched)})


def _switched_lines(switched: Any) -> list[str]:
    rows = [
        f"  {table}: {_rows(count)} before, {_rows(switched.rows_after.get(table, 'gone'))} after"
        for table, count in switched.rows_before.items()
    ]
    lacks = f"  NOT migrated, as what was live: {', '.join(switched.unmigrated)} (make migrate)"
    return [
        f"{switched.database} is now {f'what was kept as {switched.returned}' if switched.returned else switched.file}",
        *rows,
        *([lacks] if switched.unmigrated else []),
        *([f"  NOT all of it was recorded: {switched.problem}"] if switched.problem else []),
        f"  what was live before is kept as {switched.kept}",
        f"  requests waited or failed for {switched.seconds_refused:.1f} s",
    ]


def _rows(count: int | str) -> str:
    """A text says why they cannot be counted; the figures have all of it."""
    return f"{count} rows" if isinstance(count, int) else f"NOT READABLE ({count[:60]})"


def _clean(here: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore_switch

    names = restore_switch.clean(here)
    return _tell(options, [f"dropped {name}" for name in names] or ["nothing was left over"], {"dropped": names})


def _drop(here: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore_switch

    dropped = restore_switch.drop(here, options.name)
    text = f"dropped {dropped.name}, {restore_plan.size(dropped.bytes)}"
    return _tell(options, [text], {"dropped": [dropped.name]})


def _kept(here: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore_plan as command

    kept = command.kept(here)
    lines = [f"{one.name}  {restore_plan.size(one.bytes)}" for one in kept]
    facts = [{"name": one.name, "bytes": one.bytes} for one in kept]
    return _tell(options, lines or ["no database is kept"], {"kept": facts})
