# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for a terminal of 80 columns: wrapped lines, colours, ages. Only ASCII, as a rescue console may show no more."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import TextIO

from ..fields import printable

WIDTH = 80
# SGR codes of ECMA-48.
_COLOURS = {"good": "32", "bad": "31;1", "warning": "33", "bold": "1", "dim": "2"}
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def has_colour(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether to use colours: only on a terminal that can, and not against NO_COLOR (no-color.org)."""
    given = os.environ if environment is None else environment
    return stream.isatty() and not given.get("NO_COLOR") and given.get("TERM", "dumb") != "dumb"


class Page:
    """Collects lines, none of them wider than WIDTH."""

    def __init__(self, colour: bool = False) -> None:
        self._colour = colour
        self._lines: list[str] = []

    def add(self, text: str = "", indent: int = 0, hanging: int | None = None, style: str = "") -> None:
        """Add a text, wrapped; lines after the first are indented by ``hanging``."""
        following = indent if hanging is None else hanging
        wrapped = textwrap.wrap(
            printable(text),
            WIDTH,
            initial_indent=" " * indent,
            subsequent_indent=" " * following,
            break_on_hyphens=False,
        )
        self._lines += [self.styled(line, style) for line in wrapped or [""]]

    def row(self, cells: Sequence[str], widths: Sequence[int], styles: Sequence[str] = (), indent: int = 0) -> None:
        """Add a row of a table. The last cell is wrapped below itself; a longer one before it moves the others right.

        The row is broken after a cell whose text leaves no room.
        """
        line, place = " " * indent, indent
        for number, cell in enumerate(cells[:-1]):
            width, text = widths[number], printable(cell)
            right = width < 0
            padded = text.rjust(-width) if right else text.ljust(width)
            style = styles[number] if number < len(styles) else ""
            line += padded.replace(text, self.styled(text, style), 1) if text else padded
            line += "  "
            place += abs(width) + 2
            if len(text) > abs(width):
                self._lines.append(line.rstrip())
                line = " " * place
        last = textwrap.wrap(printable(cells[-1]), max(WIDTH - place, 20), break_on_hyphens=False) or [""]
        style = styles[len(cells) - 1] if len(styles) >= len(cells) else ""
        self._lines.append((line + self.styled(last[0], style)).rstrip())
        self._lines += [" " * place + self.styled(text, style) for text in last[1:]]

    def field(self, name: str, text: str, width: int = 9, indent: int = 0, style: str = "") -> None:
        """Add a text with a name to its left."""
        self.row((name, text), (width,), (style, ""), indent)

    def styled(self, text: str, style: str) -> str:
        """Return a text in a style, where colours are used."""
        code = _COLOURS.get(style, "") if self._colour else ""
        return f"\x1b[{code}m{text}\x1b[0m" if code and text else text

    def text(self) -> str:
        """Return all lines."""
        return "\n".join(self._lines) + "\n" if self._lines else ""


def age(seconds: float) -> str:
    """Return a duration as people read it: ``12 s``, ``4 min``, ``3 h 20 min``, ``2 d 4 h``."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{int(seconds)} s"
    for place, (unit, name) in enumerate(_UNITS):
        if seconds >= unit:
            text = f"{int(seconds // unit)} {name}"
            if place + 1 < len(_UNITS):
                smaller, smaller_name = _UNITS[place + 1]
                rest = int(seconds % unit // smaller)
                text += f" {rest} {smaller_name}" if rest else ""
            return text
    return ""
