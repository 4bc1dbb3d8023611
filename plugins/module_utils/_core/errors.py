# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, one class per kind of remedy. Every message names the entry, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class MultihomeError(Exception):
    """Base of all errors that the engine raises on purpose; ``str()`` is fit to be shown to people."""


class InvalidInput(MultihomeError):
    """The declared list cannot be meant. ``faults`` holds every fault of the list, one line each.

    ``objects`` tells which objects are at fault, each with its reason, where the others could stand without them.
    """

    def __init__(self, faults: Iterable[str], objects: Mapping[Any, str] | None = None) -> None:
        self.faults = tuple(faults)
        self.objects = dict(objects or {})
        super().__init__("\n".join(self.faults))


class ForeignObject(MultihomeError):
    """A different object of another owner stands under the key of a declared entry; nothing was changed.

    ``objects`` tells which declared objects these are, each with its reason.
    """

    def __init__(self, conflicts: Iterable[str], objects: Mapping[Any, str] | None = None) -> None:
        self.conflicts = tuple(conflicts)
        self.objects = dict(objects or {})
        super().__init__("\n".join(self.conflicts))


class ReadFailed(MultihomeError):
    """The kernel would not tell its state."""


class ApplyFailed(MultihomeError):
    """The kernel refused a request half-way. ``not_undone`` lists what could not be put back (usually nothing)."""

    def __init__(self, failed: str, reason: str, undone: Iterable[str] = (), not_undone: Iterable[str] = ()) -> None:
        self.failed = failed
        self.reason = reason
        self.undone = tuple(undone)
        self.not_undone = tuple(not_undone)
        lines = [f"{failed}: {reason}"]
        if self.undone:
            lines.append("undone: " + "; ".join(self.undone))
        lines.append(_left_behind(self.not_undone, "the host is as it was before"))
        super().__init__("\n".join(lines))


class VerifyFailed(MultihomeError):
    """Every request was accepted, yet reading back shows something else than was planned."""

    def __init__(self, differences: Iterable[str], undone: bool = True) -> None:
        self.differences = tuple(differences)
        lines = ["after applying, the kernel disagrees:", *self.differences]
        lines.append(
            "the host was put back as it was before" if undone else "the host could NOT be put back as it was before"
        )
        super().__init__("\n".join(lines))


class FlowsRemain(MultihomeError):
    """What was listed stands, and connections that an earlier state made go on all the same."""

    def __init__(self, flows: Iterable[str]) -> None:
        self.flows = tuple(flows)
        super().__init__("\n".join(["the list stands as told; connections that could not be forgotten:", *self.flows]))


class StoreFailed(MultihomeError):
    """The desired state could not be stored for the next boot. ``not_undone`` lists what could not be put back."""

    def __init__(self, path: str, error: OSError, not_undone: Iterable[str] = ()) -> None:
        self.path, self.error = path, error
        self.not_undone = tuple(not_undone)
        lines = [f"cannot store {path}: {error.strerror or error}; the old file is as it was"]
        otherwise = "the host is as it was before; see to the file's directory and disk, and run again"
        lines.append(_left_behind(self.not_undone, otherwise))
        super().__init__("\n".join(lines))


class Unsupported(MultihomeError):
    """A tool, library or kernel feature is missing or too old; says what is needed, what was found, and where."""

    def __init__(self, what: str, needed: str, found: str = "nothing", remedy: str = "") -> None:
        self.what, self.needed, self.found, self.remedy = what, needed, found, remedy
        super().__init__(f"{what}: needs {needed}, found {found}" + (f"; {remedy}" if remedy else ""))


class Busy(MultihomeError):
    """Another run holds the host's lock; nothing was changed."""


def _left_behind(not_undone: Sequence[str], otherwise: str) -> str:
    return "NOT undone, repair by hand: " + "; ".join(not_undone) if not_undone else otherwise
