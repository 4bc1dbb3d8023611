# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Reading of untrusted data by tables of fields.

A reader takes a value and its place and returns what the value means, or None after it has recorded a fault.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar

from .faults import Place, shown

T = TypeVar("T")
Reader = Callable[[Any, Place], "T | None"]

LINE_NAME = re.compile(r"[a-z0-9_-]+")
# The kernel's dev_valid_name(): IFNAMSIZ of 16 includes the final zero, and no "/", ":" or white space.
INTERFACE_NAME = re.compile(r"[^\s/:%\x00]{1,15}")
DOMAIN_LABEL = r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)"
DOMAIN_NAME = re.compile(rf"(?:\*\.)?{DOMAIN_LABEL}(?:\.{DOMAIN_LABEL})*\.?", re.IGNORECASE)


@dataclass(frozen=True)
class Field:
    """One key of an entry: how its value is read, and whether it may be left out."""

    read: Reader[Any]
    required: bool = False


@dataclass(frozen=True)
class Entry:
    """An entry as far as it could be read; ``values`` lacks what was left out, ``broken`` names what is wrong."""

    place: Place
    values: Mapping[str, Any]
    broken: frozenset[str]


def read_entry(value: object, fields: Mapping[str, Field], place: Place) -> Entry:
    """Read one dictionary by its table of fields; null means left out."""
    if not isinstance(value, Mapping):
        place.fault(f"must be a dictionary, not {shown(value)}")
        return Entry(place, {}, frozenset(fields))
    for key in value:
        if key not in fields:
            place.fault(f"unknown key {shown(key)}{_suggestion(key, fields)}")
    values: dict[str, Any] = {}
    broken: set[str] = set()
    for key, field in fields.items():
        given = value.get(key)
        if given is None:
            if field.required:
                place.fault(f'"{key}" is needed')
                broken.add(key)
            continue
        before = len(place.faults)
        read = field.read(given, place.at(key))
        if len(place.faults) > before:
            broken.add(key)
        if read is not None:
            values[key] = read
    return Entry(place, values, frozenset(broken))


def read_entries(value: object, fields: Mapping[str, Field], place: Place) -> list[Entry]:
    """Read a list of dictionaries; the place of each carries its index and, where it has one, its name."""
    if value is None:
        return []
    if not _is_list(value):
        place.fault(f"must be a list, not {shown(value)}")
        return []
    entries = []
    for index, item in enumerate(value):
        where = place.item(index)
        name = item.get("name") if isinstance(item, Mapping) else None
        if isinstance(name, str):
            where = Place(f"{where.text} ({shown(name)[1:-1]})", where.faults)
        entries.append(read_entry(item, fields, where))
    return entries


def report_repeated(entries: Iterable[Entry], *keys: str) -> None:
    """Report every entry whose value of one of ``keys`` an earlier one has already."""
    seen: dict[tuple[str, object], Place] = {}
    for entry in entries:
        for key in keys:
            value = entry.values.get(key)
            if value is None:
                continue
            first = seen.setdefault((key, value), entry.place)
            if first is not entry.place:
                entry.place.fault(f"{key} {shown(value)} is taken by {first.text}")


def list_of(read: Reader[T], *, least: int = 0, single: bool = False) -> Reader[tuple[T, ...]]:
    """A reader of lists: what could be read, in order; ``single`` takes a bare string for a list of one."""

    def read_list(value: object, place: Place) -> tuple[T, ...] | None:
        if single and isinstance(value, str):
            value = [value]
        if not _is_list(value):
            place.fault(f"must be a list, not {shown(value)}")
            return None
        if len(value) < least:
            place.fault(f"needs at least {least} {'entry' if least == 1 else 'entries'}")
        found = (read(item, place.item(index)) for index, item in enumerate(value))
        return tuple(item for item in found if item is not None)

    return read_list


AUTO = "auto"


class Auto(tuple[Any, ...]):
    """What only the host knows, at the time of a run: for the declaration, nothing yet."""

    __slots__ = ()


def or_auto(read: Reader[tuple[Any, ...]]) -> Reader[tuple[Any, ...]]:
    """A reader of what ``read`` takes, or of the word auto."""

    def read_or_auto(value: object, place: Place) -> tuple[Any, ...] | None:
        return Auto() if value in (AUTO, [AUTO]) else read(value, place)

    return read_or_auto


def integer(least: int, most: int) -> Reader[int]:
    """A reader of whole numbers from ``least`` to ``most``."""

    def read_integer(value: object, place: Place) -> int | None:
        # In Python a bool is an int; "id: yes" is a slip all the same.
        if isinstance(value, bool) or not isinstance(value, int):
            place.fault(f"must be a whole number, not {shown(value)}")
            return None
        if not least <= value <= most:
            place.fault(f"{shown(value)} is not from {least} to {most}")
            return None
        return value

    return read_integer


def choice(*allowed: str) -> Reader[str]:
    """A reader of one of a few words."""

    def read_choice(value: object, place: Place) -> str | None:
        if not isinstance(value, str) or value not in allowed:
            place.fault(f"{shown(value)} is not one of {', '.join(allowed)}")
            return None
        return value

    return read_choice


def read_flag(value: object, place: Place) -> bool | None:
    """True or false."""
    if not isinstance(value, bool):
        place.fault(f"must be true or false, not {shown(value)}")
        return None
    return value


def read_text(value: object, place: Place) -> str | None:
    """A string that is not empty: a host name of the inventory, or a label."""
    if not isinstance(value, str):
        place.fault(f"must be a string, not {shown(value)}")
        return None
    if not value or value != value.strip() or not value.isprintable():
        place.fault(f"{shown(value)} is empty, begins or ends with a space, or cannot be printed")
        return None
    return value


def _matching(pattern: re.Pattern[str], meaning: str) -> Reader[str]:
    def read_matching(value: object, place: Place) -> str | None:
        if not isinstance(value, str):
            place.fault(f"must be a string, not {shown(value)}")
            return None
        if not pattern.fullmatch(value) or value in (".", ".."):
            place.fault(f"{shown(value)} is not {meaning}")
            return None
        return value

    return read_matching


read_line_name = _matching(LINE_NAME, "a name of the characters a-z, 0-9, _ and -")
read_interface = _matching(INTERFACE_NAME, 'an interface name (1 to 15 characters; no space, "/", ":", "%")')
read_domain = _matching(DOMAIN_NAME, "a DNS name")


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _suggestion(key: object, fields: Mapping[str, Field]) -> str:
    close = difflib.get_close_matches(key, fields, n=1) if isinstance(key, str) else []
    return f', did you mean "{close[0]}"?' if close else f" (known: {', '.join(fields)})"
