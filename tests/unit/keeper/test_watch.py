# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wakes the keeper: which messages of the kernel tell that something may be gone."""

from __future__ import annotations

import os
import signal
import struct
import threading
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import watch
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import FILES, STOP, Watch


def message(kind: int, flags: int = 0, size: int = 5) -> bytes:
    """A netlink message, padded to the next one."""
    body = bytes(size)
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body + bytes(-len(body) % 4)


@pytest.mark.parametrize(
    ("data", "telling"),
    [
        (message(25), True),  # RTM_DELROUTE
        (message(33), True),  # RTM_DELRULE
        (message(21), True),  # RTM_DELADDR
        (message(16), True),  # RTM_NEWLINK
        (message(24), False),  # RTM_NEWROUTE
        (message(24, 0x100), True),  # in the place of another one
        (message(24) + message(24) + message(33), True),
        (message(24) + message(24), False),
        (b"", False),
        (struct.pack("=IHHII", 0, 24, 0, 0, 0), False),
    ],
)
def test_only_what_may_have_taken_something_away_wakes_the_keeper(data: bytes, telling: bool) -> None:
    assert watch._is_telling(data) is telling


def test_files_and_signals_wake_the_keeper_and_time_does_not(tmp_path: Path) -> None:
    handlers = {number: signal.getsignal(number) for number in watch._SIGNALS}
    try:
        with Watch(str(tmp_path)) as waiting:
            assert waiting.wait(0) == set()
            assert waiting.wait(0.05) == set()
            (tmp_path / "new").write_text("x")
            assert waiting.wait(5) == {FILES}
            os.kill(os.getpid(), signal.SIGHUP)
            assert waiting.wait(5) == {FILES}
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            assert waiting.wait(5) == {STOP}
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_directory_that_comes_later_is_watched_too(tmp_path: Path) -> None:
    handlers = {number: signal.getsignal(number) for number in watch._SIGNALS}
    try:
        with Watch(str(tmp_path / "later")) as waiting:
            assert waiting.wait(0) == set()
            (tmp_path / "later").mkdir()
            assert waiting.wait(0) == set()
            (tmp_path / "later" / "ip_aliases.json").write_text("{}")
            assert waiting.wait(5) == {FILES}
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
