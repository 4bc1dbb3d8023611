# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of iptables-save, and of the text for iptables-restore: quotation marks, and names of interfaces."""

from __future__ import annotations

import re

from ..fields import shown

# A word in quotation marks, where a backslash escapes the next character; or anything up to a space.
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')

_ESCAPED = re.compile(r"\\(.)")

# A trailing plus is a wildcard, and iptables-save prints names without quotation marks.
_INTERFACE = re.compile(r"[A-Za-z0-9._@~-]+")


def interface_faults(**names: str | None) -> list[str]:
    """Return a fault for each field with an interface name that iptables cannot match."""
    return [
        f"{field} {shown(name)}: iptables cannot match an interface of this name; letters, digits and ._@~- are allowed"
        for field, name in names.items()
        if name and not _INTERFACE.fullmatch(name)
    ]


def split(line: str) -> list[str]:
    """Return the words of a line of iptables-save, without their quotation marks."""
    return [
        _ESCAPED.sub(r"\1", quoted) if quoted is not None else bare
        for quoted, bare in ((match[1], match[2]) for match in _WORD.finditer(line))
    ]


def quoted(text: str) -> str:
    """Return a text as one word."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
