# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program multihome: its arguments, its exit status, and its errors."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

from ..errors import MultihomeError
from . import status
from .host_state import read_host_state, require_root
from .terminal import Page, has_colour

_EPILOG = (
    "Exit status of status: 0 in order, 1 warning, 2 critical, 3 unknown. More: docs/command.md of the collection."
)
_CLEAR = "\x1b[H\x1b[2J"
# After an error: as monitoring reads it, nothing is known.
FAILED = 3


class _Parser(argparse.ArgumentParser):
    """Says the remedy, and ends as status does when nothing is known."""

    def error(self, message: str) -> NoReturn:
        """Print the fault and end."""
        self.exit(FAILED, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    os.environ.setdefault("COLUMNS", "80")
    top = _Parser(
        prog="multihome",
        description="Show and explain the state of this multihomed host, and take lines out of service.",
        epilog=_EPILOG,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    shown = commands.add_parser("status", help="lines, and everything that is not in order", epilog=_EPILOG)
    shown.add_argument("--watch", nargs="?", type=_seconds, const=2.0, metavar="SECONDS", help="repeat until Ctrl-C")
    shown.set_defaults(run=_status)
    for each in (shown,):
        each.add_argument("--json", action="store_true", help="for programs")
    return top


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.2 <= value <= 3600:
        raise ValueError(text)
    return value


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Run the command; return the exit status."""
    out = out or sys.stdout
    options = parser().parse_args(arguments)
    try:
        require_root()
        return int(options.run(options, out))
    except (MultihomeError, OSError) as error:
        text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        sys.stderr.write("".join(f"multihome: {line}\n" for line in text.splitlines()))
        return FAILED
    except KeyboardInterrupt:
        return 130


def _write(out: TextIO, text: str) -> None:
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        # The reader has ended; Python must not complain about it when it ends itself.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def write_json(out: TextIO, content: Any) -> None:
    """Write an object for programs."""
    _write(out, json.dumps(content, indent=1) + "\n")


def _status(options: argparse.Namespace, out: TextIO) -> int:
    while True:
        state = read_host_state()
        if options.json:
            write_json(out, status.as_json(state))
        else:
            page = Page(has_colour(out))
            status.render(state, page, datetime.datetime.now(datetime.timezone.utc))
            _write(out, (_CLEAR if options.watch and out.isatty() else "") + page.text())
        if not options.watch:
            return status.EXIT[status.level(status.problems(state))]
        time.sleep(options.watch)


if __name__ == "__main__":
    sys.exit(main())
