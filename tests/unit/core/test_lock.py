# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One writer at a time, with real locks of real processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.lock import exclusive, holders

HOLDER = """
import sys
from ansible_collections.multihome.linux.plugins.module_utils._core.lock import exclusive
with exclusive(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock until its standard input ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    path = tmp_path / "multihome" / "lock"
    with holder(path) as process:
        assert process.stdin is not None
        threading.Timer(0.3, process.stdin.close).start()
        begin = time.monotonic()
        with exclusive(str(path)):
            assert time.monotonic() - begin >= 0.25
            assert path.read_text() == f"{os.getpid()}\n"


def test_a_run_that_waits_too_long_names_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        with pytest.raises(Busy) as caught, exclusive(str(path), timeout=0.1):
            pass
        assert str(caught.value) == (
            f"another run (process {process.pid}) has held {path} for 0.1 s; nothing was changed; "
            "wait for it or end it, then run again"
        )


def test_a_killed_run_leaves_nothing_to_clean_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with exclusive(str(path), timeout=0):
            pass


def test_an_error_under_the_lock_lets_go_of_it(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with pytest.raises(ZeroDivisionError), exclusive(path):
        raise ZeroDivisionError
    with exclusive(path, timeout=0):
        pass


def test_nobody_else_may_read_or_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "multihome" / "lock"
    with exclusive(str(path)):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(Unsupported, match="the lock file: needs a regular file"), exclusive(str(tmp_path / "lock")):
        pass
    assert target.read_text() == "precious"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EROFS, "needs a writable /run, found .*; mount /run writable"),
        (errno.ENOSPC, "needs space on /run, found .*; free some space"),
        (errno.EACCES, "needs the rights of root, found .*run as root"),
        (errno.EIO, "needs the rights of root"),
    ],
)
def test_a_lock_file_that_cannot_be_opened_is_answered_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number), "/run/multihome/lock")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Unsupported, match=f"the lock file: {remedy}"), exclusive(str(tmp_path / "lock")):
        pass


def test_without_space_for_the_number_of_its_process_a_run_still_has_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = str(tmp_path / "lock")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        with exclusive(path), pytest.raises(Busy, match="process unknown"), exclusive(path, timeout=0):
            pass


def test_the_processes_that_hold_the_lock(tmp_path: Path) -> None:
    """Also a program that inherited it; neither one that waits for it, nor this one."""
    path = tmp_path / "lock"
    assert holders(str(path)) == []
    with exclusive(str(path)) as descriptor, subprocess.Popen(["sleep", "60"], pass_fds=[descriptor]) as heir:
        assert holders(str(path)) == [heir.pid]
        heir.kill()
        heir.wait()
        assert holders(str(path)) == []
    with holder(path) as process:
        waiting = os.open(path, os.O_RDWR)
        assert holders(str(path)) == [process.pid]
        os.close(waiting)
    assert holders(str(path)) == []
