# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the host, run to their end or to a limit of time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

from ..errors import StepFailed

# Seconds. The largest ruleset that was measured takes 12 s to load.
TIMEOUT = 60.0
# After a program hung, it is not started again for so many times its limit: neither undo nor the next step wait again.
_REST = 1.0
_limits = [TIMEOUT]
_hung: dict[str, float] = {}
# The answers in the contexts of remembered().
_answers: list[dict[tuple[str, ...], tuple[int, str, str]]] = []


class ProgramHangs(StepFailed):
    """A program did not end in time, and was killed; one that changes the host may have done a part of its work."""

    def __init__(self, path: str, arguments: Sequence[str], timeout: float) -> None:
        self.path = path
        super().__init__(
            " ".join([path, *arguments]),
            f"did not end within {timeout:g} s and was killed; run it by hand to see what blocks it (a lock, a name "
            "server, a broken program), repair that, then run again",
        )


@contextlib.contextmanager
def limited(timeout: float) -> Iterator[None]:
    """Give the programs run in this context so many seconds each; a service cannot wait as long as a module."""
    _limits.append(timeout)
    try:
        yield
    finally:
        _limits.pop()


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Run each program without input only once for equal arguments, in a context in which nothing is changed."""
    _answers.append({})
    try:
        yield
    finally:
        _answers.pop()


def run(
    path: str, arguments: Sequence[str], text: str | None = None, errors: str = "replace", timeout: float | None = None
) -> tuple[int, str, str]:
    """Return exit status, output and errors of a program; ``text`` is its standard input, empty when None.

    ``errors`` says how to decode bytes that are not UTF-8. Raises OSError when the program cannot be started,
    ProgramHangs when it does not end in time.
    """
    limit = _limits[-1] if timeout is None else timeout
    known = _answers[-1] if _answers and text is None else {}
    question = (path, *arguments, errors)
    if question not in known:
        known[question] = _run(path, arguments, text, errors, limit)
    return known[question]


def _run(path: str, arguments: Sequence[str], text: str | None, errors: str, limit: float) -> tuple[int, str, str]:
    if time.monotonic() < _hung.get(path, 0.0):
        raise ProgramHangs(path, arguments, limit)
    # _core knows no Ansible, and so no run_command.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with  # its end waits for ever
        [path, *arguments],
        stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors=errors,
        # Messages are recognised by their text.
        env=dict(os.environ, LC_ALL="C"),
        # A group of its own: the children of a script that hangs hold its output open, and are killed with it.
        start_new_session=True,
    )
    try:
        output, complaints = process.communicate(text, limit)
    except subprocess.TimeoutExpired:
        _hung[path] = time.monotonic() + _REST * limit
        _kill(process)
        raise ProgramHangs(path, arguments, limit) from None
    except BaseException:
        _kill(process)
        raise
    return process.returncode, output, complaints


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a program and its children, and do not wait long for their end: the kernel itself may be what blocks."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
