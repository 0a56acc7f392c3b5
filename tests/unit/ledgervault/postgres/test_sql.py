"""Quoting, roles and databases as SQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledgervault.model import (
    content,
)
from ledgervault.postgres import sql
from tests.unit.ledgervault.examples import GLOBALS


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ('"$user", public', ["$user", "public"]),
        ("a,b", ["a", "b"]),
        ('"with ""quote"", and comma"', ['with "quote", and comma']),
        ('""', [""]),
        ("", []),
    ],
)
def test_a_stored_list_is_taken_apart(value: str, items: list[str]) -> None:
    assert sql.split_list(value) == items


def test_names_and_texts_are_quoted() -> None:
    assert sql.identifier('a"b') == '"a""b"'
    assert sql.literal("it's") == "'it''s'"
    assert sql.literal("a\\b") == " E'a\\\\b'"


def test_a_grantors_own_membership_comes_first() -> None:
    later = content.Membership("a", "x", "boss", False, True, True)
    first = content.Membership("a", "boss", "postgres", True, True, True)
    stray = content.Membership("b", "y", "gone", False, True, True)
    assert sql.in_grantable_order([later, first], "postgres") == [first, later]
    assert sql.in_grantable_order([stray], "postgres") == [stray]


def test_the_preamble_holds_roles_without_passwords_behind_a_switch() -> None:
    text = sql.preamble(GLOBALS, "title")
    assert text.startswith("-- title\n")
    roles = text[text.index(r"\if :{?ledgervault_roles}") : text.index(r"\if :{?ledgervault_database}")]
    assert 'CREATE ROLE "app";' in roles
    assert 'CREATE ROLE "postgres"' not in roles
    assert "VALID UNTIL '2030-01-01'" in roles
    assert 'GRANT "admin" TO "app" WITH ADMIN False, INHERIT True, SET True GRANTED BY "boss";' in roles
    assert "GRANT SET ON PARAMETER work_mem TO PUBLIC;" in roles
    assert """ALTER ROLE "app" SET "search_path" TO '$user', 'public';""" in roles
    assert """ALTER DATABASE :"DBNAME" SET "my"."setting" TO 'x';""" in text
    assert """ALTER ROLE "app" IN DATABASE :"DBNAME" SET "work_mem" TO '8MB';""" in text
    assert """ALTER ROLE ALL SET "work_mem" TO '4MB';""" in text
    assert "PASSWORD" not in text


@pytest.mark.parametrize(
    ("provider", "locale", "told"),
    [("b", "C.UTF-8", "BUILTIN_LOCALE 'C.UTF-8'"), ("i", "de", "ICU_LOCALE 'de'"), ("c", None, "LOCALE_PROVIDER libc")],
)
def test_a_database_is_made_with_the_sources_locale(provider: str, locale: str | None, told: str) -> None:
    database = replace(
        GLOBALS.database, provider=provider, locale=locale, icu_rules="&a<b" if provider == "i" else None
    )
    made = sql.create_database("x", database, "own")
    assert told in made
    assert 'OWNER "own"' in made
    assert "TEMPLATE template0" in made
