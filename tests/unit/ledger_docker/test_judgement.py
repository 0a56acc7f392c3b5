"""Verdicts on facts given as data: what would be lost is refused by name, production is asked, the rest goes on."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_docker.arguments import Command, read_command
from ledger_docker.judgement import ALLOW, ASK, REFUSE, Inspection, Verdict, Volume, asked_word, filters_match, judge

LABELS = {"com.ledgerflow.protect": "true", "com.ledgerflow.environment": "prod"}
DB = Volume("ledger_prod_db_data", LABELS, "/srv/ledger/prod/db_data")
OTHER = Volume("other", {})
NAMELESS = Volume("ab" * 32, LABELS)
NEW, OLD = (1, 45), (1, 41)


def command(line: str) -> Command:
    read = read_command(shlex.split(line))
    assert read is not None
    return read


def judged(line: str, *volumes: Volume, environment: str = "", **seen: object) -> Verdict:
    given = command(line)
    filters = tuple(given.values("filter"))
    return judge(given, Inspection(**{"volumes": volumes, "filters": filters, "api": NEW, **seen}), environment)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", [
    "volume rm ledger_prod_db_data", "volume rm -f other ledger_prod_db_data", "volume rm ledger%5Fprod_db_data",
    "volume rm x/../ledger_prod_db_data", "volume rm 'ledger_prod_db_data?force=1'", "volume rm ledger_prod_db_data/",
    "compose down -v", "compose up -y", "volume prune -af", "volume prune -f --filter all=1",
    "volume prune -af --filter label=com.ledgerflow.protect", "volume prune -af --filter label!=other",
    "volume prune -af --filter label!=com.ledgerflow.protect --filter label!=other",
    "volume prune -af --filter label!=com.ledgerflow.protect=false", "volume prune --all=true",
])  # fmt: skip
def test_what_removes_a_protected_volume_is_refused_by_name_and_environment(line: str) -> None:
    verdict = judged(line, DB, OTHER)
    assert (verdict.what, verdict.volumes) == (REFUSE, ("ledger_prod_db_data",))
    first = verdict.text.splitlines()[0]
    assert "ledger_prod_db_data (environment prod, data in /srv/ledger/prod/db_data)" in first
    assert "ledgerguard unlock ledger_prod_db_data --operation" in verdict.text


@pytest.mark.parametrize("line", [
    "volume rm other", "volume rm ledger_prod_db_data2", "volume prune -af --filter label!=com.ledgerflow.protect",
    "volume prune -af --filter label!=com.ledgerflow.protect=true", "volume prune -f",
    "volume prune -af --filter label=other", "volume prune -af --filter LABEL!=com.ledgerflow.protect",
])  # fmt: skip
def test_its_twin_goes_on(line: str) -> None:
    assert judged(line, DB, OTHER) == Verdict(ALLOW)


@pytest.mark.parametrize(("line", "safe"), [
    ("volume rm -f other ledger_prod_db_data", "HINT: remove only the others: docker volume rm --force other"),
    ("compose -f a.yml down -v -t 0 web", "docker compose --file=a.yml down --timeout=0 web"),
    ("volume prune -af", "docker volume prune --all --force '--filter=label!=com.ledgerflow.protect'"),
    ("volume prune -a --filter label!=x", "docker volume prune --all '--filter=label!=com.ledgerflow.protect'"),
    ("compose up -dy", "docker compose up --detach"),
])  # fmt: skip
def test_the_safe_command_is_told_and_is_itself_allowed(line: str, safe: str) -> None:
    hint = judged(line, DB, OTHER).text.splitlines()[1]
    assert hint.endswith(safe)
    again = shlex.split(hint[hint.index("docker") :])[1:]
    assert judged(shlex.join(again), DB if "prune" in again else OTHER).what == ALLOW


@pytest.mark.parametrize("line", ["volume prune -f", "system prune -f --volumes"])
@pytest.mark.parametrize("api", [OLD, ()])
def test_an_old_or_unknown_engines_prune_takes_named_volumes(line: str, api: tuple[int, ...]) -> None:
    assert judged(line, DB, api=api).what == REFUSE
    assert judged(line, DB, api=NEW).what == ALLOW


def test_a_filter_does_not_spare_a_declared_volume_that_lost_its_label() -> None:
    lost = Volume("ledger_prod_db_data", {}, declared=True)
    verdict = judged("volume prune -af --filter label!=com.ledgerflow.protect", lost)
    assert verdict.what == REFUSE
    assert "the label com.ledgerflow.protect is lost" in verdict.text


@pytest.mark.parametrize("line", ["rm -vf web", "compose rm -fsv", "compose up -dV"])
def test_only_a_nameless_protected_volume_goes_with_its_container(line: str) -> None:
    assert judged(line, DB, NAMELESS).volumes == (NAMELESS.name,)
    assert judged(line, DB).what == ALLOW


@pytest.mark.parametrize("line", ["compose down -v", "volume rm a", "volume prune -a"])
def test_a_look_that_failed_is_no_leave_to_remove(line: str) -> None:
    verdict = judged(line, failed="docker volume inspect: cannot connect")
    assert verdict.what == REFUSE
    assert "could not look" in verdict.text
    assert "cannot connect" in verdict.text
    assert judged("compose down", failed="cannot connect").what == ALLOW


@pytest.mark.parametrize(("environment", "reached", "word"), [
    ("prod", set(), "prod"), ("", {"prod"}, "prod"), ("dev", {"prod"}, "prod"), ("PROD", set(), "PROD"),
    ("production", {"dev"}, "production"), ("", set(), ""), ("dev", {"dev"}, ""), ("ci", set(), ""),
    ("staging", {"staging"}, ""),
])  # fmt: skip
def test_production_is_asked_whether_the_shell_or_the_container_says_so(
    environment: str, reached: set[str], word: str
) -> None:
    assert asked_word(environment, reached) == word
    verdict = judged("stop web", environment=environment, environments=frozenset(reached))
    assert (verdict.what, verdict.word) == ((ASK, word) if word else (ALLOW, ""))


def test_what_stops_nothing_is_not_asked_about_even_in_production() -> None:
    assert judged("volume rm other", OTHER, environment="prod").what == ALLOW


def test_a_question_says_when_shell_and_container_differ() -> None:
    text = judged("compose stop", environment="dev", environments=frozenset({"prod"})).text
    assert "LEDGER_ENV is dev, but what it reaches is of environment prod" in text


def test_text_made_by_others_does_not_reach_the_terminal_as_it_is() -> None:
    evil = Volume("x", {"com.ledgerflow.protect": "true", "com.ledgerflow.environment": "\x1b[2Jdev\n"})
    text = judged("volume rm x", evil).text
    assert "\x1b" not in text
    assert "environment \\x1b[2Jdev\\x0a" in text


Parts = list[list[str]]
VOLUMES = st.sampled_from([["-v"], ["--volumes"], ["--volumes=true"], ["-v=1"], ["--volumes=T"], ["-vt", "0"]])
BESIDE = st.lists(st.sampled_from([
    ["-t", "0"], ["-t0"], ["-t=0"], ["--timeout", "5"], ["--timeout=5"], ["--remove-orphans"], ["--rmi", "all"],
    ["web"], ["--remove-orphans=false"], ["--new-option"],
]), max_size=4)  # fmt: skip
GLOBAL = st.lists(st.sampled_from([
    ["-f", "down.yml"], ["--file=-v"], ["-p", "exec"], ["--profile", "*"], ["--ansi=never"], ["--env-file", "down"],
    ["--new-option", "value"], ["--compatibility"],
]), max_size=3)  # fmt: skip
ENGINE = st.lists(
    st.sampled_from([["-H", "unix:///volume"], ["--context=rm"], ["-D"], ["--log-level", "debug"]]), max_size=3
)
FORCE = st.lists(st.sampled_from(["-f", "--force", "--force=true", "other", "--new-option"]), max_size=4)


def flat(parts: Parts) -> list[str]:
    return [word for part in parts for word in part]


@given(ENGINE, GLOBAL, BESIDE, VOLUMES, BESIDE)
def test_no_way_to_write_down_with_volumes_is_let_through(
    engine: list[list[str]],
    project: list[list[str]],
    before: list[list[str]],
    volumes: list[str],
    after: list[list[str]],
) -> None:
    line = [*flat(engine), "compose", *flat(project), "down", *flat(before), *volumes, *flat(after)]
    verdict = judged(shlex.join(line), DB)
    assert (verdict.what, verdict.volumes) == (REFUSE, (DB.name,))


@given(ENGINE, FORCE, st.booleans())
def test_no_way_to_write_volume_rm_is_let_through(engine: Parts, beside: list[str], last: bool) -> None:
    words = [*beside, DB.name] if last else [DB.name, *beside]
    assert judged(shlex.join([*flat(engine), "volume", "rm", *words]), DB, OTHER).what == REFUSE


@pytest.mark.parametrize(("filters", "taken"), [
    ((), True), (("label=a",), True), (("label=a=1",), True), (("label=a=2",), False), (("label=b",), False),
    (("label!=a",), False), (("label!=a=2",), True), (("label!=a", "label!=b"), True), (("label=a", "label!=a"), False),
    (("label=a", "label=b"), False),
])  # fmt: skip
def test_filters_are_matched_as_the_engine_matches_them(filters: tuple[str, ...], taken: bool) -> None:
    assert filters_match(filters, {"a": "1"}) is taken
