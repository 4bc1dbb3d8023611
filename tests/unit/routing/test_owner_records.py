# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership of addresses on a kernel that forgets their owner tag: a record, as sure as the tag, and only there."""

from __future__ import annotations

import contextlib
import errno
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, ReadFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.owner_records import FILE

from .fake_kernel import INTERFACES, FakeKernel

BOOT = "/proc/sys/kernel/random/boot_id"
ONE = {"address": "10.0.0.1/24", "interface": "eth0"}
TWO = {"address": "10.0.0.2/24", "interface": "eth0"}
SIX = {"address": "fd00::1/64", "interface": "eth1"}


@pytest.fixture
def old(settings: Path) -> FakeKernel:
    fake = FakeKernel(settings, keeps_tags=False)
    fake.files.texts[BOOT] = "first\n"
    return fake


def run(fake: FakeKernel, *aliases: dict[str, Any], check: bool = False, **options: Any) -> Outcome[Any]:
    engine = AliasEngine(list(aliases), executor=fake.executor(), **options)
    return converge(engine, check, contextlib.nullcontext)


def somebody_adds(fake: FakeKernel, entry: dict[str, Any]) -> None:
    alias = Alias.parse(entry)
    fake.send("add", rtnetlink_encoding.encode_alias(alias, INTERFACES[alias.interface], 0))


def somebody_removes(fake: FakeKernel, entry: dict[str, Any]) -> None:
    alias = Alias.parse(entry)
    fake.send("remove", rtnetlink_encoding.encode_alias(alias, INTERFACES[alias.interface], 0))


def owned(fake: FakeKernel) -> list[str]:
    standing = fake.executor().read("address").addresses()
    return sorted(existing.object.address for existing in standing if existing.owner == 109)


def test_a_kernel_that_keeps_tags_needs_no_record(settings: Path) -> None:
    fake = FakeKernel(settings)
    run(fake, ONE, TWO, SIX)
    run(fake, ONE, purge=True)
    assert fake.files.texts == {}
    assert owned(fake) == ["10.0.0.1/24"]


def test_what_was_added_is_known_and_purged_and_nothing_else(old: FakeKernel) -> None:
    somebody_adds(old, TWO)
    assert len(run(old, ONE, TWO, SIX, check=True).actions()) == 2
    assert FILE not in old.files.texts
    run(old, ONE, TWO, SIX)
    assert all("IFA_PROTO" not in message.attributes for message in old.addresses)
    assert owned(old) == ["10.0.0.1/24", "fd00::1/64"]
    assert old.files.modes[FILE] == 0o600
    sent = len(old.sent)
    assert run(old, ONE, TWO, SIX, purge=True).changed is False
    assert len(old.sent) == sent
    run(old, SIX, purge=True)
    assert owned(old) == ["fd00::1/64"]
    assert len(old.addresses) == 2
    run(old, purge=True)
    assert FILE not in old.files.texts
    assert [str(message.get("IFA_LOCAL")) for message in old.addresses] == ["10.0.0.2"]


def test_owners_are_told_apart(old: FakeKernel) -> None:
    run(old, ONE)
    run(old, TWO, owner=77, purge=True)
    assert owned(old) == ["10.0.0.1/24"]
    run(old, owner=77, purge=True)
    assert len(old.addresses) == 1


def test_an_address_that_somebody_puts_in_the_place_of_ours_is_not_ours(old: FakeKernel) -> None:
    run(old, ONE, SIX)
    somebody_removes(old, ONE)
    assert owned(old) == ["fd00::1/64"]
    somebody_adds(old, ONE)
    assert owned(old) == ["fd00::1/64"]
    assert len(run(old, purge=True).actions()) == 1
    assert len(old.addresses) == 1


def test_after_a_boot_nothing_is_ours(old: FakeKernel) -> None:
    run(old, ONE)
    old.files.texts[BOOT] = "second\n"
    assert owned(old) == []
    run(old, TWO)
    assert owned(old) == ["10.0.0.2/24"]
    assert len(json.loads(old.files.texts[FILE])["addresses"]) == 1


def test_undo_puts_back_addresses_and_what_is_known_of_them(old: FakeKernel) -> None:
    run(old, ONE)
    before = [str(rtnetlink_encoding.lasting(message)) for message in old.addresses]
    old.faults = {len(old.sent) + 2: RequestFailed(errno.EPERM)}
    with pytest.raises(ApplyFailed, match="the host is as it was before"):
        run(old, TWO, SIX, purge=True)
    assert [str(rtnetlink_encoding.lasting(message)) for message in old.addresses] == before
    assert owned(old) == ["10.0.0.1/24"]
    # The last step is refused: the address that was removed is added again, and is ours.
    run(old, TWO)
    old.faults = {len(old.sent) + 2: RequestFailed(errno.EPERM)}
    with pytest.raises(ApplyFailed, match="cannot remove"):
        run(old, purge=True)
    assert owned(old) == ["10.0.0.1/24", "10.0.0.2/24"]


def test_what_cannot_be_written_down_is_undone(old: FakeKernel) -> None:
    old.files.refused[FILE] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(ApplyFailed, match=r"addresses\.json") as failed:
        run(old, ONE, SIX)
    assert old.addresses == []
    assert "No space left" in str(failed.value)
    old.files.refused.clear()
    run(old, ONE, SIX)
    assert len(old.addresses) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": "first"}', '{"boot": "first", "addresses": [1]}'])
def test_a_record_that_cannot_be_read_is_said_and_nothing_is_done(old: FakeKernel, text: str) -> None:
    run(old, ONE)
    old.files.texts[FILE] = text
    sent = len(old.sent)
    with pytest.raises(ReadFailed, match=r"addresses\.json.*move it away"):
        run(old, TWO)
    assert len(old.sent) == sent
