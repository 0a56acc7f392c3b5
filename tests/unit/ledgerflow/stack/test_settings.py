"""What is typed into .env.<env> becomes values or one finding for each fault, and never an exception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from filter_plugins.stack import FilterModule
from ledgerflow.findings import findings_text
from ledgerflow.stack import settings as settings_module
from ledgerflow.stack.settings import parse_settings, settings_findings, settings_values

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SCHEMA: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "inventory/common/settings.yml").read_text())[
    "settings_schema"
]
WHERE = ".env.dev"
TYPES = sorted({str(rule["type"]) for rule in SCHEMA.values()})


def findings(text: str, environment: str = "dev") -> list[dict[str, str]]:
    return settings_findings(text, SCHEMA, environment, WHERE)


def example_with(**changes: str) -> str:
    """The shipped example with the values of some names replaced."""
    lines = [
        f"{name}={changes[name]}" if (name := line.partition("=")[0]) in changes else line
        for line in EXAMPLE.splitlines()
    ]
    return "\n".join(lines)


def faults_of_one(value: str, **rule: Any) -> list[dict[str, str]]:
    """The findings on a single setting X of a type."""
    return settings_findings(f"X={value}", {"X": rule}, "dev", WHERE)


# --- the shipped files -----------------------------------------------------------------------------------------------


def test_the_shipped_example_is_right_for_dev() -> None:
    assert findings(EXAMPLE) == []


def test_the_example_names_every_setting_once_with_the_schema_s_default() -> None:
    values, faults = parse_settings(EXAMPLE)
    assert faults == []
    assert values == {name: str(rule["default"]) for name, rule in SCHEMA.items()}


def test_every_default_is_of_its_own_type_and_gives_a_typed_value() -> None:
    values = settings_values("", SCHEMA)
    assert values.keys() == {name.lower() for name in SCHEMA}
    assert (values["app_port"], values["hot_reload"], values["data_root"]) == (9001, False, "/srv")


@pytest.mark.parametrize("environment", ["ci", "staging", "prod"])
def test_the_example_serves_another_environment_once_its_line_is_changed(environment: str) -> None:
    assert findings(example_with(LEDGER_ENV=environment), environment) == []


# --- each fault, exactly once, with where, what and the way out ------------------------------------------------------

FIRST = EXAMPLE.splitlines().index("APP_PORT=9001") + 1
FAULTS = {
    "unknown": (EXAMPLE + "\nAPP_PROT=9001\n", WHERE, "unknown setting APP_PROT", "remove the line"),
    "missing": (EXAMPLE.replace("APP_PORT=9001\n", ""), WHERE, "APP_PORT is missing", "add the line APP_PORT=9001"),
    "weak": (example_with(APP_PORT="0"), WHERE, "APP_PORT is '0', wanted a whole number from 1", "set APP_PORT=9001"),
    "empty": (example_with(HOST_NAME=""), WHERE, "HOST_NAME is '', wanted a host name", "set HOST_NAME=localhost"),
    "duplicate": (
        EXAMPLE + "\nAPP_PORT=9002\n",
        f"{WHERE}:{len(EXAMPLE.splitlines()) + 2}",
        f"APP_PORT is set twice, first in line {FIRST}",
        f"keep one of the lines {FIRST} and",
    ),
    "no line": (EXAMPLE + "what is this\n", f"{WHERE}:{len(EXAMPLE.splitlines()) + 1}", "'what is this'", "NAME=value"),
    "other environment": (
        example_with(LEDGER_ENV="prod"),
        WHERE,
        "LEDGER_ENV is prod, but the inventory is for dev",
        "ENV=prod",
    ),
    "no environment": (example_with(LEDGER_ENV="production"), WHERE, "'production', wanted one of dev, ci", "=dev"),
    "same port": (
        example_with(SEARXNG_PORT="9001"),
        WHERE,
        "SEARXNG_PORT and APP_PORT are both 9001",
        "give SEARXNG_PORT another port",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_finding_with_where_what_was_seen_and_a_hint(fault: str) -> None:
    text, where, what, hint = FAULTS[fault]
    (found,) = findings(text)
    assert found["where"] == where
    assert what in found["what"]
    assert hint in found["hint"]


def test_two_good_ports_may_be_swapped() -> None:
    assert findings(example_with(APP_PORT="8080", SEARXNG_PORT="9001")) == []


def test_two_bad_ports_are_two_findings_and_not_a_third_for_being_alike() -> None:
    assert len(findings(example_with(APP_PORT="x", SEARXNG_PORT="x"))) == 2


@pytest.mark.parametrize("line", ["export DB_PASSWORD=hunter2hunter2", "DB-PASSWORD=hunter2hunter2"])
def test_what_stands_after_the_sign_in_a_broken_line_is_not_shown(line: str) -> None:
    text = findings_text(findings(EXAMPLE + line + "\n"))
    assert "PASSWORD" in text
    assert "hunter2" not in text


def test_the_value_of_an_unknown_setting_is_not_shown() -> None:
    text = findings_text(findings(EXAMPLE + "POSTGRES_PASSWORD=hunter2hunter2\n"))
    assert "POSTGRES_PASSWORD" in text
    assert "hunter2" not in text


def test_the_values_read_are_the_first_ones() -> None:
    assert settings_values(EXAMPLE + "\nAPP_PORT=9002\n", SCHEMA)["app_port"] == 9001


# --- the types -------------------------------------------------------------------------------------------------------

GOOD: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "boolean"}, ["true", "false"]),
    ({"type": "choice", "choices": ["a", "b"]}, ["a", "b"]),
    ({"type": "host"}, ["localhost", "ledger.example.org", "203.0.113.7", "a-b.c"]),
    ({"type": "integer", "minimum": 0, "maximum": 10}, ["0", "7", "10"]),
    ({"type": "name"}, ["a", "ledger", "t1a2b3c", "a123456789012345"]),
    (
        {"type": "path", "words": ["auto", "none"]},
        ["/srv", "/srv/", "/mnt/d-1/l.d", "/Users/jürgen", "auto", "none"],
    ),
    ({"type": "port"}, ["1", "80", "65535"]),
    ({"type": "registry"}, ["docker.io", "127.0.0.1:5000", "r.example.org:5000/team/a"]),
    ({"type": "user"}, ["admin", "a.b@example.org"]),
    ({"type": "zone"}, ["UTC", "Europe/Vienna", "America/Argentina/Ushuaia"]),
]
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "boolean"}, ["", "True", "yes", "1"]),
    ({"type": "choice", "choices": ["a", "b"]}, ["", "A", "a,b"]),
    ({"type": "host"}, ["", "-a", "a..b", "a b", "http://a", "a.", "x" * 254]),
    ({"type": "integer", "minimum": 5, "maximum": 10}, ["", "4", "11", "-5", "5.0", "1e1", "07", "\u0667", "9" * 5000]),
    ({"type": "name"}, ["", "Ledger", "1a", "a-b", "a_b", "a1234567890123456"]),
    ({"type": "path"}, ["", "srv", "/", "/a/../b", "/a b", "/a;b", "/a:b", "auto", "/a\0b", "//"]),
    ({"type": "port"}, ["", "0", "65536", "080", "http"]),
    ({"type": "registry"}, ["", "https://docker.io", "a:b", "a b"]),
    ({"type": "user"}, ["", "a b", "a" * 151, "a\tb"]),
    ({"type": "zone"}, ["", "Mars/Olympus", "../etc/passwd", "Europe", "UTC+1"]),
]


@pytest.mark.parametrize(("rule", "value"), [(rule, value) for rule, values in GOOD for value in values])
def test_a_good_value_is_taken(rule: dict[str, Any], value: str) -> None:
    assert faults_of_one(value, **rule) == []
    assert str(settings_values(f"X={value}", {"X": rule})["x"]).lower() == value.lower()


@pytest.mark.parametrize(("rule", "value"), [(rule, value) for rule, values in BAD for value in values])
def test_a_bad_value_is_one_finding_that_shows_it(rule: dict[str, Any], value: str) -> None:
    (found,) = faults_of_one(value, **rule)
    assert repr(value) in found["what"]
    assert ", wanted " in found["what"]
    assert found["hint"] == "see X in .env.example"


@pytest.mark.parametrize(("rule", "value"), [(rule, value) for rule, values in BAD for value in values])
def test_a_bad_value_is_its_default_until_the_findings_refuse_it(rule: dict[str, Any], value: str) -> None:
    good = next(values[0] for same, values in GOOD if same["type"] == rule["type"])
    good = str(rule.get("minimum", good))
    assert str(settings_values(f"X={value}", {"X": {**rule, "default": good}})["x"]).lower() == good.lower()
    assert settings_values(f"X={value}", {"X": rule}) == {"x": ""}


def test_both_tables_above_have_every_type() -> None:
    assert {rule["type"] for rule, _values in GOOD} == {rule["type"] for rule, _values in BAD} >= set(TYPES)


def test_on_a_machine_without_zones_a_name_that_looks_like_one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    # The one edge that cannot be had here: this machine has its zones.
    monkeypatch.setattr(settings_module, "_has_zone", lambda _name: False)
    assert faults_of_one("Europe/Vienna", type="zone") == []
    assert len(faults_of_one("../etc/passwd", type="zone")) == 1


# --- the grammar -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "value"), [
    ("X=a", "a"), ("  X=a  ", "a"), ("X= a", "a"), ('X="a b"', "a b"), ("X='a'", "a"), ("X=a=b", "a=b"), ("X=", ""),
    ("X=a # b", "a # b"), ('X="a', '"a'), ("X=\"a'", "\"a'"), ('X="', '"'), ("X=''", ""),
])  # fmt: skip
def test_a_value_is_what_stands_after_the_sign_without_its_pair_of_quotes(line: str, value: str) -> None:
    assert parse_settings(line) == ({"X": value}, [])


@pytest.mark.parametrize("text", ["", "\n\n", "# X=1", "   # remark"])
def test_remarks_and_empty_lines_say_nothing(text: str) -> None:
    assert parse_settings(text) == ({}, [])


def test_a_message_has_each_finding_with_its_hint_in_the_line_below() -> None:
    found = findings(example_with(APP_PORT="0", HOT_RELOAD="maybe"))
    lines = findings_text(found).splitlines()
    assert [line.startswith(f"{WHERE}: ") for line in lines] == [True, False, True, False]
    assert [line.startswith("HINT: ") for line in lines] == [False, True, False, True]
    assert findings_text([]) == ""


# --- anything at all -------------------------------------------------------------------------------------------------

NAMES = st.sampled_from([*SCHEMA, "UNKNOWN", "LEDGER_ENV "])
LINES = st.one_of(st.text(max_size=40), st.builds("{}={}".format, NAMES, st.text(max_size=40)))
TEXTS = st.one_of(st.text(), st.lists(LINES, max_size=30).map("\n".join))


@given(TEXTS)
def test_any_text_gives_findings_and_values_of_the_right_types(text: str) -> None:
    found = findings(text)
    assert all(set(item) == {"where", "what", "hint"} and all(item.values()) for item in found)
    values = settings_values(text, SCHEMA)
    for name, rule in SCHEMA.items():
        wanted = {"boolean": bool, "integer": int, "port": int}.get(rule["type"], str)
        assert type(values[name.lower()]) is wanted


@given(TEXTS)
def test_any_text_that_has_no_finding_is_read_back_value_by_value(text: str) -> None:
    for candidate in (text, EXAMPLE + text):
        if not findings(candidate):
            written, _faults = parse_settings(candidate)
            values = settings_values(candidate, SCHEMA)
            assert {name: str(values[name.lower()]).lower() for name in SCHEMA} == {
                name: value.lower() for name, value in written.items()
            }


@given(st.sampled_from(sorted(SCHEMA)), st.text(max_size=30))
def test_one_changed_value_is_either_taken_or_named(name: str, value: str) -> None:
    text = example_with(**{name: value.replace("\n", " ")})
    found = findings(text)
    assert all(name in item["what"] or item["where"] != WHERE for item in found)
    if not found:
        assert parse_settings(text)[0][name].lower() == str(settings_values(text, SCHEMA)[name.lower()]).lower()


def test_ansible_finds_the_filters_by_these_names() -> None:
    assert set(FilterModule().filters()) >= {"findings_text", "settings_findings", "settings_values"}
