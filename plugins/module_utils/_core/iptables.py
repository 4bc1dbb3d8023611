# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs iptables-save and iptables-restore of one family: one dump in, one file of tables out.

Only chains that are named are ever declared, flushed or deleted; ``--noflush`` leaves all others as they are.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from typing import Optional

from . import requirements
from .errors import ApplyFailed, Unsupported

# Program, arguments and standard input to (exit status, output, errors).
Runner = Callable[[str, Sequence[str], Optional[str]], tuple[int, str, str]]
# Table -> chain -> its rules, each as the words after "-A CHAIN".
Dump = dict[str, dict[str, list[list[str]]]]
# Seconds to wait for another program that holds iptables' lock.
_WAIT = "10"


def _run(program: str, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
    path = requirements.tool(program)
    if path is None:
        raise Unsupported(program, "1.8 or newer", remedy="install the package iptables")
    done = subprocess.run(
        [path, *arguments],
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=dict(os.environ, LC_ALL="C"),
    )
    return done.returncode, done.stdout, done.stderr


class Iptables:
    """The packet filter of one family. ``runner`` takes the programs' place in tests."""

    def __init__(self, family: int, runner: Runner = _run) -> None:
        self.family = family
        self.name = {4: "iptables", 6: "ip6tables"}[family]
        self._run = runner

    def read(self) -> Dump:
        """Return all tables; raises Unsupported when the program is missing or may not read."""
        status, output, errors = self._run(f"{self.name}-save", (), None)
        if status:
            raise Unsupported(
                f"{self.name}-save", "root and a kernel with iptables", errors.strip() or f"exit {status}"
            )
        return parse(output)

    def apply(self, text: str) -> None:
        """Carry out a file of tables, each of them whole or not at all; raises ApplyFailed with what is said of it."""
        status, _output, errors = self._run(f"{self.name}-restore", ("--noflush", "--wait", _WAIT), text)
        if status:
            raise ApplyFailed(f"{self.name}-restore", _fault(errors, text) or f"exit status {status}")


def parse(output: str) -> Dump:
    """Return what iptables-save printed."""
    dump: Dump = {}
    table: dict[str, list[list[str]]] = {}
    for line in output.splitlines():
        if line.startswith("*"):
            table = dump.setdefault(line[1:], {})
        elif line.startswith(":"):
            table.setdefault(line[1:].split()[0], [])
        elif line.startswith("-A "):
            _add, chain, *words = shlex.split(line)
            table.setdefault(chain, []).append(words)
    return dump


def quoted(words: Sequence[str]) -> str:
    """Return the words of a rule as iptables-restore reads them."""
    return " ".join(f'"{word}"' if re.search(r"[^A-Za-z0-9_.:/!=,+-]", word) else word for word in words)


def option(words: Sequence[str], name: str) -> str | None:
    """Return the value of an option of a rule."""
    return words[words.index(name) + 1] if name in words[:-1] else None


def _fault(errors: str, text: str) -> str:
    """Return what iptables-restore says, with the line that it means."""
    said = " ".join(errors.split())
    number = re.search(r"line:? (\d+)", errors)
    lines = text.splitlines()
    if number and 0 < int(number[1]) <= len(lines):
        said += f": {lines[int(number[1]) - 1]}"
    return said[:300]
