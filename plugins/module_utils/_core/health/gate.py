# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of modules to the lines' health: on a host without stored lines it costs one look for a file."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from ..engine import Allowed
from ..entries import Options
from ..store.persistence import DIRECTORY


def allowed_by_health(kind: str, options: Options) -> Callable[[], Allowed | None]:
    """Return what says, when it is asked, which options of a kind of state the lines allow; None is all of them."""
    return functools.partial(_allowed, kind, options)


def are_lines_stored() -> bool:
    """Tell whether this host has stored lines."""
    return os.path.lexists(f"{DIRECTORY}/lines.json")


def _allowed(kind: str, options: Options) -> Allowed | None:
    if not are_lines_stored():
        return None
    # Loaded only where it is needed: a module is compiled on the host in every run.
    from .effective import allowed  # noqa: PLC0415 - as said
    from .observed import observed  # noqa: PLC0415 - as said

    found = observed()
    return None if found is None else allowed(kind, options, found)
