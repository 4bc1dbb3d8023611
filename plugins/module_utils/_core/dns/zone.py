# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a zone is published: its primary server, its key, and where updates leave from. Parsing, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable, TypeVar

from ..entries import Entry, Faults, Form, Options, parse_fields, where
from ..errors import InvalidInput
from ..fields import choice, host, integer, label, line_name, mark, shown, unicast
from ..reference_texts import parse_reference
from .effective import DROP, KEEP
from .keys import Key
from .model import RecordSet, parse_record
from .names import is_in, zone_name
from .transport import PORT, Source

T = TypeVar("T")
# A label of the lease's text, which white space ends.
_LONGEST_PUBLISHER = 63


@dataclass(frozen=True)
class Zone:
    """A zone, and the sets in it that this host publishes; ``publisher`` is empty where it is the only one."""

    name: str
    servers: tuple[str, ...]
    port: int = PORT
    key: Key | None = None
    sources: tuple[Source, ...] = (Source(),)
    empty_family: str = KEEP
    publisher: str = ""

    def as_settings(self) -> Form:
        """Return the settings as they are stored: the key without its secret."""
        return {
            "zone": self.name,
            "servers": list(self.servers),
            "port": self.port,
            **(self.key or Key("")).as_stored(),
            "sources": [_source_form(source) for source in self.sources if source != Source()],
            "empty_family": self.empty_family,
            "publisher": self.publisher,
        }

    def with_secret(self, key: Key | None) -> Zone:
        """Return the zone with the key as its file has it."""
        return replace(self, key=key)


def parse(options: Options) -> tuple[Zone, list[Entry[RecordSet]]]:
    """Return the zone of a module's options and its record sets; raises InvalidInput with every fault."""
    faults = Faults()
    name = faults.take(lambda: _value(options, "zone", zone_name))
    servers = faults.take(lambda: _list(options, "servers", host, least=1))
    port = faults.take(lambda: _value(options, "port", integer(1, 65535), PORT))
    key = faults.take(lambda: Key.parse(options))
    sources = faults.take(lambda: _list(options, "sources", _source))
    empty = faults.take(lambda: _value(options, "empty_family", choice(KEEP, DROP), KEEP))
    publisher = faults.take(lambda: _value(options, "publisher", label(_LONGEST_PUBLISHER, ' "'), ""))
    zone = "" if name.faults else name.value
    records = faults.take(lambda: _records(options.get("records"), zone))
    faults.refuse()
    found = Zone(
        name.value,
        tuple(servers.value),
        port.value,
        key.value,
        tuple(sources.value) or (Source(),),
        empty.value,
        publisher.value,
    )
    return found, records.value


def _records(value: object, zone: str) -> list[Entry[RecordSet]]:
    if not isinstance(value, (list, tuple, type(None))):
        raise InvalidInput([f"records: not a list but {type(value).__name__}"])
    faults: list[str] = []
    entries: list[Entry[RecordSet]] = []
    seen: dict[object, str] = {}
    for index, item in enumerate(value or ()):
        place = where("records", index, item, "domain")
        try:
            sets = parse_record(item)
        except InvalidInput as error:
            faults += [f"{place}: {fault}" for fault in error.faults]
            continue
        if zone and not is_in(sets[0].domain, zone):
            faults.append(f"{place}: is not in the zone {zone}")
        faults += [f"{place}: {fault}" for fault in _name_faults(sets, zone)]
        earlier = seen.setdefault(sets[0].domain, place)
        if earlier is not place:
            faults.append(f"{earlier} and {place}: two entries for one domain {sets[0].domain}; keep one of them")
        entries += [Entry(each, place) for each in sets]
    if faults:
        raise InvalidInput(faults)
    return entries


def _name_faults(sets: Sequence[RecordSet], zone: str) -> list[str]:
    """Return the faults of names that stand for addresses: they are read from the same zone."""
    domain = sets[0].domain
    found = sorted({each.address for listed in sets for each in listed.addresses if each.is_name})
    return [f"addresses: {name} is not in the zone {zone}" for name in found if zone and not is_in(name, zone)] + [
        f"addresses: {name} is the domain itself" for name in found if name == domain
    ]


def as_records(sets: Sequence[RecordSet]) -> list[Form]:
    """Return sets as entries of ``records``: those of one domain and TTL as one entry."""
    found: dict[tuple[str, int], Form] = {}
    for each in sets:
        form = each.as_input()
        known = found.setdefault((each.domain, each.ttl), {**form, "addresses": []})
        # A name may be in the sets of both families.
        known["addresses"] += [address for address in form["addresses"] if address not in known["addresses"]]
    return list(found.values())


def _source(value: Any) -> Source:
    if isinstance(value, str):
        return Source(_source_address(value))
    if not isinstance(value, Mapping):
        raise ValueError("not an address, or a dictionary of address, line and mark")
    parsers = {"address": _source_address, "line": line_name, "mark": lambda given: mark(given)[0]}
    values, faults = parse_fields(value, parsers, "address")
    if faults:
        raise ValueError("; ".join(faults))
    return Source(**values)


def _source_address(value: Any) -> str:
    return str(value) if parse_reference(value) else unicast(value)


def _source_form(source: Source) -> Form:
    parts = {"address": source.address, "line": source.line, "mark": source.mark}
    return {name: value for name, value in parts.items() if value}


def _value(options: Options, name: str, parse_one: Callable[[Any], T], default: T | None = None) -> T:
    value = options.get(name)
    if value in (None, "") and default is not None:
        return default
    try:
        return parse_one(value)
    except ValueError as error:
        raise InvalidInput([f"{name} {shown(value)}: {error}"]) from None


def _list(options: Options, name: str, parse_one: Callable[[Any], T], least: int = 0) -> list[T]:
    value = options.get(name) or []
    if not isinstance(value, (list, tuple)):
        raise InvalidInput([f"{name}: not a list but {type(value).__name__}"])
    found, faults = [], []
    for index, item in enumerate(value):
        try:
            found.append(parse_one(item))
        except ValueError as error:
            faults.append(f"{name}[{index}] ({shown(item)}): {error}")
    if len(value) < least:
        faults.append(f"{name}: needs at least one address")
    if faults:
        raise InvalidInput(faults)
    return found
