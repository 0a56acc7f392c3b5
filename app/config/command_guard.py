"""Which management commands may run in staging and prod.

A module of its own because it is a rule about arguments only: it runs while the settings are read, before any command
exists. It allows what is known to be harmless and refuses the rest unless the operator names stack and command in
LEDGER_AUTHORISE. It is the seat belt; the wall is the database role, which has neither DDL nor TRUNCATE.
"""

from collections.abc import Sequence
from pathlib import Path

from config.env import SettingsError

ENTRIES = ("manage.py", "django-admin", "django/__main__.py")  # the last is `python -m django`
ANY = frozenset({"*"})
COMMON_OPTIONS = frozenset(
    {"-v", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color", "--skip-checks"}
)
# Command -> options that may be given; positional arguments only where ANY stands.
ALLOWED: dict[str, frozenset[str]] = {
    "changepassword": ANY,
    "check": ANY,
    "clearsessions": frozenset(),
    "createsuperuser": ANY,
    "dumpdata": ANY,
    "ensure_superuser": ANY,
    "help": ANY,
    "import_statement": ANY,
    "makemigrations": frozenset({"--check", "--dry-run"}),
    "migrate": frozenset({"--noinput", "--no-input", "--check", "--plan"}),
    "showmigrations": ANY,
    "sqlmigrate": ANY,
    "version": ANY,
    "--help": ANY,
    "--version": ANY,
}
# These are harmless only with one of the named options.
NEEDS_ONE_OF = {"makemigrations": frozenset({"--check", "--dry-run"})}


def objection(arguments: Sequence[str]) -> str | None:
    """Why these arguments (without the program's name) are not known to be harmless; None if they are."""
    if not arguments:
        return None
    command, rest = arguments[0], arguments[1:]
    options = ALLOWED.get(command)
    if options is None:
        return f"{command} is not on the list of harmless commands"
    if options == ANY:
        return None
    for argument in _without_common(rest):
        if argument.split("=", 1)[0] not in options:
            return f"{command} with {argument!r} is not on the list of harmless commands"
    harmless = NEEDS_ONE_OF.get(command)
    if harmless and not harmless.intersection(rest):
        return f"{command} without {' or '.join(sorted(harmless))} is not on the list of harmless commands"
    return None


def enforce(argv: Sequence[str], stack_id: str, *, guarded: bool, authorised: str) -> None:
    """Stop here if `argv` is a management command that `stack_id` must not run unasked."""
    if not guarded or not argv or not _is_entry(argv[0]):
        return
    why = objection(argv[1:])
    if why is None or authorised == f"{stack_id} {argv[1]}":
        return
    hint = f"if you mean it, after a proven backup: LEDGER_AUTHORISE='{stack_id} {argv[1]}' manage.py {argv[1]} …"
    raise SettingsError("manage.py", f"{why}; refused in {stack_id}", hint)


def _is_entry(program: str) -> bool:
    path = Path(program)
    return path.name in ENTRIES or f"{path.parent.name}/{path.name}" in ENTRIES


def _without_common(arguments: Sequence[str]) -> list[str]:
    """Drop options every command has, with the value of those that take one."""
    specific, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument.split("=", 1)[0] in COMMON_OPTIONS or argument in ("-v0", "-v1", "-v2", "-v3"):
            skip = argument in ("-v", "--verbosity", "--settings", "--pythonpath")
        else:
            specific.append(argument)
    return specific
