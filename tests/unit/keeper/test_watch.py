# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and signals wake the keeper. For messages of the kernel see test_interest.py."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import watch
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.interest import ADDRESSES, ROUTES
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import FILES, FILTERS, STOP, Watch


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


class Full:
    """A socket that lost messages, and then has no more."""

    def __init__(self) -> None:
        self._answers = [OSError(errno.ENOBUFS, "No buffer space available"), BlockingIOError()]

    def recv(self, _size: int) -> bytes:
        """Fail."""
        raise self._answers.pop(0)


@pytest.mark.parametrize(("name", "events"), [(ROUTES, {ADDRESSES, ROUTES}), (FILTERS, {FILTERS})])
def test_lost_messages_are_a_reason_to_check_everything_of_their_kind(name: str, events: set[str]) -> None:
    channel: Any = Full()
    assert Watch("/nonexistent")._received(channel, name) == events
