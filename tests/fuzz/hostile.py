# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that make a good input a hostile one: of values in nested data, and of text."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 254, 255, 256, 65535, 65536, 2**31, 2**32, 2**64, 10**30, 0.5,
    float("nan"), float("inf"),
    "", " ", "-", "*", "+", "0", "01", "-7", "1e3", "yes", "null", "{{ x }}", "$(id)", "`id`", "; flush ruleset",
    '"', "'", "\\", "\n", "a\nb", "\x00", "\x1b[31m", "\u202ealias", "\ud800", "é" * 8, "x" * 200, "y" * 100_000,
    "eth0", "eth%0", "wan+", "br\x01", "lo", "a" * 16, "main", "local", "default",
    "0.0.0.0", "0.0.0.0/0", "::/0", "::", "::1.2.3.4", "::ffff:1.2.3.4", "fe80::1", "fe80::1%eth0", "192.0.2.1/33",
    "192.0.2.0/255.255.255.0", "192.168.168.300/24", "224.0.0.1", "ff02::1", "127.0.0.1", "1.2.3", "01.2.3.4",
    "80", "0/tcp", "80/tcp", "6000-5000", "1-65535/tcp", "65535", "80,443", "٣/tcp", "any", "gre",
    "0x1/0xff", "0xff00000000/0xff", "autp", "auta", "auto", [], {}, [[]], [None], [{}], {"": ""},
)  # fmt: skip

_INSERTED = ("[", "{", '"', "\\", "\x00", "\u202e", "-1", "NaN", "1e999", ",", "\n")


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Yield the place of everything in nested data."""
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*here, key))


def changed(value: Any, draw: random.Random) -> Any:
    """Return a copy of nested data with one to four changes at random places."""
    result = copy.deepcopy(value)
    for _time in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        places = list(paths(result))
        result = _change(result, draw.choice(places), places, draw)
    return result


def _change(root: Any, path: Path, places: list[Path], draw: random.Random) -> Any:
    if not path:
        return draw.choice(VALUES) if draw.random() < 0.05 else root
    holder = _at(root, path[:-1])
    kind = draw.choice(("value", "value", "value", "remove", "twice", "from elsewhere", "key", "nest"))
    if kind == "value":
        holder[path[-1]] = copy.deepcopy(draw.choice(VALUES))
    elif kind == "remove":
        del holder[path[-1]]
    elif kind == "twice" and isinstance(holder, list):
        holder.insert(path[-1], copy.deepcopy(holder[path[-1]]))
    elif kind == "from elsewhere":
        holder[path[-1]] = copy.deepcopy(_at(root, draw.choice(places)))
    elif kind == "key" and isinstance(holder, dict):
        holder[draw.choice(("", "name", "address", "x" * 300, "\u202e", "purge"))] = holder.pop(path[-1])
    elif kind == "nest":
        for _time in range(draw.choice((1, 3, 60))):
            holder[path[-1]] = [holder[path[-1]]]
    return root


def _at(root: Any, path: Path) -> Any:
    for key in path:
        root = root[key]
    return root


def changed_text(text: str, draw: random.Random) -> str:
    """Return a text with one to four changes: cut, doubled, overwritten, or something else altogether."""
    for _time in range(draw.choice((1, 1, 2, 3, 4))):
        text = _change_text(text, draw)
    return text


def _change_text(text: str, draw: random.Random) -> str:
    begin, end = sorted(draw.randrange(len(text) + 1) for _time in range(2))
    kind = draw.randrange(6)
    if kind == 0:
        return text[:begin]
    if kind == 1:
        return text[:begin] + text[end:]
    if kind == 2:
        return text[:end] + text[begin:end][:2000] + text[end:]
    if kind == 3:
        return (
            text[:begin]
            + draw.choice(("[", "{", '"', "\\", "\x00", "\u202e", "-1", "NaN", "1e999", ",", "\n"))
            + text[begin:]
        )
    if kind == 4:
        words = text.split(" ")
        at = draw.randrange(len(words))
        words[at] = str(draw.choice(VALUES))[:1000]
        return " ".join(words)
    return draw.choice(("", "[" * 100_000, '{"a":' * 50_000, "null", "0", "[]", "{}", '"x"', "\x00", "{" + text))
