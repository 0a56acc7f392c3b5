"""Maps a program's error output to its cause and to the command that fixes it.

Apart from the callers because each pattern is tested with the program's own words.
"""

from __future__ import annotations

import re

from ledgervault.model.proof import FAILED, INCONCLUSIVE

_TAIL = 600

# This environment could not complete the restore, which says nothing about the backup.
_NOT_THE_BACKUPS_FAULT: tuple[tuple[str, str], ...] = (
    (r"No space left on device|could not (extend|write|create) file", "give the scratch space more room"),
    (r'extension "[^"]+" is not available', "prove with an image that has this extension's package"),
    (r"could not open extension control file", "prove with an image that has this extension's package"),
    (r"out of memory|Cannot allocate memory|out of shared memory", "give the container more memory"),
    (r"server closed the connection unexpectedly|terminating connection due to", "see the throw-away server's log"),
    (r"Read-only file system|Permission denied.*scratch", "mount the scratch space writable"),
    (r"(could not load|could not access file) .*librar|No such file or directory: .*\$libdir", "install that library"),
    (
        r"must be (superuser|able to SET ROLE|owner of|member of)|permission denied",
        "the restoring role may not do that: make it a member of the owner",
    ),
    (r"encoding conversion|locale .* (not|does not exist)|invalid locale", "the image lacks the source's locale"),
)

_DUMP_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"permission denied for large object (\d+)",
        "GRANT SELECT ON LARGE OBJECT {0} TO {user};  (database.before_snapshot grants those the application made)",
    ),
    (
        r'row-level security policy for (?:table|relation) "?([^"\s]+)',
        "ALTER ROLE {user} BYPASSRLS;  (without it the dump of {0} would leave rows out)",
    ),
    (r"permission denied for (?:table|sequence|schema|view|relation) (\S+)", "GRANT pg_read_all_data TO {user};"),
    (r"password authentication failed", "the password file does not hold this role's password; deploy again"),
    (
        r"canceling statement due to lock timeout|lock-wait-timeout",
        "a migration holds the table: back up again after it",
    ),
    (r"No space left on device", "free space on the backups volume"),
    (r"aborting because of server version mismatch", "the vault's image is older than the server: deploy the vault"),
)


def diagnose_restore(stderr: str) -> tuple[str, str]:
    """Returns (failed or inconclusive, hint)."""
    for pattern, hint in _NOT_THE_BACKUPS_FAULT:
        if re.search(pattern, stderr):
            return INCONCLUSIVE, hint
    return FAILED, ""


def dump_hint(stderr: str, user: str) -> str:
    for pattern, hint in _DUMP_HINTS:
        if match := re.search(pattern, stderr):
            return hint.format(*match.groups(), user=user)
    return "see the message above; nothing was kept"


def is_locked_out(stderr: str) -> bool:
    """Whether pg_dump's --lock-wait-timeout ran out."""
    return (
        re.search(r"canceling statement due to (statement|lock) timeout", stderr) is not None and "LOCK TABLE" in stderr
    )


def summary(text: str) -> str:
    """The lines with errors, joined and shortened."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    relevant = [line for line in lines if re.search(r"ERROR|FATAL|error:", line)] or lines
    return " / ".join(relevant[:3])[:_TAIL]
