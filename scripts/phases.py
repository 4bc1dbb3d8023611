# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run phases of checks: each to its end whatever the others did, timed, with one summary at the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO
from xml.etree import ElementTree

# Seconds that an interrupted command has to clean up before it is told more firmly, and then killed.
PATIENCE = 60
# Failures in more files than this have a cause that another attempt does not remove.
FILES_AGAIN = 3


@dataclass(frozen=True)
class Phase:
    """One step of `make test`: its commands run in turn, all of them, and all have to succeed.

    A command that runs pytest writes its counts to ``report`` (JUnit's XML) and keeps its cache in ``cache``. The tests
    that failed in a phase with ``again`` run a second time by that command, alone, after all phases.
    """

    name: str
    commands: Sequence[Sequence[str]]
    report: Path | None = None
    cache: Path | None = None
    again: Sequence[str] = ()


@dataclass
class Result:
    """How a phase went: the commands that failed, the seconds it took, what pytest counted and why it skipped.

    ``second`` are the tests that failed beside other phases and passed alone.
    """

    phase: Phase
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    skips: dict[str, int] = field(default_factory=dict)
    second: list[str] = field(default_factory=list)


class Runner:
    """Runs phases in one environment, from one directory; knows the processes it has started."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self._environment = environment
        self._directory = directory
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopping = False
        """True once the run was interrupted: what had not begun by then is left out."""

    def run(self, phases: Sequence[Phase], at_once: int = 1) -> list[Result]:
        """Run phases in their order, ``at_once`` at a time: where one ends the next begins.

        One at a time is shown as it goes; of several each is shown whole at its end. What had not begun when the run
        was interrupted is left out.
        """
        show: Callable[[Phase], Result] = self._show if min(at_once, len(phases)) == 1 else self._collect
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with ThreadPoolExecutor(at_once) as pool:
                results = pool.map(lambda phase: None if self.stopping else show(phase), phases)
            done = [result for result in results if result]
            for result in done:
                self._second_attempt(result)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return done

    def _second_attempt(self, result: Result) -> None:
        """Run alone the few tests of a phase that failed: packets that others delayed are no fault of the project.

        A test that fails twice has failed, and the summary names each that needed a second attempt.
        """
        tests = read_failures(result.phase)
        if not result.failed or self.stopping or not 0 < len({test.split("::")[0] for test in tests}) <= FILES_AGAIN:
            return
        _print(f"\n=== {result.phase.name}, the second attempt of {len(tests)}", None)
        started = time.monotonic()
        if not self._command(result.phase.again, None):
            result.failed, result.second = [], tests
            result.counts["passed"] += result.counts["failed"]
            result.counts["failed"] = 0
        result.seconds += time.monotonic() - started

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """Have what runs clean up and start nothing more: pytest takes its lab down on SIGINT, not on SIGTERM."""
        self.stopping = True
        for process in list(self._running):
            _signal(process, signal.SIGINT)

    def _collect(self, phase: Phase) -> Result:
        """Run a phase with its output held back, then print it in one piece."""
        _print(f"=== {phase.name} begins", None)
        with tempfile.TemporaryFile() as output:
            result = self._show(phase, output)
            output.seek(0)
            # Binary and in one write, so that phases that end together do not mix.
            sys.stdout.buffer.write(output.read())
            sys.stdout.buffer.flush()
        return result

    def _show(self, phase: Phase, output: IO[bytes] | None = None) -> Result:
        result = Result(phase)
        started = time.monotonic()
        if phase.report:
            phase.report.unlink(missing_ok=True)
        _print(f"\n=== {phase.name} {'=' * (80 - len(phase.name))}", output)
        for command in phase.commands:
            _print(f"--- {' '.join(command)}", output)
            status = self._command(command, output)
            if status:
                _print(f"--- failed with exit status {status}: {' '.join(command)}", output)
                result.failed.append(" ".join(command))
        result.seconds = time.monotonic() - started
        if phase.report:
            result.counts = read_counts(phase.report)
            result.skips = read_skips(phase.report)
        return result

    def _command(self, command: Sequence[str], output: IO[bytes] | None) -> int:
        """Run one command in a session of its own, so that a Ctrl-C reaches it once, from here."""
        if self.stopping:
            return 128 + signal.SIGINT
        process = subprocess.Popen(
            command,
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )
        self._running.add(process)
        self._pass_on(process)
        try:
            return self._wait(process)
        finally:
            self._running.discard(process)

    def _pass_on(self, process: subprocess.Popen[bytes]) -> None:
        """Interrupt a command that was being started when the interruption reached the others."""
        if self.stopping:
            _signal(process, signal.SIGINT)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        while not self.stopping:
            try:
                return process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                return process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                _signal(process, number)
        return process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a command and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _print(line: str, output: IO[bytes] | None) -> None:
    stream = output or sys.stdout.buffer
    stream.write(f"{line}\n".encode())
    stream.flush()


def read_counts(report: Path) -> dict[str, int]:
    """What pytest counted, from its JUnit report; empty when it did not get so far as to write one."""
    if not report.exists():
        return {}
    counts = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for suite in ElementTree.parse(report).iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts["failed"] += failed
        counts["skipped"] += skipped
        counts["passed"] += int(suite.get("tests", 0)) - failed - skipped
    return counts


def read_skips(report: Path) -> dict[str, int]:
    """Why tests were skipped, and how many for each reason, from the same report."""
    if not report.exists():
        return {}
    return dict(Counter(skip.get("message", "") for skip in ElementTree.parse(report).iter("skipped")))


def read_failures(phase: Phase) -> list[str]:
    """The tests that failed in a phase which has a second attempt, by pytest's own cache; empty for other phases."""
    if not phase.again or not phase.cache:
        return []
    path = phase.cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(path.read_text("utf-8"))) if path.exists() else []


def summary(results: Sequence[Result]) -> str:
    """A table with a line for each phase, and a last line with the counts of all tests."""
    width = max(len(result.phase.name) for result in results)
    lines = [f"=== summary {'=' * 73}"]
    total = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for result in results:
        counts = ", ".join(f"{number} {kind}" for kind, number in result.counts.items() if number)
        for kind, number in result.counts.items():
            total[kind] += number
        verdict = "FAILED" if result.failed else "ok"
        lines.append(f"{result.phase.name:{width}}  {verdict:6}  {result.seconds:6.1f} s  {counts}".rstrip())
        lines += [f"{'':{width}}    {command}" for command in result.failed]
        lines += [f"{'':{width}}    passed only alone, at the second attempt: {test}" for test in result.second]
        lines += [f"{'':{width}}    {count} skipped: {reason}" for reason, count in result.skips.items()]
    failed = sum(bool(result.failed) for result in results)
    tests = ", ".join(f"{number} {kind}" for kind, number in total.items())
    lines.append(f"{len(results) - failed} of {len(results)} phases ok; tests: {tests}")
    return "\n".join(lines)
