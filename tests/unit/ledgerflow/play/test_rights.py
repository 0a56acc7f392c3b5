"""Who is asked for what, on every kind of machine, given as data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledgerflow.play.rights import CHANGE_STEPS, READ_STEPS, Decision, Facts, consent_name, decide

USER = Facts(uid=1000, sudo=True, sudo_free=True, terminal=True)


def choose(facts: Facts) -> Decision:
    return decide(facts, CHANGE_STEPS, "make deploy")


def test_root_is_asked_nothing() -> None:
    assert choose(Facts(uid=0)) == Decision()


def test_hosts_over_ssh_settle_their_own_rights() -> None:
    assert choose(Facts(uid=1000, remote=True)) == Decision()


@pytest.mark.parametrize(("facts", "kind"), [
    (Facts(uid=1000, desktop=True), "Docker Desktop"),
    (Facts(uid=1000, rootless=True), "rootless"),
    (Facts(uid=501, system="Darwin"), "Darwin"),
    (Facts(uid=1000, reduced=True), "asked for"),
])  # fmt: skip
def test_an_engine_of_the_users_own_needs_no_sudo_and_is_said_to_be_reduced(facts: Facts, kind: str) -> None:
    decision = choose(facts)
    assert (decision.become, decision.ask, decision.refusal) == (False, False, "")
    assert kind in decision.tell[0]
    assert "reduced" in decision.tell[0]
    assert decision.reduced


def test_the_engine_that_answered_is_the_one_that_is_used() -> None:
    facts = Facts(uid=1000, rootless=True, endpoint="unix:///run/user/1000/docker.sock")
    assert choose(facts).docker_host == "unix:///run/user/1000/docker.sock"
    assert choose(replace(USER, agreed=True, endpoint="unix:///x")).docker_host == ""


def test_another_user_is_told_every_step_and_its_reason_and_asked_once() -> None:
    first, again = choose(USER), choose(replace(USER, agreed=True))
    assert (first.become, first.ask) == (True, True)
    assert all(any(what in line and why in line for line in first.tell) for what, why in CHANGE_STEPS)
    assert again == Decision(become=True)


def test_sudos_password_is_asked_for_only_where_sudo_wants_one() -> None:
    assert choose(replace(USER, sudo_free=False)).password
    assert not choose(USER).password


@pytest.mark.parametrize(("facts", "missing"), [
    (replace(USER, sudo=False), "sudo is missing"),
    (replace(USER, terminal=False), "no terminal"),
    (replace(USER, terminal=False, sudo_free=False, agreed=True), "password"),
])  # fmt: skip
def test_without_rights_it_stops_with_what_is_missing(facts: Facts, missing: str) -> None:
    decision = choose(facts)
    assert missing in decision.refusal
    assert "make deploy" in decision.hint
    assert not decision.become


def test_a_workflow_with_sudo_is_not_asked() -> None:
    assert choose(replace(USER, terminal=False, agreed=True)) == Decision(become=True)


def test_a_yes_is_remembered_for_the_same_steps_only() -> None:
    assert consent_name(CHANGE_STEPS) == consent_name(CHANGE_STEPS)
    assert consent_name(CHANGE_STEPS) != consent_name(READ_STEPS)
