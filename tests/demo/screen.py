# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demonstration looks like: steps with their times, in 80 columns, in colour where there is a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

WIDTH = 80
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_ERASE_LINE = "\r\x1b[2K"


class Screen:
    """Prints lines; on a terminal it also shows what is going on at the moment, in a line that goes again.

    NO_COLOR (https://no-color.org) and TERM=dumb turn colours off.
    """

    def __init__(self, out: TextIO | None = None, variables: Mapping[str, str] | None = None) -> None:
        variables = os.environ if variables is None else variables
        self._out = out or sys.stdout
        self._terminal = self._out.isatty() and variables.get("TERM") != "dumb"
        self._colour = self._terminal and not variables.get("NO_COLOR")
        self._steps = 0
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """The seconds since the beginning."""
        return time.monotonic() - self._started

    def painted(self, text: str, *styles: str) -> str:
        """Return ``text`` in a colour, or as it is."""
        if not self._colour:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def say(self, text: str = "", *styles: str) -> None:
        """Print a line, cut to the width of the screen."""
        if self._terminal:
            self._out.write(_ERASE_LINE)
        text = text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
        self._out.write((self.painted(text, *styles) if styles and text else text) + "\n")
        self._out.flush()

    def good(self, text: str) -> None:
        """Print something that is as it should be."""
        self.say(f"   ✓ {text}")

    def bad(self, text: str) -> None:
        """Print something that is not, all of it."""
        first, *others = textwrap.wrap(text, WIDTH - 5) or [""]
        self.say(f"   ✗ {first}", "red")
        for line in others:
            self.say(f"     {line}", "red")

    def rows(self, rows: Sequence[str]) -> None:
        """Print the rows of a matrix."""
        for row in rows:
            self.say(f"     {row}", *(["red"] if "✗" in row else []))

    def busy(self, text: str) -> None:
        """Show what is going on, until the next line is printed."""
        if self._terminal:
            shown = text if len(text) <= WIDTH - 6 else text[: WIDTH - 7] + "…"
            self._out.write(f"{_ERASE_LINE}   {self.painted(f'… {shown}', 'dim')}")
            self._out.flush()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a headline, and the time that the step took when it is over."""
        self._steps += 1
        self.say()
        self.say(f"{self._steps:2} {title} {'─' * (WIDTH - len(title) - 4)}", "bold")
        begin = time.monotonic()
        yield
        self.say(f"{time.monotonic() - begin:.1f} s".rjust(WIDTH), "dim")
