# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered requests without a break, of which each has to be answered: their number counts, and never the time."""

from __future__ import annotations

import re
import subprocess
import threading
import time

PATIENCE = 60.0  # seconds, for a busy machine
_NUMBER = re.compile(r"icmp_seq=(\d+)")


class NumberedPings:
    """A running ``ping``, not quiet, whose output is a pipe. Nothing sends a lost request again."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._answered: set[int] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = _NUMBER.search(line)
            # What else has a number tells of an error.
            if found and "bytes from" in line:
                self._answered.add(int(found[1]))

    @property
    def last(self) -> int:
        """The number of the last request that was answered."""
        return max(self._answered, default=0)

    def wait_for_more(self, count: int = 20) -> None:
        """Wait until so many more requests have been answered, or nothing is answered any more."""
        limit, wanted = time.monotonic() + PATIENCE, len(self._answered) + count
        while len(self._answered) < wanted:
            assert time.monotonic() < limit, f"{len(self._answered)} requests answered, the last is {self.last}"
            time.sleep(0.01)

    def end(self) -> list[int]:
        """End it, and return the numbers of the requests that were lost: not answered, though later ones were."""
        # What starts it in a namespace may wait for it, and takes no other signal along.
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return sorted(set(range(1, self.last)) - self._answered)


def pinging(address: str, interval: float = 0.005) -> tuple[str, ...]:
    """Return the command."""
    return ("ping", "-n", "-i", str(interval), address)
