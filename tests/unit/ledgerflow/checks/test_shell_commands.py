"""A script is read as a shell reads it: what runs is found with its line, what is only said is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerflow.checks.shell_commands import invocations, remarks

RUN = ("docker", "volume", "rm", "db")
DOWN = ("docker", "compose", "down", "-v")


def runs(script: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(each.line, each.words) for each in invocations(script)]


@pytest.mark.parametrize("script", [
    "docker volume rm db", "docker  volume\trm  'db'", 'docker "volume" rm "d"b', "docker vol\\\nume rm db",
    "docker volume rm \\\n  db", "if true; then docker volume rm db; fi", "x=1 docker volume rm db",
    "(docker volume rm db)",
    "{ docker volume rm db; }", "false || docker volume rm db", "true && docker volume rm db &",
    "! docker volume rm db",
    'echo "$(docker volume rm db)"', "echo `docker volume rm db`", "x=$(docker volume rm db)",
    'x="a $(docker volume rm db)"',
    "sudo docker volume rm db", "sudo -u root -E -- docker volume rm db", "env -u X A=b docker volume rm db",
    "nice -n 19 docker volume rm db", "timeout -k 5 60 docker volume rm db", "exec docker volume rm db",
    "flock /tmp/lock docker volume rm db", "echo db | xargs -r -n 1 docker volume rm db",
    "nohup sudo docker volume rm db >x 2>&1",
    "bash -c 'docker volume rm db'", 'sh -euc "docker volume rm db"', "bash -euo pipefail -c 'docker volume rm db'",
    "eval docker volume rm db", "eval 'docker volume' rm db", "trap 'docker volume rm db' EXIT",
    "ssh -p 22 host docker volume rm db", "ssh host 'cd /x && docker volume rm db'", "echo 'docker volume rm db' | sh",
    "printf 'docker volume rm db\\n' | ssh host", "bash <<<'docker volume rm db'", "alias gone='docker volume rm db'",
    "find . -name x -exec docker volume rm db ;", "D=docker; $D volume rm db", 'D="docker volume"; $D rm db',
    'D=docker; "${D}" volume rm db', "${DOCKER:-docker} volume rm db", "name=db\ndocker volume rm $name",
    "export D=docker; $D volume rm db", "f() { docker volume rm db; }", "function f { docker volume rm db; }",
    "case $x in a) docker volume rm db;; esac", "for x in 1 2; do docker volume rm db; done",
    "cmd=(docker volume rm db)",
    "while read -r x; do docker volume rm db; done < <(true)", "cat <(docker volume rm db)",
    "docker volume rm db # a remark",
    "su - root -c 'docker volume rm db'", "time docker volume rm db", "docker volume rm db>/dev/null",
])  # fmt: skip
def test_a_command_is_found_however_it_is_run(script: str) -> None:
    assert RUN in [words for _, words in runs(script)]


@pytest.mark.parametrize("script", [
    "# docker volume rm db", "true # docker volume rm db", "echo docker volume rm db", "echo 'docker volume rm db'",
    'echo "a; docker volume rm db"', "printf '%s\\n' 'docker volume rm db'", "echo \\; docker volume rm db",
    "cat <<EOF\ndocker volume rm db\nEOF", "cat >x <<-'EOF'\n\tdocker volume rm db\n\tEOF", "x='docker volume rm db'",
    "grep -q 'docker volume rm db' file", "docker exec web docker volume rm db", "git commit -m 'docker volume rm db'",
    "echo a#b docker volume rm db", "sh script docker volume rm db", "cat <<'EOF'\n$(docker volume rm db)\nEOF",
])  # fmt: skip
def test_what_is_only_said_is_not_run(script: str) -> None:
    assert RUN not in [words for _, words in runs(script)]


def test_lines_are_those_of_the_file() -> None:
    script = (
        "set -e\n\necho 'two\nlines'\ndocker volume rm db\nssh host <<EOF\ncd /\ndocker compose down -v\nEOF\n"
        "true && \\\n  docker volume rm db\nx=$(true\ndocker volume rm db)\n"
    )
    assert [line for line, words in runs(script) if words == RUN] == [5, 11, 13]
    assert [line for line, words in runs(script) if words == DOWN] == [8]


def test_a_here_document_whose_end_is_not_quoted_runs_its_substitutions() -> None:
    assert (2, RUN) in runs("cat <<EOF\n$(docker volume rm db)\nEOF\n")


def test_after_a_here_document_the_script_goes_on() -> None:
    assert runs("cat <<A; cat <<B\nx\nA\ny\nB\ndocker volume rm db") == [(1, ("cat",)), (1, ("cat",)), (6, RUN)]


def test_options_in_a_known_variable_count_and_an_unknown_one_stays_as_it_is() -> None:
    assert DOWN in [words for _, words in runs('FLAGS="down -v"\ndocker compose $FLAGS')]
    assert ("docker", "compose", "$FLAGS") in [words for _, words in runs("docker compose $FLAGS")]
    assert ("docker", "compose", "down -v") in [words for _, words in runs('F="down -v"; docker compose "$F"')]


def test_remarks_are_kept_by_line() -> None:
    assert remarks("a # one\n'# none'\n#two") == {1: "one", 3: "two"}


@given(st.text(alphabet="ab '\"\\$()`{}<>|&;#\n=-", max_size=60))
def test_no_text_breaks_it(script: str) -> None:
    assert all(each.line >= 1 for each in invocations(script))
