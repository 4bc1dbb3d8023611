# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of stored state: which options of a module are stored for the next boot, and how runs merge. No I/O.

One file holds one kind of state of one owner (``protocol``), or of one ``table``: that is its scope, and objects of
another scope have a file of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Callable, TypeVar

from ..entries import Entry, Form, Options
from ..fields import listed, short, shown

VERSION = 1
M = TypeVar("M")


@dataclass(frozen=True)
class Kind:
    """Which options of a module are stored: its lists, other settings of its engine, and the one that is its scope.

    A kind without ``scope`` has one file on a host.
    With empty lists, and all settings of ``idle`` with the values there, there is nothing to store.
    """

    lists: tuple[str, ...]
    settings: tuple[str, ...]
    scope: str
    default_scope: object = None
    idle: Mapping[str, object] = field(default_factory=dict)
    # What the scope may look like: it is a part of the file's name.
    scope_pattern: str = r"[A-Za-z0-9_]{1,64}"
    # A DNS name: neither case nor a last dot makes a difference.
    scope_is_domain: bool = False
    # Lists that earlier releases did not store: their files are as if these were empty.
    added: tuple[str, ...] = ()


_MARK_SETTINGS = ("balance_from", "balance_exclude", "balance_networks", "keep_networks")

KINDS: dict[str, Kind] = {
    "ip_aliases": Kind(("aliases",), ("protocol",), "protocol", 109),
    "policy_routing": Kind(("tables", "rules", "interface_groups"), ("protocol",), "protocol", 109),
    "nat_rules": Kind(("rules",), ("protocol", "table", "backend"), "table", "multihome"),
    "connection_marks": Kind(
        ("marks", "balance"),
        ("protocol", "table", "backend", "mask", *_MARK_SETTINGS),
        "table",
        "multihome",
        added=("balance_networks", "keep_networks"),
    ),
    "forward_policy": Kind(
        ("accept", "mss"), ("protocol", "table", "backend", "policy"), "table", "multihome", {"policy": "leave"}
    ),
    "dns_records": Kind(
        ("records",),
        ("zone", "servers", "port", "key_name", "key_algorithm", "sources", "empty_family", "publisher"),
        "zone",
        "",
        scope_pattern=r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){0,126}",
        scope_is_domain=True,
    ),
    # The lines whose health is watched, and those that an administrator took out of service: see health/.
    "lines": Kind(("lines",), (), ""),
    "drained": Kind(("drained",), (), ""),
}
# What the modules offer for these options; a value of another version must not be taken for one of them.
CHOICES: dict[str, tuple[str, ...]] = {
    "backend": ("auto", "nftables", "iptables"),
    "policy": ("leave", "drop"),
    "empty_family": ("keep", "drop"),
}
_TYPES: dict[str, type] = {
    "protocol": int,
    **dict.fromkeys(_MARK_SETTINGS, list),
    "servers": list,
    "port": int,
    "sources": list,
}


class Refused(ValueError):
    """This version cannot have written a stored file; ``str()`` is the reason."""


@dataclass(frozen=True)
class Stored:
    """The stored state of one file: ``options`` are those of the module of this name."""

    kind: str
    options: Options

    @property
    def file_name(self) -> str:
        """The name of the file: the kind, and the scope where it is not the usual one."""
        return file_name(self.kind, self.options)

    def __bool__(self) -> bool:
        kind = KINDS[self.kind]
        is_set = any(self.options[name] != value for name, value in kind.idle.items())
        return is_set or any(self.options.get(name) for name in kind.lists)

    def text(self) -> str:
        """Return the text of the file."""
        return json.dumps({"version": VERSION, "kind": self.kind, **self.options}, indent=1) + "\n"

    def lines(self) -> list[str]:
        """Return one line an entry or setting for a diff."""
        lines = []
        for name, value in self.options.items():
            entries = value if name in KINDS[self.kind].lists else [value]
            lines += [f"{name}: {json.dumps(entry)}" for entry in entries]
        return lines


def file_name(kind: str, options: Options) -> str:
    """Return the name of the file that holds a kind of state in the scope of these options."""
    scope = options[KINDS[kind].scope] if KINDS[kind].scope else None
    if KINDS[kind].scope_is_domain:
        scope = str(scope).lower().rstrip(".")
    return f"{kind}.json" if scope == KINDS[kind].default_scope else f"{kind}.{scope}.json"


def settings_of(kind: str, options: Options) -> Form:
    """Return the stored options of a module that are not lists."""
    return {name: options[name] for name in KINDS[kind].settings}


def parse(text: str, name: str) -> Stored:
    """Return the state of a file's text; ``name`` is the file's own. Raises Refused.

    Entries are checked by their engine.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Refused(f"it is not JSON ({error})") from None
    except RecursionError:
        raise Refused("it is not one of this collection: it is nested too deeply") from None
    if not isinstance(content, dict) or "version" not in content:
        raise Refused("it has no version")
    version, kind = content.pop("version"), content.pop("kind", None)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise Refused(f"its version {short(version)} is not a number from 1 to {VERSION}")
    if version > VERSION:
        raise Refused(f"it is of version {short(version)}, and this collection knows none newer than {VERSION}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Refused(f"its kind {shown(kind)} is none of {', '.join(KINDS)}")
    content = {**{name: [] for name in KINDS[kind].added}, **content}
    faults = _faults(KINDS[kind], content)
    if faults:
        raise Refused("; ".join(faults))
    if file_name(kind, content) != name:
        raise Refused(f"the file name should be {file_name(kind, content)}")
    return Stored(kind, content)


def _faults(kind: Kind, content: Options) -> list[str]:
    unknown = [name for name in content if name not in (*kind.lists, *kind.settings)]
    faults = [f"unknown: {listed(unknown)}"] if unknown else []
    faults += [f"{name} is missing" for name in kind.settings if name not in content]
    for name in [name for name in content if name not in unknown]:
        expected = list if name in kind.lists else _TYPES.get(name, str)
        if not isinstance(content[name], expected) or isinstance(content[name], bool):
            faults.append(f"{name} is not of type {expected.__name__}")
        elif content[name] not in CHOICES.get(name, (content[name],)):
            choices = ", ".join(CHOICES[name])
            faults.append(f"{name} {shown(content[name])} is none of {choices}")
    scope = content.get(kind.scope)
    if scope is not None and not re.fullmatch(kind.scope_pattern, str(scope)):
        faults.append(f"{kind.scope} is no name")
    return faults


def merged(older: Sequence[Entry[M]], listed: Sequence[Entry[M]], purge: bool, key: Callable[[M], Hashable]) -> list[M]:
    """Return the objects to store: the listed ones, and without purge the older ones that these do not replace."""
    merged_objects = {key(entry.object): entry.object for entry in ([] if purge else older)}
    merged_objects.update({key(entry.object): entry.object for entry in listed})
    return list(merged_objects.values())
