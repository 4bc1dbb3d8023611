# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of checkpoints: what is written is synced and renamed, so that no crash leaves half of it.

/var/lib/multihome/checkpoints/pending -> RUN      while a run waits for its confirmation, or its revert failed
/var/lib/multihome/checkpoints/RUN/status.json     the state of the checkpoint
                                  /before.json     the state to restore
                                  /revert.pyz      the program that restores it
                                  /reserve         room for the files to restore, should the disk fill up
                                  /confirmed.json  the state that was confirmed
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from typing import Any

from ..confirm import CONFIRMED, ENDED, FAILED, PLACE, REVERTED, is_run, note_process
from ..errors import ReadFailed
from .file_records import write_synced
from .model import NONE, Status

# So many confirmed states, and so many tombstones, are kept.
KEPT = 5


def _age(status: Status) -> tuple[int, str, str, str]:
    # The statuses of earlier versions have no number.
    return status.number, status.ended_at, status.armed_at, status.run


class Directory:
    """The checkpoints of a host; methods that write raise OSError."""

    def __init__(self, place: str = PLACE) -> None:
        self.place = place
        self._pending = os.path.join(place, "pending")

    def path(self, run: str, name: str = "") -> str:
        """Return the path of a file of a run."""
        return os.path.join(self.place, run, name) if name else os.path.join(self.place, run)

    def pending(self) -> str | None:
        """Return the run that waits for its confirmation; raises ReadFailed.

        A run that has ended does not wait, also where the process that ended it was killed before it removed the link.
        """
        run = self._linked()
        if run is not None:
            with contextlib.suppress(ReadFailed):
                if self.state(run) in ENDED:
                    return None
        return run

    def is_linked(self, run: str) -> bool:
        """Tell whether the link names this run, also where that has ended; raises ReadFailed."""
        return self._linked() == run

    def _linked(self) -> str | None:
        try:
            run = os.readlink(self._pending)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReadFailed(
                f"cannot read {self._pending}: {error.strerror}; it is no link of this collection"
            ) from error
        if not is_run(run):
            raise ReadFailed(f"{self._pending} points to {run}, which is no run; remove it")
        return run

    def status(self, run: str) -> Status | None:
        """Return the status of a run, None for one without a checkpoint; raises ReadFailed."""
        path = self.path(run, "status.json")
        try:
            with open(path, encoding="utf-8") as file:
                status = Status.of_json(json.load(file))
            if status.run != run:
                raise ValueError(f"it is that of run {status.run}")
            return status
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReadFailed(f"cannot read {path}: {error}") from error

    def state(self, run: str) -> str:
        """Return the state of a run."""
        status = self.status(run)
        return status.state if status else NONE

    def make(self, run: str) -> None:
        """Make the directory of a run."""
        for directory in (os.path.dirname(self.place), self.place):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(self.place, 0o700)
        # A run that was killed while it armed has changed nothing.
        shutil.rmtree(self.path(run), ignore_errors=True)
        os.mkdir(self.path(run), 0o700)

    def write(self, run: str, name: str, data: bytes) -> None:
        """Write a file of a run in one step."""
        path, new = self.path(run, name), self.path(run, f".{name}.new")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        try:
            write_synced(new, data)
            os.rename(new, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise
        self._sync(self.path(run))

    def write_json(self, run: str, name: str, content: Any) -> int:
        """Write plain data as a file of a run; return its length."""
        data = json.dumps(content).encode()
        self.write(run, name, data)
        return len(data)

    def save(self, status: Status) -> None:
        """Write the status of a run."""
        self.write_json(status.run, "status.json", status.as_json())

    def load(self, run: str, name: str) -> Any:
        """Return the content of a file of a run; raises ReadFailed."""
        path = self.path(run, name)
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError) as error:
            raise ReadFailed(f"cannot read {path}: {error}") from error

    def reserve(self, run: str, size: int) -> None:
        """Take room on the disk that a revert can use."""
        descriptor = os.open(self.path(run, "reserve"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def release(self, run: str, *names: str) -> None:
        """Remove files of a run."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(run, name))

    def register(self, run: str, process: tuple[int, int]) -> None:
        """Note a process of the run, without the host's lock: it may hang while it holds that."""
        note_process(self.path(run), *process)

    def processes(self, run: str) -> list[tuple[int, int]]:
        """Return the noted processes of a run."""
        found = [re.fullmatch(r"process-(\d+)-(\d+)", name) for name in os.listdir(self.path(run))]
        return [(int(match[1]), int(match[2])) for match in found if match]

    def unregister(self, run: str) -> None:
        """No longer note any process of a run."""
        self.release(run, *(f"process-{number}-{start}" for number, start in self.processes(run)))

    def set_pending(self, run: str) -> None:
        """Name the run that waits for its confirmation."""
        # No name of a run begins with a dot.
        new = os.path.join(self.place, ".pending.new")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        os.symlink(run, new)
        os.rename(new, self._pending)
        self._sync(self.place)

    def clear_pending(self, run: str) -> None:
        """No longer wait for this run."""
        if self.is_linked(run):
            os.unlink(self._pending)
            self._sync(self.place)

    def discard(self, run: str) -> None:
        """Remove a checkpoint that was not armed; the room on the disk is free again."""
        with contextlib.suppress(OSError, ReadFailed):
            self.clear_pending(run)
        shutil.rmtree(self.path(run), ignore_errors=True)

    def prune(self) -> None:
        """Remove all confirmed states and tombstones but the newest."""
        for state in (CONFIRMED, REVERTED):
            for status in self.all_in(state)[KEPT:]:
                shutil.rmtree(self.path(status.run), ignore_errors=True)

    def all_in(self, state: str) -> list[Status]:
        """Return the checkpoints in a state, the newest first; those that cannot be read are left out."""
        found: list[Status] = []
        with contextlib.suppress(FileNotFoundError):
            for run in os.listdir(self.place):
                with contextlib.suppress(ReadFailed):
                    status = self.status(run) if is_run(run) else None
                    found += [status] if status and status.state == state else []
        return sorted(found, key=_age, reverse=True)

    def next_number(self) -> int:
        """Return a number above those of all runs."""
        return 1 + max(
            (status.number for state in (CONFIRMED, REVERTED, FAILED) for status in self.all_in(state)), default=0
        )

    def _sync(self, directory: str) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
