# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""Lines whose addresses or gateways are ``auto``: what their interfaces have at the time of the run is put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._addresses import FAMILIES, family_name, of_family, read_gateway, read_interface_address
from ._faults import Place, shown, sound
from ._reading import AUTO

KEYS = ("addresses", "gateways")


def learned(lines: object, interfaces: object = None) -> dict[str, Any]:
    """``{"lines": [...], "waiting": [...], "skipped": [...]}``: lines without ``auto``, and those that are left out.

    What is ``waiting`` is for preflight to look at, and says as ``left_out`` why it cannot be used; ``skipped`` says so
    in words. ``interfaces`` are those of multihome_info. Without them, lines with ``auto`` wait and nothing is said.
    Addresses that were learned are not ours to hold: their line says ``learned: true``. Its ``without_gateway`` are
    the families whose default route leads by the interface alone, as that of a tunnel does.
    """
    kept: list[Any] = []
    waiting: list[dict[str, Any]] = []
    with sound() as faults:
        for index, line in enumerate(lines if isinstance(lines, list) else ()):
            wanted = [key for key in KEYS if _has_auto(line, key)]
            place = Place(f"multihomed_web_lines[{index}]", faults)
            mixed = [key for key in wanted if line[key] not in (AUTO, [AUTO])]
            for key in mixed:
                place.fault(f"{key}: {AUTO} stands for all of them; leave the others out")
            if not wanted or mixed:
                kept.append(line)
                continue
            found, reason = _put_in(line, wanted, interfaces) if interfaces is not None else ({}, None)
            if found:
                kept.append(found)
            else:
                waiting.append({**line, "addresses": [AUTO], "gateways": [AUTO], "left_out": reason})
    reasons = [(line.get("name"), line["left_out"]) for line in waiting if line["left_out"]]
    skipped = [f"line {name} is left out of this run: {reason}" for name, reason in reasons]
    return {"lines": kept if isinstance(lines, list) else lines, "waiting": waiting, "skipped": skipped}


def _has_auto(line: object, key: str) -> bool:
    value = line.get(key) if isinstance(line, Mapping) else None
    return value == AUTO or (isinstance(value, Sequence) and not isinstance(value, str) and AUTO in value)


def _put_in(line: Mapping[str, Any], wanted: Sequence[str], interfaces: object) -> tuple[dict[str, Any], str]:
    """The line with what its interface has, for the families that have an address and a way out; or why not."""
    name = line.get("interface")
    state = interfaces.get(name) if isinstance(interfaces, Mapping) else None
    if state is None:
        return {}, f"this host has no interface {shown(name)}"
    values = {key: _as_list(state[key] if key in wanted else line.get(key)) for key in KEYS}
    nowhere = Place("", [])
    addresses = [read_interface_address(address, nowhere) for address in values["addresses"]]
    gateways = [read_gateway(gateway, nowhere) for gateway in values["gateways"]]
    if nowhere.faults:
        if set(wanted) == set(KEYS):
            return {}, f"{nowhere.faults[0]}"
        # What is written is judged where all lines are, with its place.
        return {**line, **values}, ""
    if not addresses:
        return {}, f"interface {shown(name)} has no address"
    alone = {int(name[3:]) for name in state["without_gateway"]} if "gateways" in wanted else set()
    reached = [family for family in FAMILIES if of_family(gateways, family) or family in alone]
    families = [family for family in reached if of_family(addresses, family)]
    if "addresses" not in wanted:
        missing = [family for family in FAMILIES if of_family(addresses, family) and family not in families]
        families = [] if missing else families
    if not families:
        lacking = " and ".join(family_name(f) for f in FAMILIES if of_family(addresses, f))
        return {}, f"interface {shown(name)} has no gateway for {lacking}"
    for key, items in (("addresses", addresses), ("gateways", gateways)):
        values[key] = [str(item) for family in families for item in of_family(items, family)]
    values["without_gateway"] = [f"ipv{family}" for family in families if not of_family(gateways, family)]
    return {**line, **values, "learned": "addresses" in wanted}, ""


def _as_list(value: object) -> list[Any]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
