"""A docker command line is read as docker reads it, and what only looks like harm is let alone."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_docker.arguments import KINDS, Command, read_command


def read(line: str) -> Command:
    command = read_command(shlex.split(line))
    assert command is not None
    return command


DOWN = ("compose", "down")
REMOVES = {
    "compose down -v": (DOWN, "project"),
    "compose down --volumes": (DOWN, "project"),
    "compose down --volumes=true": (DOWN, "project"),
    "compose down -v=1": (DOWN, "project"),
    "compose down -t 0 -v": (DOWN, "project"),
    "compose down -t0 -v": (DOWN, "project"),
    "compose down -t=0 -v": (DOWN, "project"),
    "compose down --timeout 0 --remove-orphans -v web": (DOWN, "project"),
    "compose down --rmi local -v": (DOWN, "project"),
    "compose down --volumes=false -v": (DOWN, "project"),
    "compose -f compose.yml -p other --profile x down -v": (DOWN, "project"),
    "--context far -H unix:///s --log-level=debug compose --project-directory /x down -v": (DOWN, "project"),
    "-D compose --ansi never down --volumes": (DOWN, "project"),
    "compose --unheard-of value down -v": (DOWN, "project"),
    "--unheard-of value compose down -v": (DOWN, "project"),
    "compose down --unheard-of -v": (DOWN, "project"),
    "compose rm -fsv": (("compose", "rm"), "anonymous"),
    "compose up -V --force-recreate": (("compose", "up"), "anonymous"),
    "compose up -dV": (("compose", "up"), "anonymous"),
    "compose up -y": (("compose", "up"), "recreated"),
    "rm -vf web": (("container", "rm"), "anonymous"),
    "rm -fv web": (("container", "rm"), "anonymous"),
    "container remove web --volumes": (("container", "rm"), "anonymous"),
    "volume rm db": (("volume", "rm"), "named"),
    "volume remove -f db": (("volume", "rm"), "named"),
    "volume rm db --force": (("volume", "rm"), "named"),
    "volume rm -- db": (("volume", "rm"), "named"),
    "volume prune -af": (("volume", "prune"), "unused"),
    "system prune -a --volumes -f": (("system", "prune"), "unused"),
    "-v volume rm db": (("volume", "rm"), "named"),  # docker carries it out
}
HARMLESS = (
    "", "ps", "--version", "volume", "volume ls", "compose", "compose ps", "compose logs -f web",
    'exec web echo "down -v"', "exec web docker volume rm db", "compose exec web docker compose down -v",
    "run --rm -v db:/x alpine volume rm db", "compose run web down -v", "logs -f down",
    "exec ledger-prod-vault ledgervault backup --prove", "exec -it ledger-prod-postgres psql",
    "volume rm --help", "--help volume rm db", "compose down --help -v", "help volume rm db",
    "compose --dry-run down -v", "compose down -v --dry-run", "compose config -v", "volume create db",
    "cp web:/a b", "image prune -af", "network rm down",
)  # fmt: skip
KEEPS = (
    "compose down", "compose down --volumes=false", "compose down -v=0", "compose down -t 0 -- -v",
    "compose down -tv 0",
    "compose down -v --volumes=F", "rm -f web", "rm web -- -v", "system prune -af", "compose up -d", "compose rm -fs",
    "compose -f -v down", "compose -p -v down",
)  # fmt: skip


@pytest.mark.parametrize("line", REMOVES)
def test_a_command_that_removes_volumes_is_known_however_it_is_written(line: str) -> None:
    path, removes = REMOVES[line]
    command = read(line)
    assert (command.path, command.removes) == (path, (removes,))


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_holds_such_words_is_no_such_command(line: str) -> None:
    assert read_command(shlex.split(line)) is None


@pytest.mark.parametrize("line", KEEPS)
def test_its_twin_that_keeps_the_volumes_removes_none(line: str) -> None:
    assert read(line).removes == ()


@pytest.mark.parametrize(("line", "words"), [
    ("volume rm a b", ("a", "b")), ("volume rm a -f b", ("a", "b")), ("volume rm -f -- -x a", ("-x", "a")),
    ("stop -t 5 web", ("web",)), ("stop -s SIGKILL -t5 web db", ("web", "db")),
    ("compose down --rmi all web", ("web",)),
])  # fmt: skip
def test_an_options_value_is_no_word(line: str, words: tuple[str, ...]) -> None:
    assert read(line).words == words


@pytest.mark.parametrize("line", [
    "stop web", "kill web", "restart web", "pause web", "rm -f web", "container prune", "system prune", "compose up -d",
    "compose restart", "compose kill", "compose scale web=0", "service scale web=0", "stack rm all", "swarm leave",
    "stack down all", "compose stop -t 0",
])  # fmt: skip
def test_what_stops_or_replaces_is_known(line: str) -> None:
    assert read(line).interrupts


@pytest.mark.parametrize("line", ["volume rm a", "volume prune"])
def test_what_stops_nothing_is_not_said_to(line: str) -> None:
    assert not read(line).interrupts


def test_the_options_for_engine_and_project_are_kept_for_looking() -> None:
    command = read("-H unix:///s compose -f a.yml -f b.yml -p x down -v")
    assert command.docker == (("host", "unix:///s"),)
    assert command.compose == (("file", "a.yml"), ("file", "b.yml"), ("project-name", "x"))
    assert command.values("file") == ["a.yml", "b.yml"]


@pytest.mark.parametrize("line", REMOVES)
def test_a_tidied_command_line_means_the_same(line: str) -> None:
    command = read(line)
    again = read_command(command.argv()[1:])
    assert again is not None
    assert (again.path, again.options, again.words) == (command.path, command.options, command.words)


WORDS = st.lists(st.sampled_from([
    "-v", "--volumes", "-f", "--", "-", "", "compose", "down", "volume", "rm", "prune", "-t", "0", "--file=x", "-vf",
    "web", "--volumes=", "-=", "---", "exec", "--context", "é", "-H",
]), max_size=8)  # fmt: skip


@given(WORDS)
def test_no_command_line_breaks_it(words: list[str]) -> None:
    command = read_command(words)
    assert command is None or command.path in KINDS


@given(st.lists(st.sampled_from(["-v", "--volumes", "down", "volume", "rm", "prune", "-f"]), max_size=6))
def test_nothing_behind_exec_is_ever_a_command(words: list[str]) -> None:
    assert read_command(["exec", "web", *words]) is None
    assert read_command(["compose", "exec", "web", *words]) is None
