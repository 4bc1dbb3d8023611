# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, in tests: for a condition and never for a time, and long enough for a machine with other work."""

from __future__ import annotations

import time
from collections.abc import Callable

# Nothing that tests wait for takes as long; a machine with other work needs a multiple of the usual time.
PATIENCE = 30.0


def eventually(
    holds: Callable[[], object], shown: str | Callable[[], object] = "", seconds: float = PATIENCE, pause: float = 0.02
) -> float:
    """Wait until something holds, and return the seconds that it took.

    :param shown: a text for the failure, or a function that returns it at that moment
    :param pause: seconds between two questions
    :raises AssertionError: it does not hold within ``seconds``
    """
    begin = time.monotonic()
    while not holds():
        if time.monotonic() >= begin + seconds:
            raise AssertionError(f"not within {seconds:g} s: {shown() if callable(shown) else shown}")
        time.sleep(pause)
    return time.monotonic() - begin
