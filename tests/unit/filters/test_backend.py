# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selection of a backend, the move between backends, and several changes that are applied completely or not at all."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidInput,
    ReadFailed,
    StepFailed,
    Unsupported,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.filters import selection as filter_selection
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.backend import (
    Current,
    apply_all,
    restore_all,
    step,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.selection import (
    Selection,
    available,
    read_both,
    select,
    steps,
)


class Memory:
    """A backend that holds a text. ``log`` gets a line for each call that changes something."""

    def __init__(self, name: str, holds: str, log: list[str], fails: Exception | None = None) -> None:
        self.name, self.place, self.holds, self.log, self.fails = name, f"place {name}", holds, log, fails

    def read(self) -> str:
        """Return the text."""
        return self.holds

    def change(self, current: str, desired: str) -> str | None:
        """Return the text to hold, None when it is held already."""
        return None if current == desired else desired

    def apply(self, change: str, _current: str) -> None:
        """Hold the text."""
        if self.fails:
            raise self.fails
        self.holds = change
        self.log.append(f"{self.name} {change}")

    def restore(self, before: str) -> list[str]:
        """Hold the earlier text."""
        self.holds = before
        self.log.append(f"{self.name} restored")
        return [f"part of {self.name}"]


def moved(fails: Exception | None = None) -> tuple[Selection[Memory], list[str]]:
    """Two backends, of which the other one holds something."""
    log: list[str] = []
    return Selection("new", "", Memory("new", "", log), Memory("old", "text", log, fails)), log


def test_a_move_writes_here_before_it_removes_there() -> None:
    selection, log = moved()
    current = read_both(selection)
    assert current == Current("", "text")
    made = steps(selection, current, "text", "")
    apply_all(made)
    assert log == ["new text", "old "]
    assert restore_all(made) == ["part of old", "part of new"]
    assert log[2:] == ["old restored", "new restored"]


@pytest.mark.parametrize(
    ("fails", "failed", "reason", "done"),
    [
        (ApplyFailed("nft", "in use"), "nft", "in use", ("place new",)),
        (StepFailed("nft", "in use", ["half"]), "nft", "in use", ("place new", "half")),
        (ReadFailed("no answer"), "place old", "no answer", ("place new",)),
    ],
)
def test_a_failed_move_reports_what_was_changed(
    fails: Exception, failed: str, reason: str, done: tuple[str, ...]
) -> None:
    selection, log = moved(fails)
    with pytest.raises(StepFailed) as raised:
        apply_all(steps(selection, read_both(selection), "text", ""))
    assert (raised.value.failed, raised.value.reason, raised.value.done) == (failed, reason, done)
    assert log == ["new text"]


@pytest.mark.parametrize("fails", [ApplyFailed("nft", "in use"), ReadFailed("no answer")])
def test_a_first_step_that_fails_has_changed_nothing(fails: Exception) -> None:
    selection, _log = moved(fails)
    with pytest.raises(type(fails)):
        apply_all(steps(selection, read_both(selection), None, ""))


def test_a_place_that_cannot_be_restored_is_reported_and_the_others_are_restored() -> None:
    class Unreadable(Memory):
        def restore(self, _before: str) -> list[str]:
            raise ReadFailed("no answer")

    selection = Selection("new", "", Memory("new", "", []), Unreadable("old", "text", []))
    assert restore_all(steps(selection, read_both(selection), "text", "")) == ["no answer", "part of new"]


def test_nothing_to_send_is_no_step() -> None:
    selection, _log = moved()
    assert steps(selection, read_both(selection), None, None) == []
    assert step(selection.backend, None, "") == []
    assert steps(Selection("new", "", selection.backend), Current(""), None, "") == []


def test_an_unreadable_other_backend_is_an_error_unless_its_state_is_known() -> None:
    class Unreadable(Memory):
        def read(self) -> str:
            raise ReadFailed("old")

    selection = Selection("new", "", Memory("new", "a", []), Unreadable("old", "b", []))
    with pytest.raises(ReadFailed):
        read_both(selection)
    assert read_both(selection, unreadable="nothing") == Current("a", "nothing")
    assert read_both(Selection("new", "", Memory("new", "a", []))) == Current("a")


def make(name: str, table: str, in_charge: bool) -> str:
    """A backend as a text; iptables cannot use long names."""
    if name == "iptables" and len(table) > 5:
        raise InvalidInput([table])
    return f"{name} {'in use' if in_charge else 'other'}"


@pytest.mark.parametrize(
    ("wanted", "missing", "in_iptables", "backend", "other"),
    [
        ("auto", [], True, "nftables in use", "iptables other"),
        ("auto", [], False, "nftables in use", None),
        ("nftables", ["iptables"], True, "nftables in use", None),
        ("auto", ["nftables"], True, "iptables in use", None),
        # Without a cheap way to know whether the nft table holds anything, it is always read.
        ("iptables", [], False, "iptables in use", "nftables other"),
    ],
)
def test_the_other_backend_is_read_only_where_it_may_hold_something(
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    missing: list[str],
    in_iptables: bool,
    backend: str,
    other: str | None,
) -> None:
    monkeypatch.setattr(filter_selection, "missing", lambda name: Unsupported(name, "1") if name in missing else None)
    monkeypatch.setattr(filter_selection, "iptables_has", lambda table, _nftables: in_iptables and table == "nat")
    selection = select(wanted, "short", make, "nat")
    assert (selection.backend, selection.other) == (backend, other)
    if selection.name == "nftables":
        assert select(wanted, "longer", make, "nat").other is None
    else:
        with pytest.raises(InvalidInput):
            select(wanted, "longer", make, "nat")


def test_available_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: list[str] = []
    monkeypatch.setattr(filter_selection, "missing", lambda name: Unsupported(name, "1") if name in missing else None)
    assert available("short", make) == ["nftables other", "iptables other"]
    assert available("longer", make) == ["nftables other"]
    missing.append("nftables")
    assert available("short", make) == ["iptables other"]
    missing.append("iptables")
    with pytest.raises(Unsupported, match="nftables"):
        available("short", make)
