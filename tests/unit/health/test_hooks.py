# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks run in order with what they need to know, are killed with all they started, and hold up nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health.hooks import DOWN, UP, Hooks, faults
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

FACTS = {"line": "unicom", "family": "ipv4", "reason": "no answer for 1.2 s"}
PATIENCE = 20.0


class Directory:
    """A directory of hooks, and what they and their runner said."""

    def __init__(self, path: Path) -> None:
        self.path, self.out, self.logged = path / "hooks.d", path / "out", list[str]()
        self.path.mkdir()
        self.hooks: Hooks | None = None

    def add(self, name: str, script: str, mode: int = 0o755) -> None:
        """Put a hook there; ``$out`` is a file that it may write to."""
        file = self.path / name
        file.write_text(f"#!/bin/sh\nout={self.out}\n{script}\n")
        file.chmod(mode)

    def start(self, timeout: float = PATIENCE) -> Hooks:
        """Begin to run hooks."""
        self.hooks = Hooks(lambda level, text: self.logged.append(f"{level}: {text}"), str(self.path), timeout)
        self.hooks.start()
        return self.hooks

    def said(self) -> list[str]:
        """What the hooks wrote."""
        return self.out.read_text().splitlines() if self.out.exists() else []


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    made = Directory(tmp_path)
    yield made
    if made.hooks is not None:
        made.hooks.stop(5)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_hook_gets_the_event_and_the_facts_and_nothing_of_ours(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    directory.add("20-second", 'echo "second $1" >> $out')
    directory.add(
        "10-first",
        'echo "$1 $MULTIHOME_EVENT $MULTIHOME_LINE $MULTIHOME_FAMILY $MULTIHOME_REASON [$NOTIFY_SOCKET]" >> $out',
    )
    hooks = directory.start()
    hooks.happened(DOWN, FACTS)
    hooks.happened(UP, FACTS)
    eventually(lambda: len(directory.said()) == 4)
    assert directory.said() == [
        "down down unicom ipv4 no answer for 1.2 s []",
        "second down",
        "up up unicom ipv4 no answer for 1.2 s []",
        "second up",
    ]


def test_a_hook_that_hangs_delays_nobody_and_dies_with_all_its_children(directory: Directory) -> None:
    # One child in its own session, as a daemon has it, and one in the background.
    directory.add(
        "10-hangs",
        "setsid sh -c 'echo $$ >> '$out'; exec sleep 600' &\nsleep 600 & echo $! >> $out\necho $$ >> $out\nwait",
    )
    directory.add("20-next", "echo next >> $out")
    hooks = directory.start(timeout=1.0)
    begin = time.monotonic()
    hooks.happened(DOWN, FACTS)
    assert time.monotonic() - begin < 0.1
    eventually(lambda: "next" in directory.said())
    pids = [int(word) for word in directory.said() if word != "next"]
    assert len(pids) == 3
    eventually(lambda: all(map(is_gone, pids)))
    assert any("hook 10-hangs was killed: it took more than 1 s" in text for text in directory.logged)


def test_stopping_kills_the_hook_that_runs(directory: Directory) -> None:
    directory.add("10-hangs", "echo $$ >> $out; exec sleep 600")
    hooks = directory.start()
    hooks.happened(DOWN, FACTS)
    eventually(lambda: bool(directory.said()))
    hooks.stop(5)
    eventually(lambda: is_gone(int(directory.said()[0])))


def test_a_hook_that_others_may_change_or_that_cannot_run_is_named_and_left_out(directory: Directory) -> None:
    directory.add("10-open", "echo open >> $out", mode=0o777)
    directory.add("20-text", "echo text >> $out", mode=0o644)
    directory.add("30-fails", "exit 3")
    directory.add(".hidden", "echo hidden >> $out")
    directory.add("40-last", "echo last >> $out")
    directory.start().happened(DOWN, FACTS)
    eventually(lambda: bool(directory.said()))
    assert directory.said() == ["last"]
    assert directory.logged == [
        "warning: hook 10-open is not run: writable by others than root",
        "warning: hook 20-text is not run: not executable",
        "warning: hook 30-fails failed with status 3",
    ]


def test_without_a_directory_nothing_happens(tmp_path: Path) -> None:
    logged: list[str] = []
    hooks = Hooks(lambda _level, text: logged.append(text), str(tmp_path / "nowhere"))
    hooks.start()
    hooks.happened(DOWN, FACTS)
    hooks.stop(5)
    assert logged == []


def test_too_many_events_never_block(directory: Directory) -> None:
    directory.add("10-slow", "sleep 600")
    hooks = directory.start()
    begin = time.monotonic()
    for _event in range(1000):
        hooks.happened(DOWN, FACTS)
    assert time.monotonic() - begin < 2
    assert any("given up" in text for text in directory.logged)


def test_what_is_no_file_is_no_hook(tmp_path: Path) -> None:
    assert faults(str(tmp_path)) == "not a file"
    assert faults(str(tmp_path / "nothing")) == os.strerror(2)
