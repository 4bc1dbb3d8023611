# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask from a host of the lab, once or without a break, or by connections that stand: programs of tests/lab."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..lab import client, connections
from ..lab.lab import Lab

TIMEOUT = 2.0  # seconds; the lab answers within milliseconds, and a lost SYN is sent again after one
Answer = dict[str, Any]


def ask(
    lab: Lab, host: str, urls: Sequence[str], source: str | None = None, timeout: float = TIMEOUT
) -> dict[str, Answer]:
    """Ask each URL once from ``host``, all at the same time; return the answers by URL, none where none came."""
    command = [*_command(lab, host, urls, source, timeout), "--concurrency", str(min(len(urls), 64))]
    report = json.loads(lab.exec(host, *command, check=False).stdout)
    return {answer["url"]: answer for answer in report["answers"]}


class Load:
    """Requests without a break. ``report`` is client.py's, once the load has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.report: Answer = {}

    @property
    def failed(self) -> int:
        """The number of requests that got no answer."""
        return int(self.report["failed"])

    @property
    def answered(self) -> int:
        """The number of requests that got one."""
        return int(self.report["answered"])

    def end(self) -> None:
        """End the load and read its report."""
        output, _errors = self._process.communicate(input="", timeout=60)
        self.report = json.loads(output)


@contextlib.contextmanager
def load(
    lab: Lab, host: str, urls: Sequence[str], concurrency: int = 4, interval: float = 0.01, timeout: float = TIMEOUT
) -> Iterator[Load]:
    """Ask ``urls`` in turn for as long as the context lasts.

    Each thread pauses ``interval`` seconds after a request, and waits ``timeout`` seconds for an answer.
    """
    words = ["--concurrency", str(concurrency), "--interval", str(interval), "--until-end-of-input"]
    process = lab.popen(
        host, *_command(lab, host, urls, None, timeout), *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    requests = Load(process)
    try:
        yield requests
    finally:
        requests.end()


@contextlib.contextmanager
def connected(lab: Lab, host: str, urls: Sequence[str], timeout: float = TIMEOUT) -> Iterator[Callable[[], list[Any]]]:
    """Open ten connections to each URL; yield what uses them all and returns whom the servers see, None for nobody."""
    words = [sys.executable, str(Path(connections.__file__)), *urls, "--timeout", str(timeout)]
    with lab.popen(host, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def use() -> list[Any]:
            print(file=asked, flush=True)
            return list(json.loads(answers.readline()))

        yield use


def _command(lab: Lab, host: str, urls: Sequence[str], source: str | None, timeout: float) -> list[str]:
    # A booted machine has an interpreter of its own.
    python = lab.machines.get(host, sys.executable)
    command = [python, str(Path(client.__file__).resolve()), *urls, "--timeout", str(timeout)]
    return command if source is None else [*command, "--source", source]
