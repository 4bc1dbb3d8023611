# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a list of dictionaries to a list of entries. All faults of a list are collected and reported at once."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Generic, TypeVar

from .errors import InvalidInput
from .fields import Parser, listed, short, shown

# An object as an entry of a module's list, or a part of a result: plain data, as in JSON.
Form = dict[str, Any]
# The options of a module, as Ansible or a stored file gives them.
Options = Mapping[str, Any]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Entry(Generic[T_co]):
    """One parsed entry: the object, and ``where`` it was declared, e.g. ``aliases[1] (192.168.168.1/24)``."""

    object: T_co
    where: str


def json_list(value: Any, called: str) -> Any:
    """Return the list of a JSON text, anything else unchanged; raises InvalidInput for a text that is not one.

    Ansible handles one long text in a fraction of the time that it takes for the same list.
    """
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput([f"{called}: neither a list nor the JSON text of one ({error})"]) from None
    if not isinstance(parsed, list):
        raise InvalidInput([f"{called}: the JSON text is not a list"])
    return parsed


class Part(Generic[T]):
    """The result of one part of an input. ``value`` raises its faults as InvalidInput, if there are any."""

    def __init__(self, parse: Callable[[], T]) -> None:
        self.faults: tuple[str, ...] = ()
        try:
            self._value = parse()
        except InvalidInput as error:
            self.faults = error.faults

    @property
    def value(self) -> T:
        """The result."""
        if self.faults:
            raise InvalidInput(self.faults)
        return self._value


class Faults:
    """Collects the faults of several parts of an input, so that all of them are reported at once."""

    def __init__(self, found: Iterable[str] = ()) -> None:
        self._found = list(found)

    def take(self, parse: Callable[[], T]) -> Part[T]:
        """Return the result of ``parse``, and note the faults that it raises as InvalidInput."""
        part = Part(parse)
        self._found.extend(part.faults)
        return part

    def refuse(self) -> None:
        """Raise InvalidInput if there are any faults."""
        if self._found:
            raise InvalidInput(self._found)


def where(list_name: str, index: int, entry: object, main_field: str) -> str:
    """Return how messages name an entry: its list and index, and its label (``name``, else its main field)."""
    label = None
    if isinstance(entry, Mapping):
        label = entry.get("name") or entry.get(main_field)
    return f"{list_name}[{index}]" + (f" ({short(label)})" if label is not None else "")


def parse_fields(
    entry: object, parsers: Mapping[str, Parser], main_field: str, required: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Run each field of one entry through its parser.

    Returns ``(values, faults)``: fields that are absent or ``None`` are absent from ``values``; a fault names its
    field unless that is the main one shown as the label already. ``name`` is a label, allowed in every entry. Each
    absent field of ``required`` is a fault.
    """
    if not isinstance(entry, Mapping):
        return {}, [f"not a dictionary but {type(entry).__name__}"]
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field, written in entry.items():
        if field not in parsers:
            if field != "name":
                faults.append(f"unknown field {shown(field)}; known are {listed(sorted(parsers), len(parsers))}")
            continue
        if written is None:
            continue
        try:
            values[field] = parsers[field](written)
        except ValueError as error:
            is_label = field == main_field and not entry.get("name")
            said = field if isinstance(written, (list, tuple, Mapping)) else f"{field} {shown(written)}"
            faults.append(str(error) if is_label else f"{said}: {error}")
    faults.extend(f"{field} is missing" for field in required if entry.get(field) is None)
    return values, faults


def without_none(**values: object) -> Form:
    """Return the fields that have a value."""
    return {name: value for name, value in values.items() if value is not None}


def parse_list(
    entries: Iterable[object] | None,
    list_name: str,
    parse: Callable[[object], T],
    main_field: str,
    key: Callable[[T], Hashable],
    describe: Callable[[T], str] = str,
    places: Sequence[str] | None = None,
) -> list[Entry[T]]:
    """Parse every entry of a list.

    Raises InvalidInput with every fault of the list: those that ``parse`` finds in each entry (it raises InvalidInput
    with bare reasons), and every pair of entries with one ``key``, both named by index, or as ``places`` says.
    """
    parsed: list[Entry[T]] = []
    faults: list[str] = []
    seen: dict[Hashable, str] = {}
    for index, entry in enumerate(entries or ()):
        place = places[index] if places else where(list_name, index, entry, main_field)
        try:
            item = parse(entry)
        except InvalidInput as error:
            faults.extend(f"{place}: {fault}" for fault in error.faults)
            continue
        earlier = seen.setdefault(key(item), place)
        if earlier is not place:
            faults.append(f"{earlier} and {place}: two entries for one {describe(item)}; keep one of them")
        parsed.append(Entry(item, place))
    if faults:
        raise InvalidInput(faults)
    return parsed


def objects(entries: Sequence[Entry[T]]) -> list[T]:
    """Return the objects of a list of entries."""
    return [entry.object for entry in entries]
