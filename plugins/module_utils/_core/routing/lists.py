# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of policy routing: from entries of the options to routes, rules, names and groups, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from .. import fields
from ..entries import Entry, Faults, Form, Options, parse_fields, parse_list, where
from ..errors import InvalidInput
from .interface_groups import InterfaceGroup
from .iproute_names import Name
from .model import TABLE_NAMES, Route, Rule
from .rule_identity import indistinct

_NUMBER = fields.integer(1, 0xFFFFFFFF)
_LONGEST_NAME = 64  # iproute2 reads lines of its files into 512 bytes


@dataclass(frozen=True)
class RoutingLists:
    """The objects that the three lists declare; None for a list that was not given.

    ``names`` are the names of tables by number, including those that every host has; ``table_names`` are those to write
    to the files of iproute2.
    """

    routes: list[Entry[Route]] | None
    rules: list[Entry[Rule]] | None
    names: dict[int, str]
    table_names: list[Entry[Name]]
    groups: list[Entry[InterfaceGroup]] | None = None

    @classmethod
    def parse(
        cls,
        tables: Sequence[object] | None,
        rules: Sequence[object] | None,
        groups: Sequence[object] | None = None,
    ) -> RoutingLists:
        """Return the parsed entries of the options of policy_routing; raises InvalidInput with every fault."""
        numbers, faults = _declared_tables(tables or ())
        all_faults = Faults(faults)
        routes = all_faults.take(lambda: _parse_routes(tables or ()))
        parsed_rules = all_faults.take(lambda: _parse_rules(rules or (), numbers))
        parsed_groups = all_faults.take(lambda: _parse_groups(groups or ()))
        all_faults.refuse()
        return cls(
            None if tables is None else routes.value,
            None if rules is None else parsed_rules.value,
            {number: name for name, number in numbers.items()},
            _table_names(tables or (), numbers),
            None if groups is None else parsed_groups.value,
        )


def tables_form(routes: Sequence[Route], names: Mapping[int, str], given: Sequence[Name] = ()) -> list[Form]:
    """Return routes as entries of ``tables``: one entry a table, with its routes.

    ``names`` are further names of tables. Tables with a name in ``given`` are listed without routes too.
    """
    known = {**names, **{name.number: name.text for name in given if name.kind == "table"}}
    tables_by_number: dict[int, Form] = {}

    def entry(number: int) -> Form:
        called = {"name": known[number]} if number in known else {}
        return tables_by_number.setdefault(number, {"id": number, **called, "routes": []})

    for route in routes:
        shown = {name: value for name, value in route.as_input().items() if name != "table"}
        entry(route.table)["routes"].append(shown)
    for name in given:
        if name.kind == "table":
            entry(name.number)
    return list(tables_by_number.values())


def _declared_tables(tables: Sequence[object]) -> tuple[dict[str, int], list[str]]:
    """Return the numbers of all tables by name, those every host has included, and the faults of the declaration."""
    names = dict(TABLE_NAMES)
    faults: list[str] = []
    first: dict[object, str] = {}
    parsers = {"id": _NUMBER, "name": _table_name, "routes": _list}
    for index, table in enumerate(tables):
        place = where("tables", index, table, "id")
        values, table_faults = parse_fields(table, parsers, "id", required=("id",))
        faults.extend(f"{place}: {fault}" for fault in table_faults)
        for key in (values.get("id"), values.get("name")):
            earlier = first.setdefault(key, place)
            if key is not None and earlier is not place:
                faults.append(f"{earlier} and {place}: two entries for one routing table {key}; keep one of them")
        if "name" in values and "id" in values:
            if names.get(values["name"], values["id"]) != values["id"]:
                faults.append(
                    f'{place}: name "{values["name"]}": is the routing table {names[values["name"]]} on every host'
                )
            names[values["name"]] = values["id"]
    return names, faults


def _table_names(tables: Sequence[object], names: Mapping[str, int]) -> list[Entry[Name]]:
    """Return the names to give to the declared tables, without those that they have on every host."""
    new = {number: name for name, number in names.items() if name not in TABLE_NAMES}
    found = []
    for index, table in enumerate(tables):
        if isinstance(table, Mapping) and table.get("name") is not None:
            number = names.get(table["name"])
            if number in new:
                found.append(Entry(Name("table", number, new[number]), where("tables", index, table, "id")))
    return found


def _table_name(value: object) -> str:
    name = fields.text(value)
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a routing table's name has at most {_LONGEST_NAME} characters")
    if not all(character.isalnum() or character in "_.-" for character in name) or name.isdecimal():
        raise ValueError("a routing table's name is made of letters, digits, '_', '.' and '-', not of digits alone")
    return name


def _list(value: object) -> list[object]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list")
    return list(value)


def _parse_routes(tables: Sequence[object]) -> list[Entry[Route]]:
    def part(index: int, table: Options) -> list[Entry[Route]]:
        number = int(_NUMBER(table.get("id")))
        list_name = f"{where('tables', index, table, 'id')}.routes"
        routes = table.get("routes") or ()
        return parse_list(routes, list_name, lambda e: Route.parse(e, number), "destination", lambda r: r.key)

    whole = [(index, table) for index, table in enumerate(tables) if isinstance(table, Mapping) and _has_number(table)]
    faults = Faults()
    parts = [faults.take(partial(part, index, table)) for index, table in whole]
    faults.refuse()
    return [entry for entries in parts for entry in entries.value]


def _has_number(table: Options) -> bool:
    # For an invalid number, or routes that are not a list, _declared_tables() returned a fault already.
    try:
        _NUMBER(table["id"])
        _list(table.get("routes") or ())
    except (ValueError, KeyError):
        return False
    return True


def _parse_rules(rules: Sequence[object], names: Mapping[str, int]) -> list[Entry[Rule]]:
    parsed = parse_list(rules, "rules", lambda e: Rule.parse(e, names), "priority", lambda rule: rule.key)
    _refuse(indistinct(parsed))
    return parsed


def _parse_groups(groups: Sequence[object]) -> list[Entry[InterfaceGroup]]:
    def described(group: InterfaceGroup) -> str:
        return f"interface {group.interface}"

    parse = InterfaceGroup.parse
    return parse_list(groups, "interface_groups", parse, "interface", lambda group: group.key, described)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise InvalidInput(faults)
