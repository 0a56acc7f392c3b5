"""A script that could remove volumes is found however it is written, and what nobody knows is no pass."""

from __future__ import annotations

import pytest

from scripts.check_volumes import check_scripts
from scripts.script_sources import MAKEFILE, PLAYBOOK, SHELL, WORKFLOW

# Each runs `docker compose down -v`, `docker volume rm` or the like, and the script says so in full.
LOSES = [
    'args=(down -v); docker compose "${args[@]}"',
    "args=(down)\nargs+=(-v)\ndocker compose ${args[*]}",
    'args=(down)\nif [ -n "$1" ]; then args+=(--volumes); fi\ndocker compose "${args[@]}"',
    'docker=(docker compose -f x)\n"${docker[@]}" down -v',
    "DOCKER=docker; $DOCKER volume rm db",
    'cmd="volume rm"\ndocker $cmd db',
    'a=dock b=er; "$a$b" volume rm db',
    'FLAGS=\nFLAGS="$FLAGS down"\nFLAGS="$FLAGS -v"\ndocker compose $FLAGS',
    'verb=rm\ncase $1 in keep) verb=ls ;; esac\ndocker volume "$verb" db',
    "if [ $x ]; then F=-v; else F=; fi; docker compose down $F",
    "for verb in ls rm; do docker volume $verb db; done",
    'for each in "volume rm db"; do docker $each; done',
    'for p in docker podman; do "$p" volume rm db; done',
    'run() { "$@"; }\nrun docker volume rm db',
    'c() { docker compose "$@"; }\nc down -v',
    'c() { local verb=$1; shift; docker "$verb" "$@"; }\nc volume rm db',
    'c() { docker "$1" "$2" db; }; sudo true; c volume rm',
    'outer() { inner "$@"; }; inner() { docker "$@"; }; outer volume rm db',
    "gone() { docker volume rm db; }",
    'set -- volume rm db\ndocker "$@"',
    "alias d=docker\nd volume rm db",
    'eval "docker volume" rm db',
    "x='docker volume rm db'; eval \"$x\"",
    "x='docker volume rm db'; sh -c \"$x\"",
    "x='docker volume rm db'\nbash <<<\"$x\"",
    "sh -c 'docker \"$1\" rm db' _ volume",
    "bash <<'EOF'\ndocker volume rm db\nEOF",
    "bash -s <<EOF\n  docker compose \\\n    down -v\nEOF",
    "cat <<EOF | ssh host sh\ndocker volume rm db\nEOF",
    "ssh -o X=y host -- docker volume rm db",
    'ssh host "cd /x; docker compose down -v"',
    "echo db | xargs docker volume rm",
    "echo 'docker volume rm db' | sudo bash -e",
    "bash <(echo docker volume rm db)",
    "source <(printf 'docker volume rm db')",
    "sh < <(echo docker volume rm db)",
    "cat <(docker volume rm db)",
    "command docker volume rm db",
    "env -i PATH=/bin docker volume rm db",
    "env -S 'docker volume rm db'",
    "env A=b sh -c 'docker volume rm db'",
    "exec docker volume rm db",
    "\\docker volume rm db",
    "do''cker volume rm db",
    "$'docker' volume $'\\x72m' db",
    "docker volume {ls,rm} db\ndocker {volume,rm,db}",
    "$(which docker) volume rm db",
    '"$(command -v docker)" volume rm db',
    "$(echo docker volume) rm db",
    "/usr/bin/docker volume rm db",
    '"$BIN/docker" volume rm db',
    "docker  -H x compose -f y down -v",
    "docker >/dev/null volume rm db",
    "docker volume 2>&1 rm db >x",
    "docker <<EOF volume rm db\nx\nEOF",
    "cat <<A; docker volume rm db\nx\nA",
    "$SUDO docker volume rm db",
    '"$SUDO" docker volume rm db',
    '"$SHELL" -c "docker volume rm db"',
    "${DOCKER:-docker} volume rm db",
    "${DOCKER:=docker} volume rm db",
    "while docker volume rm db; do :; done",
    'trap "docker volume rm $x" EXIT',
    "coproc docker volume rm db",
    "find . -exec sh -c 'docker volume rm db' \\;",
    "x=$(docker volume rm db)",
    "[ $(docker volume rm db) ]",
    'echo "${x:-$(docker volume rm db)}"',
    "a=1; b=$a c=docker; $c volume rm db",
    'docker volume prune -af --filter "$f"',
    "(cd /; docker compose down -v) &",
    "timeout 5 flock x nice docker volume rm db",
    "busybox sh -c 'docker volume rm db'",
]
# Nobody knows what these run.
UNKNOWN = [
    '"$@"',
    'exec "$@"',
    "$cmd",
    "$cmd up",
    'eval "$x"',
    'sh -c "$x"',
    "bash <<EOF\n$x\nEOF",
    "curl x | sh",
    "cat x | sudo bash",
    'ssh host "$x"',
    "ssh host < x | sh",
    "${x[@]}",
    '"${x[@]}" up',
    'docker "$@"',
    "docker $x",
    'docker compose "$@"',
    "docker compose $FLAGS",
    'docker compose "$verb" -v',
    'docker compose down "$flag"',
    'docker compose down "$@"',
    'docker volume "$verb" db',
    'docker "$a" "$b" db',
    'docker system prune "$x"',
    "docker compose $files down",
    "docker ${x}volume rm db",
    '"$docker" volume rm db',
    'args=(up); args=("$@"); docker compose "${args[@]}"',
    "read -r verb; docker volume $verb db",
    "while read -r line; do docker $line; done <x",
    'mapfile -t args; docker "${args[@]}"',
    "printf -v args %s x; docker $args",
    "echo x | xargs docker",
    "xargs -I{} docker {} db",
    "parallel docker ::: x",
    '[ "$ARGS" ] || ARGS=up; docker compose $ARGS',
    "docker compose $ARGS\nARGS=up",
    'ARGS="${ARGS:-up}"; docker compose $ARGS',
    'f() { "$@"; }',
    'f() { docker "$@"; }; f "$@"',
    'docker "${args[@]:1}"',
    "docker ${!x} y",
    'docker "${x%y}" rm db',
    "docker $(cat x)",
    'docker compose "$(cat x)" -v',
    "source <(curl x)",
    "docker compose -f x <(",
    "if docker",
    "{docker,volume,rm,db}",
    'sudo {docker,volume} "$x" db',
    "for x in $(cat y); do docker $x; done",
    'for x; do docker "$x" rm y; done',
    "docker compose '${PUT_IN_LATER}' -v",
]
# The twins: nothing that is unknown in them can remove a volume.
FINE = [
    'args=(up -d); docker compose "${args[@]}"',
    'args=(up)\nargs+=(-d)\ndocker compose "${args[@]}" "$service"',
    'docker exec "$container" "$@"',
    "docker exec $c rm -rf $x",
    'docker run --rm "$@"',
    'docker run $OPTS "$image" "$@"',
    'docker compose -f "$file" up -d',
    'docker compose --file="$file" -p "$p" down',
    'docker compose down -t "$seconds"',
    'docker rm -f "$name"',
    "docker logs $x",
    'docker inspect "${names[@]}"',
    "docker volume ls $x",
    'docker volume create "$v"',
    'docker volume inspect "$(docker volume ls -q)"',
    "docker ps -q | xargs docker rm -f",
    "docker ps | xargs -r kill",
    '"$PYTHON" -m x run',
    '"$1" --version',
    '"./$x/run" down -v',
    '"$docker" ps',
    "DOCKER=docker; $DOCKER ps",
    'for verb in ls inspect; do docker volume "$verb" x; done',
    'run() { "$@"; }\nrun docker ps',
    "alias d=docker\nd ps",
    'c() { docker compose "$@"; }\nc up',
    'ssh "$host" docker ps',
    "ssh $OPTS host uptime",
    "sh -c 'echo $x'",
    'bash "$script"',
    'command -v "$x"',
    "sh x <y",
    "echo 'docker ps' | sh",
    "bash <<'EOF'\ndocker ps\nEOF",
    "trap - EXIT",
    'trap "rm -f $x" EXIT',
    "$(which python3) -m x",
    'x="docker volume rm db"',
    "args=(volume rm db)",
    'echo "$@" docker volume rm db',
    '[ "$x" = down ]',
    "F=; docker compose down $F",
    "cat >x <<EOF\n$x docker volume rm db\nEOF",
    'docker compose "$verb"',
    "find . -exec docker cp {} x: \\;",
    "docker volume prune --filter label!=com.ledgerflow.protect",
    'docker "--context=$c" ps',
    'docker -H "$host" ps',
    "(( x = 1 ))",
    "if [[ $x == a* ]]; then echo; fi",
    "x=${y##*/}; echo $x",
    'docker compose --project-name "t$id" down',
    "docker image prune -af",
]


def verdicts(script: str, kind: str = SHELL) -> set[str]:
    return {"unknown" if finding.unknown else "loses" for finding in check_scripts(kind, script, "x")}


@pytest.mark.parametrize("script", LOSES)
def test_a_loss_is_found_however_it_is_written(script: str) -> None:
    assert "loses" in verdicts(script)


@pytest.mark.parametrize("script", UNKNOWN)
def test_what_nobody_knows_is_no_pass(script: str) -> None:
    assert verdicts(script)


@pytest.mark.parametrize("script", FINE)
def test_an_unknown_word_that_can_do_no_harm_is_fine(script: str) -> None:
    assert verdicts(script) == set()


STEP = 'on: x\njobs: {a: {steps: [{run: "%s"}]}}\n'
TASK = "- ansible.builtin.command: %s\n"


@pytest.mark.parametrize(
    ("kind", "loses", "fine"),
    [
        (MAKEFILE, "D = docker\nx:\n\t$(D) volume rm db\n", "D = docker\nx:\n\t@$(MAKE) y && $(D) ps\n"),
        (MAKEFILE, "x:\n\tdocker compose $(FLAGS)\n", "x:\n\tdocker logs $(FLAGS)\n"),
        (WORKFLOW, STEP % "docker ${{ inputs.x }}", STEP % "docker ps ${{ inputs.x }}"),
        (WORKFLOW, STEP % "docker compose '${{ inputs.x }}' -v", STEP % "echo '${{ inputs.x }}'"),
        (PLAYBOOK, TASK % '"{{ command }}"', TASK % "docker ps {{ command }}"),
        (PLAYBOOK, TASK % '{argv: [docker, "{{ verb }}", rm, x]}', TASK % '{argv: [docker, ps, "{{ verb }}"]}'),
        (PLAYBOOK, TASK % "docker volume rm x", "- debug: {msg: x}\n  loop: [{command: docker volume rm x}]\n"),
    ],
)
def test_what_another_tool_puts_in_is_unknown_too(kind: str, loses: str, fine: str) -> None:
    assert verdicts(loses, kind)
    assert verdicts(fine, kind) == set()
