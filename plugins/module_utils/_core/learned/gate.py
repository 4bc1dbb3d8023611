# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to addresses that an ISP assigns: where nothing refers to them, it costs one look at the options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from ..entries import Options
from ..reference_texts import references

if TYPE_CHECKING:
    from .engine import Learner

E = TypeVar("E")


def with_references(make: Callable[[Options], E], options: Options, learner: Learner | None = None) -> E:
    """Return the engine of these options; where they have references, one that asks for their values when it reads."""
    texts = references(options)
    if not texts:
        return make(options)
    # Loaded only where it is needed: a module is compiled on the host in every run.
    from .engine import LearnedEngine  # noqa: PLC0415 - as said
    from .host_addresses import HostAddresses  # noqa: PLC0415 - as said

    # It does what the engine of the values does.
    return cast(E, LearnedEngine(make, options, texts, learner or HostAddresses(options.get("protocol") or 109)))
