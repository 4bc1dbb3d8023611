# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors, one class per kind of remedy. Every message names the entry, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .fields import printable


class MultihomeError(Exception):
    """Base of all errors that the engine raises on purpose; ``str()`` can be shown to people as it is."""

    def __init__(self, message: str = "") -> None:
        # What comes from a host may hold anything; no message may move a terminal's cursor or turn its text around.
        super().__init__("\n".join(map(printable, message.split("\n"))))


class InvalidInput(MultihomeError):
    """The declared list is invalid. ``faults`` holds every fault of the list, one line each.

    ``objects`` holds the objects at fault, each with its reason, if the others can be applied without them.
    """

    def __init__(self, faults: Iterable[str], objects: Mapping[Any, str] | None = None) -> None:
        self.faults = tuple(map(printable, faults))
        self.objects = dict(objects or {})
        super().__init__("\n".join(self.faults))


class ForeignObject(MultihomeError):
    """A different object of another owner exists under the key of a declared entry; nothing was changed.

    ``objects`` holds these declared objects, each with its reason.
    """

    def __init__(self, conflicts: Iterable[str], objects: Mapping[Any, str] | None = None) -> None:
        self.conflicts = tuple(map(printable, conflicts))
        self.objects = dict(objects or {})
        super().__init__("\n".join(self.conflicts))


class WouldDisconnect(MultihomeError):
    """The plan would remove what the controller is connected by, or the last usable line; nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}, and is not removed; nothing was changed; set multihome_allow_disconnect: true "
            "(allow_disconnect of the module) to remove it"
        )


class ReadFailed(MultihomeError):
    """The current state could not be read."""


class StepFailed(MultihomeError):
    """A step of a plan failed, and the host may be half-way: rollback.py restores it and raises ApplyFailed instead.

    ``done`` lists the steps before it.
    """

    def __init__(self, failed: str, reason: str, done: Iterable[object] = ()) -> None:
        self.failed, self.reason, self.done = failed, reason, tuple(map(str, done))
        super().__init__(f"{failed}: {reason}")


class ApplyFailed(MultihomeError):
    """A request was refused. ``not_undone`` lists what could not be restored (usually nothing)."""

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
    """Every request was accepted, but the state read afterwards differs from the plan."""

    def __init__(self, differences: Iterable[str], undone: bool = True) -> None:
        self.differences = tuple(differences)
        lines = ["after applying, the kernel disagrees:", *self.differences]
        lines.append(
            "the host is as it was before" if undone else "the host could NOT be restored to its state from before"
        )
        super().__init__("\n".join(lines))


class FlowsRemain(MultihomeError):
    """The list was applied, but connections of an earlier state could not be deleted."""

    def __init__(self, flows: Iterable[str]) -> None:
        self.flows = tuple(flows)
        super().__init__("\n".join(["the list is applied; could not delete these connections:", *self.flows]))


class StoreFailed(MultihomeError):
    """The desired state could not be stored for the next boot. ``not_undone`` lists what could not be restored."""

    def __init__(self, path: str, error: OSError, not_undone: Iterable[str] = ()) -> None:
        self.path, self.error = path, error
        self.not_undone = tuple(not_undone)
        lines = [f"cannot store {path}: {error.strerror or error}; the old file is as it was"]
        otherwise = "the host is as it was before; check the file's directory and disk, and run again"
        lines.append(_left_behind(self.not_undone, otherwise))
        super().__init__("\n".join(lines))


class Unsupported(MultihomeError):
    """A tool, library or kernel feature is missing or too old; the message has what is needed and what was found."""

    def __init__(self, what: str, needed: str, found: str = "nothing", remedy: str = "") -> None:
        self.what, self.needed, self.found, self.remedy = what, needed, found, remedy
        super().__init__(f"{what}: needs {needed}, found {found}" + (f"; {remedy}" if remedy else ""))


class Busy(MultihomeError):
    """Another run holds the host's lock; nothing was changed."""


def _left_behind(not_undone: Sequence[str], otherwise: str) -> str:
    return "NOT undone, repair by hand: " + "; ".join(not_undone) if not_undone else otherwise
