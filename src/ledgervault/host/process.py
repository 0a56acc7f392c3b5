"""The only module that starts programs, always from argument lists.

Programs end with this process and their error output is kept. They are started from the main thread only: the kernel's
parent-death signal follows the *thread* that forked.
"""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from ledgervault.host import deadline
from ledgervault.model import diagnosis
from ledgervault.model.errors import CouldNot

_ERRORS_KEPT = 32 * 1024  # bytes, at each end
_PIPE_BYTES = 1 << 20  # a sixteenth of the wake-ups

PIPE = subprocess.PIPE
Child = subprocess.Popen[bytes]  # a program that lives longer than the call that started it


class Program:
    """A running program. Its standard error is a file, so that no full pipe can block it."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
        signal: str = "KILL",
        low_priority: bool = False,
    ) -> None:
        deadline.check()
        self.name = argv[0]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  - closed in `finish`
        try:
            self.process = subprocess.Popen(
                tied(argv, signal, low_priority),
                stdin=stdin,
                stdout=stdout,
                stderr=self._errors,
                env={**_environment(), **(environment or {})},
                pipesize=_PIPE_BYTES,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise CouldNot(self.name, f"cannot be started: {error}", "is this the vault's image?") from error
        deadline.enter(self.process.kill)

    @property
    def input(self) -> IO[bytes]:
        return _asked_for(self.process.stdin)

    @property
    def output(self) -> IO[bytes]:
        return _asked_for(self.process.stdout)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the program has ended. It returns at once: subprocess's own wait sleeps up to 50 ms between two
        checks."""
        if timeout is not None and self.process.poll() is None:
            descriptor = os.pidfd_open(self.process.pid)
            try:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll(timeout * 1000)
            finally:
                os.close(descriptor)
            return self.process.poll() is not None
        self.process.wait()
        return True

    def finish(self, timeout: float | None = None) -> int:
        """Returns the exit status. After `timeout` seconds it kills the program and raises CouldNot."""
        if not self.wait(timeout):
            self.kill()
            raise CouldNot(self.name, f"still running after {timeout:.0f} s, stopped", "raise limits.*_timeout_seconds")
        return int(self.process.returncode)

    def outcome(self, timeout: float) -> bytes:
        """Returns all output after the program ended. After `timeout` seconds: kills it and raises CouldNot."""
        try:
            return self.process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            self.kill()
            raise CouldNot(
                self.name, f"still running after {timeout:.0f} s, stopped", "see the load of this host"
            ) from None

    def errors(self) -> str:
        """The beginning and the end of the error output: messages quote values, which may be long."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(0)
        head = self._errors.read(_ERRORS_KEPT)
        self._errors.seek(max(len(head), size - _ERRORS_KEPT))
        return (head + self._errors.read()).decode(errors="replace")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @contextmanager
    def killed_on_error(self) -> Iterator[None]:
        """Kills the program on an error, so that a thread that reads its output ends before anyone waits for that
        thread."""
        try:
            yield
        except BaseException:
            self.kill()
            raise

    def close(self) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                with suppress(BrokenPipeError):
                    stream.close()
        self._errors.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_child(argv: Sequence[str]) -> Child:
    """Starts a program that shares our output. The caller stops it with `stop_child`."""
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL)


def stop_child(child: Child, wait_seconds: float) -> None:
    """Waits for a child that was asked to stop, and kills it if it takes longer."""
    try:
        child.wait(wait_seconds)
    except subprocess.TimeoutExpired:
        child.kill()


def work_in_batches() -> None:
    """Schedules this thread, its threads and its programs as batch work. They switch less often, take a tenth less
    time, and the stack's database goes first."""
    with suppress(OSError):  # without permission it is only slower
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def tied(argv: Sequence[str], signal: str = "KILL", low_priority: bool = False) -> list[str]:
    """The program dies with this process, even after kill -9. With `low_priority` other programs go first."""
    return ["setpriv", "--pdeathsig", signal, "--", *(["nice", "-n", "10"] if low_priority else []), *argv]


def run(argv: Sequence[str], environment: Mapping[str, str] | None = None, timeout: float = 60) -> str:
    """Returns standard output; raises CouldNot if the program fails."""
    with Program(argv, stdout=subprocess.PIPE, environment=environment) as program:
        output = program.outcome(timeout)
        if program.process.returncode != 0:
            raise CouldNot(
                program.name, diagnosis.summary(program.errors()) or f"exit status {program.process.returncode}"
            )
        return output.decode(errors="replace")


def _asked_for(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the program was not started with PIPE")
    return pipe


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | {"LC_ALL": "C.UTF-8"}
