"""Quoting, and what pg_dump leaves out: roles, memberships, settings, the database's own grants.

They are at the head of the dump inside `\\if`, so that a plain `gunzip | psql` restores the database alone, and `psql
-v ledgervault_roles=1 -v ledgervault_database=1` on an empty server restores everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ledgervault.model.content import Database, Globals, Grant, Membership, Role, Setting

ROLES, DATABASE = "ledgervault_roles", "ledgervault_database"
_HERE = ':"DBNAME"'
_LISTS = {  # settings whose stored value is already a quoted list (GUC_LIST_QUOTE in the server)
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}

_ITEM = re.compile(r'"((?:[^"]|"")*)"|([^,\s"]+)')


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    quoted = "'" + value.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted


def preamble(globals_: Globals, title: str) -> str:
    lines = [
        f"-- {' '.join(title.split())}",  # a database's name may hold a newline
        r"\set ON_ERROR_STOP on",
        rf"\if :{{?{ROLES}}}",
        *_roles(globals_),
        r"\endif",
        rf"\if :{{?{DATABASE}}}",
        *_database(globals_.database),
        *(_setting(setting) for setting in globals_.settings if setting.here),
        r"\endif",
        "",
    ]
    return "\n".join(lines) + "\n"


def create_database(name: str, database: Database, owner: str | None = None) -> str:
    """Created from template0: nothing that a site added to template1 is copied."""
    parts = [
        f"CREATE DATABASE {identifier(name)} TEMPLATE template0 ENCODING {literal(database.encoding)}",
        f"LOCALE_PROVIDER {({'b': 'builtin', 'c': 'libc', 'i': 'icu'}).get(database.provider, 'libc')}",
        f"LC_COLLATE {literal(database.collate)} LC_CTYPE {literal(database.ctype)}",
    ]
    if database.locale is not None and database.provider in "bi":
        parts.append(f"{'BUILTIN' if database.provider == 'b' else 'ICU'}_LOCALE {literal(database.locale)}")
    if database.icu_rules is not None:
        parts.append(f"ICU_RULES {literal(database.icu_rules)}")
    if owner is not None:
        parts.append(f"OWNER {identifier(owner)}")
    return " ".join(parts)


def in_grantable_order(memberships: Iterable[Membership], bootstrap: str) -> list[Membership]:
    """A grantor needs ADMIN on the role, so its own membership comes before those it granted."""
    waiting, ordered = list(memberships), list[Membership]()
    may_grant: set[tuple[str, str]] = set()
    while waiting:
        ready = [m for m in waiting if m.grantor == bootstrap or (m.role, m.grantor) in may_grant] or waiting[:]
        ordered += ready
        may_grant |= {(m.role, m.member) for m in ready if m.admin}
        waiting = [m for m in waiting if m not in ready]
    return ordered


def _roles(globals_: Globals) -> Iterator[str]:
    for name, role in globals_.roles.items():
        if name != globals_.bootstrap:
            yield f"CREATE ROLE {identifier(name)};"
        yield _role(name, role)
    for membership in in_grantable_order(globals_.memberships, globals_.bootstrap):
        yield _membership(membership, globals_.bootstrap)
    for parameter, grants in globals_.parameters.items():
        for grant in grants:
            yield _grant(grant, f"PARAMETER {parameter}")
    yield from (_setting(setting) for setting in globals_.settings if not setting.here)


def _role(name: str, role: Role) -> str:
    parts = [f"ALTER ROLE {identifier(name)} WITH", *role.attributes, f"CONNECTION LIMIT {role.connection_limit}"]
    if role.valid_until is not None:
        parts.append(f"VALID UNTIL {literal(role.valid_until)}")
    return " ".join(parts) + ";"


def _membership(membership: Membership, bootstrap: str) -> str:
    text = (
        f"GRANT {identifier(membership.role)} TO {identifier(membership.member)} WITH ADMIN {membership.admin}, "
        f"INHERIT {membership.inherit}, SET {membership.set}"
    )
    return text + (f" GRANTED BY {identifier(membership.grantor)};" if membership.grantor != bootstrap else ";")


def _database(database: Database) -> Iterator[str]:
    owner = identifier(database.owner)
    yield f"ALTER DATABASE {_HERE} OWNER TO {owner};"
    yield f"ALTER DATABASE {_HERE} CONNECTION LIMIT {database.connection_limit};"
    yield f"REVOKE ALL ON DATABASE {_HERE} FROM PUBLIC, {owner};"
    for grant in database.grants:
        yield _grant(grant, f"DATABASE {_HERE}")


def _grant(grant: Grant, target: str) -> str:
    grantee = "PUBLIC" if grant.grantee is None else identifier(grant.grantee)
    return f"GRANT {grant.privilege} ON {target} TO {grantee}{' WITH GRANT OPTION' if grant.grantable else ''};"


def _setting(setting: Setting) -> str:
    role = "ALL" if setting.role is None else identifier(setting.role)
    target = f"ALTER ROLE {role} IN DATABASE {_HERE}" if setting.here else f"ALTER ROLE {role}"
    if setting.here and setting.role is None:
        target = f"ALTER DATABASE {_HERE}"
    if setting.name.lower() in _LISTS:
        value = ", ".join(literal(item) for item in split_list(setting.value)) or "''"
    else:
        value = literal(setting.value)
    name = ".".join(identifier(part) for part in setting.name.split("."))
    return f"{target} SET {name} TO {value};"


def split_list(value: str) -> list[str]:
    """`"$user", public` -> [$user, public]"""
    return [plain if plain else quoted.replace('""', '"') for quoted, plain in _ITEM.findall(value)]
