# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a list of dictionaries to a list of entries: every fault of the whole list is collected and said at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Generic, TypeVar

from .errors import InvalidInput
from .fields import Parser

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One parsed entry: the object, and ``where`` it was declared, e.g. ``aliases[1] (192.168.168.1/24)``."""

    object: T
    where: str


def where(list_name: str, index: int, entry: Any, main_field: str) -> str:
    """Return how messages name an entry: its list and index, and its label (``name``, else its main field)."""
    label = None
    if isinstance(entry, Mapping):
        label = entry.get("name") or entry.get(main_field)
    return f"{list_name}[{index}]" + (f" ({label})" if label is not None else "")


def parse_fields(
    entry: Any, parsers: Mapping[str, Parser], main_field: str, required: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Run each field of one entry through its parser.

    Returns ``(values, faults)``: fields that are absent or ``None`` are absent from ``values``; a fault names its
    field unless that is the main one shown as the label already. ``name`` is a label, legal in every entry. Of those
    ``required`` each one that is absent is a fault.
    """
    if not isinstance(entry, Mapping):
        return {}, [f"not a dictionary but {type(entry).__name__}"]
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field, written in entry.items():
        if field not in parsers:
            if field != "name":
                faults.append(f'unknown field "{field}"; known are {", ".join(sorted(parsers))}')
            continue
        if written is None:
            continue
        try:
            values[field] = parsers[field](written)
        except ValueError as error:
            shown = field == main_field and not entry.get("name")
            said = field if isinstance(written, (list, tuple, Mapping)) else f'{field} "{written}"'
            faults.append(str(error) if shown else f"{said}: {error}")
    faults.extend(f"{field} is missing" for field in required if entry.get(field) is None)
    return values, faults


def without_none(**values: Any) -> dict[str, Any]:
    """Return the fields that have a value: what an entry says."""
    return {name: value for name, value in values.items() if value is not None}


def parse_list(
    entries: Iterable[Any] | None,
    list_name: str,
    parse: Callable[[Any], T],
    main_field: str,
    key: Callable[[T], Any],
    describe: Callable[[T], str] = str,
) -> list[Entry[T]]:
    """Parse every entry of a list.

    Raises InvalidInput with every fault of the list: what ``parse`` says of each entry (it raises InvalidInput with
    bare reasons), and every pair of entries with one ``key``, both named by index.
    """
    parsed: list[Entry[T]] = []
    faults: list[str] = []
    seen: dict[Any, str] = {}
    for index, entry in enumerate(entries or ()):
        place = where(list_name, index, entry, main_field)
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


def collect(*parts: Callable[[], T]) -> list[T]:
    """Call every part and return their results; the faults of all parts that fail are raised as one InvalidInput."""
    results: list[T] = []
    faults: list[str] = []
    for part in parts:
        try:
            results.append(part())
        except InvalidInput as error:
            faults.extend(error.faults)
    if faults:
        raise InvalidInput(faults)
    return results


def objects(entries: Sequence[Entry[T]]) -> list[T]:
    """Return the objects of a list of entries."""
    return [entry.object for entry in entries]
