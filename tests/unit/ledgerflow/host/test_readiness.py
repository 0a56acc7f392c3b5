"""A host is judged by facts given as data, so that hosts nobody has here are judged too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filter_plugins.host import FilterModule
from ledgerflow.host.readiness import (
    host_findings,
    port_findings,
    provided_secret_findings,
    secret_findings,
    weak_secret_findings,
)

MINIMUM = {"cores": 2, "memory_mb": 3500, "disk_mb": 20000}
STACK_DIR = "/etc/ledgerflow/ledger-dev"


def host(**changes: Any) -> dict[str, Any]:
    """A host that has just what is needed."""
    least = {"cores": 2, "memory_mb": 3500, "disk_free_mb": {"/srv": 20000, "/var/lib/docker": 20000}}
    return {**least, "ports": {}, "secrets": [], "secrets_made": [], "weak_secrets": {}, "initialised": [], **changes}


def listener(program: str = "", container: str = "", address: str = "127.0.0.1") -> dict[str, str]:
    return {"program": program, "container": container, "address": address}


# --- size ------------------------------------------------------------------------------------------------------------


def test_a_host_with_just_enough_is_taken() -> None:
    assert host_findings(host(), MINIMUM) == []


@pytest.mark.parametrize(("facts", "where", "what"), [
    ({"cores": 1}, "host", "1 processor cores, 2 are needed"),
    ({"memory_mb": 3499}, "host", "3499 MB of memory, 3500 are needed"),
    ({"disk_free_mb": {"/srv": 19999, "/var": 20000}}, "disk of /srv", "19999 MB free, 20000 are needed"),
])  # fmt: skip
def test_a_little_less_of_one_thing_is_one_finding_with_the_value_seen(
    facts: dict[str, Any], where: str, what: str
) -> None:
    (found,) = host_findings(host(**facts), MINIMUM)
    assert (found["where"], found["what"]) == (where, what)
    assert found["hint"]


def test_each_full_disk_is_named_with_the_command_that_shows_it() -> None:
    found = host_findings(host(disk_free_mb={"/srv": 1, "/var": 2, "/etc": 30000}), MINIMUM)
    assert [item["where"] for item in found] == ["disk of /srv", "disk of /var"]
    assert [item["hint"].split(";")[0] for item in found] == ["df -h /srv", "df -h /var"]


# --- ports -----------------------------------------------------------------------------------------------------------

WANTED = {"APP_PORT": 9001, "SEARXNG_PORT": 8080}


def taken(**owner: str) -> list[dict[str, str]]:
    return port_findings(host(ports={"9001": listener(**owner)}), WANTED, "ledger-dev", ".env.dev")


def test_free_ports_are_taken() -> None:
    assert port_findings(host(), WANTED, "ledger-dev", ".env.dev") == []


@pytest.mark.parametrize(("owner", "what"), [
    ({"program": "nginx (pid 7)"}, "taken by nginx (pid 7) on 127.0.0.1"),
    ({"program": "docker-proxy (pid 7)", "container": "other-dev-caddy"}, "taken by container other-dev-caddy on 127."),
    ({"container": "other-dev-caddy", "address": ""}, "taken by container other-dev-caddy on this host"),
    ({}, "taken by a program unknown to us on 127.0.0.1"),
])  # fmt: skip
def test_a_taken_port_is_refused_with_its_owner_and_the_line_that_mends_it(owner: dict[str, str], what: str) -> None:
    (found,) = taken(**owner)
    assert found["where"] == "port 9001 (APP_PORT)"
    assert what in found["what"]
    assert "set APP_PORT=10001 in .env.dev" in found["hint"]


def test_a_port_that_this_stack_holds_itself_is_fine() -> None:
    assert taken(program="docker-proxy (pid 7)", container="ledger-dev-caddy") == []


def test_a_stack_whose_name_only_begins_like_ours_is_another_one() -> None:
    assert len(taken(container="ledger-devel-caddy")) == 1


@given(st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 65535), min_size=1))
def test_the_port_proposed_is_a_port_that_is_neither_taken_nor_wanted(wanted: dict[str, int]) -> None:
    facts = host(ports={str(port): listener() for port in wanted.values()})
    for found in port_findings(facts, wanted, "ledger-dev", ".env.dev"):
        proposed = int(found["hint"].partition("=")[2].split()[0])
        assert 1 <= proposed <= 65535
        assert proposed not in wanted.values()


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_missing_secrets_beside_data_are_refused_one_by_one_with_the_way_out() -> None:
    facts = host(initialised=["db_data", "media"], secrets=["b"], secrets_made=["a", "b", "c"])
    found = secret_findings(facts, ["a", "b", "c"], ["c"], STACK_DIR)
    (only,) = found
    assert only["where"] == f"{STACK_DIR}/secrets/a"
    assert "db_data, media" in only["what"]
    assert "-e service_secrets_renewed=a" in only["hint"]


def test_missing_secrets_on_an_empty_host_are_fine() -> None:
    assert secret_findings(host(secrets_made=["a"]), ["a"], [], STACK_DIR) == []


def test_secrets_that_were_never_made_are_fine_beside_data() -> None:
    facts = host(initialised=["db_data"], secrets=["a"], secrets_made=["a"])
    assert secret_findings(facts, ["a", "of_a_service_not_yet_deployed"], [], STACK_DIR) == []


def test_secrets_that_are_there_or_provided_are_fine_beside_data() -> None:
    assert secret_findings(host(initialised=["db_data"], secrets=["a"]), ["a", "b"], ["b"], STACK_DIR) == []


def test_what_a_killed_write_left_is_not_the_secret() -> None:
    facts = host(initialised=["db_data"], secrets=[".a.new"], secrets_made=["a"])
    assert len(secret_findings(facts, ["a"], [], STACK_DIR)) == 1


def test_a_damaged_secret_is_refused_with_what_may_be_told_of_it_even_without_data() -> None:
    facts = host(secrets=["a", "b"], weak_secrets={"a": "5 characters", "b": "0 characters", "other": "1 characters"})
    found = secret_findings(facts, ["a", "b"], ["b"], STACK_DIR)
    assert found == weak_secret_findings(facts, ["a", "b"], ["b"], STACK_DIR)
    (only,) = found
    assert (only["where"], only["what"]) == (f"{STACK_DIR}/secrets/a", "weak or damaged (5 characters)")
    assert f"rm {STACK_DIR}/secrets/a, then the deploy with -e service_secrets_renewed=a" in only["hint"]


STRONG = "correct-horse-battery"


@pytest.mark.parametrize(("value", "what"), [
    ("", "provided, but empty"),
    (None, "provided, but empty"),
    ("short", "provided, but weak (5 characters)"),
    ("a" * 20, "provided, but weak (20 characters)"),
    (f" {STRONG}", "provided, but weak (22 characters)"),
    (12345, "provided, but weak (5 characters)"),
])  # fmt: skip
def test_a_provided_secret_that_is_empty_or_weak_is_refused_without_its_value(value: Any, what: str) -> None:
    (found,) = provided_secret_findings(host(secrets=["a"]), ["a"], {"a": value}, False)
    assert (found["where"], found["what"]) == ("secret a", what)
    assert "service_secrets_provided.a" in found["hint"]
    assert not value or str(value) not in str(found)


def test_a_new_secret_that_nobody_provides_is_refused_where_none_are_made() -> None:
    (found,) = provided_secret_findings(host(secrets=["a"]), ["a", "new"], {}, False)
    assert (found["where"], found["what"]) == ("secret new", "not provided and not on the host")
    assert provided_secret_findings(host(secrets=["a"]), ["a", "new"], {}, True) == []


def test_strong_provided_secrets_are_fine_and_those_of_others_are_not_looked_at() -> None:
    assert provided_secret_findings(host(), ["a"], {"a": STRONG, "of_another_role": ""}, False) == []


def test_ansible_finds_the_filters_by_these_names() -> None:
    filters = {
        "host_findings", "port_findings", "provided_secret_findings", "secret_findings", "weak_secret_findings",
    }  # fmt: skip
    assert set(FilterModule().filters()) >= filters
