# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that ``ip`` shows for our routing tables and our owner tag, in separate files beside those of iproute2.

iproute2 reads /etc/iproute2/rt_tables.d/*.conf since 4.4 and rt_protos.d since 4.10; older ones ignore the directories
and show numbers. The files of its package are in /usr/lib/iproute2 (6.5, 6.6) or /usr/share/iproute2 (since 6.7),
where a file of the same name in /etc replaces it. Source: iproute2 lib/rt_names.c.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..entries import Entry, Form
from ..fields import PROTOCOL_NAMES
from ..host.files import Files
from ..plan import Action, Existing, Plan, plan

# The first line of a file that this collection may rewrite; a file without it is foreign.
HEADER = "# Kept by Ansible, multihome.linux.policy_routing: change it there, not here."
ETC = "/etc/iproute2"
PACKAGED = ("/usr/lib/iproute2", "/usr/share/iproute2")
DATABASES = {"table": "rt_tables", "protocol": "rt_protos"}
# iproute2 reads numbers into an int, and ignores those that become negative.
LARGEST = 0x7FFFFFFF
_OWN_NAME = "multihome"
_FOREIGN = 0


@dataclass(frozen=True)
class Name:
    """The name of a routing table or protocol (``kind``) of this number."""

    kind: str
    number: int
    text: str

    @property
    def key(self) -> tuple[object, ...]:
        """Kind and number."""
        return (self.kind, self.number)

    def satisfied_by(self, other: Name) -> bool:
        """Tell whether ``other`` is the same name."""
        return self == other

    def as_input(self) -> Form:
        """Return the name with its number."""
        return {self.kind: self.number, "name": self.text}

    def __str__(self) -> str:
        return f"name {self.text} of {self.kind} {self.number}"


@dataclass(frozen=True)
class NameState:
    """The names of a host.

    ``texts``: the text of each of our files, by kind. ``ours``: the names in them. ``foreign``: the names in other
    files, each with its file. ``obstacles``: why one of our files cannot be written, by kind.
    """

    texts: Mapping[str, str | None]
    ours: tuple[Name, ...]
    foreign: Mapping[Name, str]
    obstacles: Mapping[str, str]


class NameFiles:
    """Reads all names that ``ip`` knows, and writes those of one owner."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def read(self, owner: int) -> NameState:
        """Return the names of this host."""
        texts: dict[str, str | None] = {}
        ours: list[Name] = []
        foreign: dict[Name, str] = {}
        obstacles: dict[str, str] = {}
        for kind in DATABASES:
            own = own_file(kind, owner)
            try:
                texts[kind] = text = self.files.load(own)
                if text is not None and text.splitlines()[:1] != [HEADER]:
                    obstacles[kind] = f"{own} was not written by this collection; move it away"
                elif not self.files.is_writable(os.path.dirname(own)):
                    obstacles[kind] = f"{os.path.dirname(own)} cannot be written to"
            except OSError as error:
                obstacles[kind] = f"{own}: {error.strerror}"
            for file in self._others(kind, None if kind in obstacles else own):
                for name in parse(kind, self._text(file)):
                    foreign.setdefault(name, file)
            ours += [] if kind in obstacles else parse(kind, texts[kind])
        return NameState(texts, tuple(dict.fromkeys(ours)), foreign, obstacles)

    def write(self, texts: Mapping[str, str | None], owner: int) -> None:
        """Write our files, by kind; raises OSError. They are readable for all users, as iproute2's own are."""
        for kind, text in texts.items():
            self.files.save(own_file(kind, owner), text, 0o644)

    def restore(self, texts: Mapping[str, str | None], owner: int) -> None:
        """Write those of the files that differ from ``texts``, by kind; raises OSError."""
        self.write(
            {kind: text for kind, text in texts.items() if self.files.load(own_file(kind, owner)) != text}, owner
        )

    def _others(self, kind: str, own: str | None) -> list[str]:
        """Return the other files that ``ip`` reads."""
        base, directory = DATABASES[kind], f"{DATABASES[kind]}.d"
        single = [f"{place}/{base}" for place in (ETC, *PACKAGED) if base in self.files.names(place)][:1]
        named: dict[str, str] = {}
        for place in (ETC, *PACKAGED):
            for name in self.files.names(f"{place}/{directory}"):
                if name.endswith(".conf") and name[0] != ".":
                    named.setdefault(name, f"{place}/{directory}/{name}")
        return [*single, *(file for file in named.values() if file != own)]

    def _text(self, file: str) -> str | None:
        try:
            return self.files.load(file, follow=True)
        except OSError:
            # ip cannot read it either, or only for other users: its names cause no conflict.
            return None


def own_file(kind: str, owner: int) -> str:
    """Return our file of a kind; every owner tag has files of its own."""
    suffix = "" if PROTOCOL_NAMES.get(owner) == _OWN_NAME else f"-{owner}"
    return f"{ETC}/{DATABASES[kind]}.d/{_OWN_NAME}{suffix}.conf"


def parse(kind: str, text: str | None) -> list[Name]:
    """Return the names in a file; like iproute2, none after a line that is invalid."""
    names: list[Name] = []
    for line in (text or "").splitlines():
        written = line.strip(" \t")
        if not written or written[0] == "#":
            continue
        match = re.match(r"(0x[0-9a-fA-F]+|[0-9]+)\s+(\S+)", written)
        if match is None:
            break
        names.append(Name(kind, int(match[1], 16 if match[1].startswith("0x") else 10), match[2]))
    return names


def render(names: Iterable[Name]) -> str | None:
    """Return the text of a file; None, no file, when there are no names."""
    lines = [f"{name.number}\t{name.text}" for name in sorted(names, key=lambda name: name.number)]
    return "\n".join([HEADER, *lines, ""]) if lines else None


def plan_names(
    tables: Sequence[Entry[Name]], current: NameState, owner: int, purge: bool
) -> tuple[Plan[Name], list[str]]:
    """Return the steps to the names of ``tables``, and a line for each name that cannot be given.

    Our owner tag has a name as long as a table has one from us; other tags get none. Names only help people to read,
    so a conflict with another file does not fail the run: the name is left out, with a remark. An old name is removed,
    also without purge, once it is given to another number.
    """
    asked = list(tables)
    if PROTOCOL_NAMES.get(owner) == _OWN_NAME and (asked or (current.ours and not purge)):
        asked.append(Entry(Name("protocol", owner, _OWN_NAME), f"protocol {owner}"))
    asked_for = {entry.object.kind for entry in asked}
    remarks = [f"names are not kept: {text}" for kind, text in current.obstacles.items() if kind in asked_for]
    entries: list[Entry[Name]] = []
    for entry in asked:
        if entry.object.kind in current.obstacles or entry.object.number > LARGEST:
            continue
        conflict = _conflict(entry, current.foreign)
        if conflict:
            remarks.append(conflict)
        else:
            entries.append(entry)
    existing = [Existing(name, owner) for name in current.ours]
    existing += [Existing(name, _FOREIGN) for name in current.foreign]
    found = plan(entries, existing, owner, purge)
    given = {(entry.object.kind, entry.object.text): entry.object.number for entry in entries}
    stale = [name for name in found.after if given.get((name.kind, name.text), name.number) != name.number]
    actions = (*found.actions, *(Action("remove", name, Existing(name, owner)) for name in stale))
    return replace(found, actions=actions, after=tuple(name for name in found.after if name not in stale)), remarks


def texts_after(names: Plan[Name], current: NameState) -> dict[str, str | None]:
    """Return the new texts of our files that a plan changes, by kind."""
    gone = {(action.existing.object if action.existing else action.object) for action in names.actions}
    new = [action.object for action in names.adding()]
    kept = [name for name in current.ours if name not in gone] + new
    kinds = dict.fromkeys(action.object.kind for action in names.actions)
    return {kind: render(name for name in kept if name.kind == kind) for kind in kinds}


def _conflict(entry: Entry[Name], foreign: Mapping[Name, str]) -> str | None:
    name = entry.object
    if name in foreign:
        return None
    for other, file in foreign.items():
        if other.kind == name.kind and (other.number == name.number or other.text == name.text):
            conflict = f"{other.kind} {other.number} is called {other.text} in {file}"
            return f"{entry.where}: {conflict}, so ip does not show it as {name.text}; change it there or here"
    return None
