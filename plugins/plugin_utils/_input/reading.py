# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Reading of untrusted data by tables of fields.

A reader takes a value and its place and returns what the value means, or None after it has recorded a fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar

from ...module_utils._core import fields as parsers
from ...module_utils._core.dns.names import domain_name
from ...module_utils._core.fields import Parser, short, shown
from .faults import Place

T = TypeVar("T")
Reader = Callable[[Any, Place], "T | None"]

LONGEST_COMMENT = 128


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
            where = Place(f"{where.text} ({short(name)})", where.faults)
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
                label = shown(value) if isinstance(value, str) else value
                entry.place.fault(f"{key} {label} is taken by {first.text}")


def report_twice(place: Place, key: str, values: Iterable[object]) -> None:
    """Report each of the values of ``key`` that is listed twice."""
    seen = set()
    for value in values:
        if value in seen:
            place.fault(f"{key}: {value} is listed twice")
        seen.add(value)


def list_of(read: Reader[T], *, least: int = 0, distinct: bool = False) -> Reader[tuple[T, ...]]:
    """A reader of lists: the values that could be read, in order.

    A bare string is a list of one, as Ansible itself takes it; ``distinct`` refuses values that are the same.
    """

    def read_list(value: object, place: Place) -> tuple[T, ...] | None:
        if isinstance(value, str):
            value = [value]
        if not _is_list(value):
            place.fault(f"must be a list, not {shown(value)}")
            return None
        if len(value) < least:
            place.fault(f"needs at least {least} {'entry' if least == 1 else 'entries'}")
        found: list[T] = []
        seen: set[T] = set()
        for index, item in enumerate(value):
            parsed = read(item, place.item(index))
            if parsed is None:
                continue
            if distinct and parsed in seen:
                place.item(index).fault(f"{shown(item)} is listed twice")
            elif distinct:
                seen.add(parsed)
            found.append(parsed)
        return tuple(found)

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


def texts_or_auto(items: Iterable[object]) -> list[str]:
    """Values as texts, or the word alone for what only the host knows."""
    return [AUTO] if isinstance(items, Auto) else [str(item) for item in items]


def reader_of(parse: Parser) -> Reader[Any]:
    """A reader of the values that a parser of the modules accepts, with the parser's words for faults."""

    def read(value: object, place: Place) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            place.fault(f"{shown(value)}: {error}")
            return None

    return read


def integer(least: int, most: int) -> Reader[int]:
    """A reader of whole numbers from ``least`` to ``most``."""
    return reader_of(parsers.integer(least, most))


def choice(*allowed: str) -> Reader[str]:
    """A reader of one of a few words."""
    return reader_of(parsers.choice(*allowed))


def _domain(value: object) -> str:
    domain_name(value)
    return str(value)


read_segment_size = reader_of(parsers.segment_size)
# A bare host name of the inventory, or a label.
read_text = reader_of(parsers.label())
# The name of a service is kept in the packet filter as a comment (nat/model.py).
read_service_name = reader_of(parsers.label(LONGEST_COMMENT, '"'))
read_flag = reader_of(parsers.boolean)
read_line_name = reader_of(parsers.line_name)
read_interface = reader_of(parsers.filtered_interface)
read_domain = reader_of(_domain)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _suggestion(key: object, fields: Mapping[str, Field]) -> str:
    close = difflib.get_close_matches(key, fields, n=1) if isinstance(key, str) else []
    return f', did you mean "{close[0]}"?' if close else f" (known: {', '.join(fields)})"
