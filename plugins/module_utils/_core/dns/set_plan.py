# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record sets at a server as they were read, and the plan to the wanted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..entries import Entry, Form
from ..plan import Action, Model, Plan
from .model import Key as SetKey
from .model import RecordSet


@dataclass(frozen=True)
class HostFile:
    """A file of this host, as a step of a plan; its text is not shown."""

    path: str
    content: str

    @property
    def key(self) -> tuple[object, ...]:
        """Its path."""
        return (self.path,)

    def satisfied_by(self, other: HostFile) -> bool:
        """Tell whether it is the same file."""
        return self == other

    def as_input(self) -> Form:
        """Return the file."""
        return {"file": self.path}

    def __str__(self) -> str:
        return f"{self.content} in {self.path}"


@dataclass(frozen=True)
class Current:
    """The sets at the server, those this host publishes, and the text of the key's file.

    Of the ``owned`` sets, this host wrote the ``noted`` ones; the others were as listed already. ``ended_key`` is the
    path and the text of another key's file, that no zone uses once this one is stored. ``listed`` are the entries with
    the addresses of now.
    """

    sets: Mapping[SetKey, RecordSet]
    owned: Mapping[SetKey, tuple[str, ...]] = field(default_factory=dict)
    owned_text: str | None = None
    key_text: str | None = None
    leases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wildcards: Mapping[SetKey, str] = field(default_factory=dict)
    noted: Mapping[SetKey, tuple[str, ...]] = field(default_factory=dict)
    ended_key: tuple[str, str] | None = None
    listed: Sequence[Entry[RecordSet]] = ()


@dataclass(frozen=True)
class DnsPlan:
    """The planner's ``steps``; ``foreign``: the addresses of others that a replaced set had.

    ``overridden`` has the wildcards that answered for an added set until now. ``forgets`` removes the note of the sets
    that this host wrote, where these stay in the zone.
    """

    steps: Plan[RecordSet]
    wanted: Mapping[SetKey, RecordSet | None]
    foreign: Mapping[SetKey, tuple[str, ...]]
    key_file: Action[Model] | None = None
    forgets: Action[Model] | None = None
    overridden: Mapping[SetKey, str] = field(default_factory=dict)
    ended_key: Action[Model] | None = None
    listed: Sequence[Entry[RecordSet]] = ()

    @property
    def actions(self) -> Sequence[Action[Model]]:
        """The steps in the order in which they are applied."""
        before = [self.key_file] if self.key_file else []
        return [*before, *self.steps.actions, *(each for each in (self.forgets, self.ended_key) if each)]
