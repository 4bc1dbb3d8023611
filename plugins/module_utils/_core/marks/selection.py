# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packet filter keeps the marks of this host, and the move from the one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ApplyFailed, InvalidInput, MultihomeError, StepFailed
from ..filters import selection as backend_choice
from .backend import Backend, Standing
from .iptables import IptablesMarks
from .model import Marks
from .nftables import NftablesMarks

_MAKERS: dict[str, Any] = {"nftables": NftablesMarks, "iptables": IptablesMarks}


def choose(wanted: str, table: str) -> tuple[Backend, str]:
    """Return the backend for ``auto``, ``nftables`` or ``iptables``, and why it is this one.

    Raises Unsupported when it is missing or too old (for ``auto``: when both are), InvalidInput for a table that it
    cannot name. Where the other one is there too, what it keeps is moved.
    """
    name, reason = backend_choice.pick(wanted)
    [other] = [candidate for candidate in backend_choice.BACKENDS if candidate != name]
    backend: Backend = _MAKERS[name](table)
    if backend_choice.missing(other) is None:
        try:
            return Moving(backend, _MAKERS[other](table)), reason
        except InvalidInput:
            # A name that the other cannot write: nothing of ours can stand there.
            pass
    return backend, reason


@dataclass(frozen=True)
class Both(Standing):
    """What stands in the backend in use, and in the one that was."""

    here: Any = None
    there: Any = None


class Moving:
    """A backend that takes over what another one keeps: first written here, then taken away there."""

    def __init__(self, backend: Backend, other: Backend) -> None:
        self.backend = backend
        self.other = other
        self.name = backend.name

    def read(self) -> Both:
        """Return what stands here; when nothing does, what the other keeps."""
        here = self.backend.read()
        try:
            there = self.other.read()
        except MultihomeError:
            # It cannot be read, so nothing of ours was put there by this machine's means.
            there = Standing(Marks())
        left = (f"marks kept by {self.other.name}",) if there.marks or there.faults else ()
        return Both(here.marks or there.marks, (*here.faults, *left), here, there)

    def write(self, standing: Both, marks: Marks) -> None:
        """Put ``marks`` in place of what stands in both; raises ApplyFailed or StepFailed."""
        self.backend.write(standing.here, marks)
        if standing.there.marks or standing.there.faults:
            try:
                self.other.write(standing.there, Marks())
            except (ApplyFailed, StepFailed) as error:
                raise StepFailed(error.failed, error.reason, [self.backend.name]) from error

    def undo(self, before: Both) -> list[str]:
        """Put back what stood in both; return what could not be."""
        failures = self.backend.undo(before.here)
        moved = before.there.marks or before.there.faults
        return failures + (self.other.undo(before.there) if moved and self.other.read() != before.there else [])
