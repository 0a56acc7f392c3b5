"""`ledger_docker`: docker's command line with an early, friendly refusal.

A module of its own because it owns the terminal, the program that is started and the exit code. Arguments go on as
they are, and docker takes this process's place, so terminal, signals and exit code are docker's own; 77 is a refusal of
ours. It is not the protection: whoever calls docker itself, or the engine, meets the engine's guard.

    ledger_docker compose down -v

LEDGER_ENV names the environment of this shell. LEDGER_DOCKER_LOG is where the log goes instead of its usual place.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ledger_docker.arguments import Command, read_command

REFUSED, NO_DOCKER, INTERRUPTED = 77, 127, 130
TERMINAL = "/dev/tty"


def main(argv: Sequence[str] | None = None) -> int:
    """Becomes docker; comes back only with a refusal (77), without a docker (127) or interrupted (130)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    docker = find_docker(os.environ.get("PATH", ""), Path(sys.argv[0]))
    if docker is None:
        return _report(["docker: not found on the PATH", "HINT: make deploy installs it"], NO_DOCKER)
    command = read_command(arguments)
    try:
        stop = _judge_first(command, arguments, docker) if command is not None else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    return stop or become(docker, arguments)


def program() -> None:
    """For a zipapp, whose generated start takes no notice of what `main` returns."""
    sys.exit(main())


def find_docker(path: str, program: Path) -> str | None:
    """The first docker on the PATH that is not this program under docker's name."""
    for folder in path.split(os.pathsep):
        candidate = Path(folder or ".") / "docker"
        if candidate.is_file() and os.access(candidate, os.X_OK) and not _is_same_file(candidate, program):
            return str(candidate)
    return None


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def become(docker: str, arguments: Sequence[str]) -> int:
    """Lets docker take this process's place; comes back only where that fails."""
    # Python ignores these two, and an ignored signal stays so in the program that follows.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(docker, [docker, *arguments])  # noqa: S606 that is the point
    except OSError as error:
        return _report([f"{docker}: {error.strerror}", "HINT: command -v docker"], NO_DOCKER)


def _judge_first(command: Command, arguments: Sequence[str], docker: str) -> int:
    """Judges a command that could do harm, and logs it; 0 where docker may go on."""
    # Loaded only here: `ps`, `exec` and the like, which most calls are, then cost 20 ms instead of 50.
    from ledger_docker import inspection, judgement, log

    declared, notes = {}, []
    try:
        declared = inspection.read_declarations(inspection.DECLARATIONS)
    except ValueError as error:
        notes.append(f"{error}; only labels are looked at\nHINT: ledgerguard check")
    inspection_result = inspection.Inspector(docker, declared, _copy_stdin(command)).look(command)
    verdict = judgement.judge(command, inspection_result, os.environ.get("LEDGER_ENV", "").strip())
    refusal, answer = verdict.text if verdict.what == judgement.REFUSE else "", ""
    if verdict.what == judgement.ASK:
        answer, refusal = ask(verdict.text, verdict.word)
    facts = {
        "command": command.name,
        "verdict": "refused" if refusal else "allowed",
        "volumes": verdict.volumes,
        "asked": verdict.word,
        "answer": answer,
    }
    place = log.place(os.environ, os.getuid())
    if trouble := log.write(place, log.entry(arguments, os.environ, **facts)):
        notes.append(f"not logged: {trouble}")
    return _report([*notes, refusal], REFUSED if refusal else 0)


def _copy_stdin(command: Command) -> bytes | None:
    """A compose file that comes by `-f -` is read once and laid ready again for docker."""
    if command.path[0] != "compose" or "-" not in command.values("file"):
        return None
    import tempfile

    text = sys.stdin.buffer.read()
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.seek(0)
        os.dup2(file.fileno(), 0)
    return text


def _open_without_session(path: str, flags: int) -> int:
    """Opened without becoming ours: a session's leader would be hung up with it."""
    return os.open(path, flags | os.O_NOCTTY)


def ask(question: str, word: str) -> tuple[str, str]:
    """(what was typed, the refusal or nothing). Asks the terminal itself: a pipe's `yes` is no person."""
    from ledger_docker.judgement import plain  # loaded already where something is asked

    command_name, _, problem = question.partition(": ")
    shown_word = plain(word)
    try:
        with open(TERMINAL, "r+b", buffering=0, opener=_open_without_session) as terminal:
            terminal.write(f"ledger_docker: {question}\nType {shown_word} to go on: ".encode())
            typed = _line(terminal.read)
    except OSError:
        return (
            "",
            f"{command_name}: {problem}; there is no terminal to confirm it on\n"
            f"HINT: run it in a terminal and type {shown_word}",
        )
    if typed == word:
        return typed, ""
    mistake = f"{typed[:80]!r} was typed, not {shown_word}; nothing was done"
    return typed[:80], f"{command_name}: {mistake}\nHINT: run it again and type {shown_word}"


def _line(read: Callable[[int], bytes | None]) -> str:
    """One line, letter by letter: what follows belongs to docker."""
    letters = bytearray()
    while (letter := read(1)) and letter != b"\n":
        letters += letter
    return letters.decode(errors="replace").strip()


def _report(messages: Sequence[str], code: int) -> int:
    for line in "\n".join(messages).splitlines():
        print(line if line.startswith("HINT: ") else f"ledger_docker: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    program()
