# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine of forwarding asks of the places where it may stand: an nft chain, and iptables chains."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Protocol

from .model import Forwarding


@dataclass(frozen=True)
class Standing:
    """What of ours stands in a place; ``forwarding`` is None where nothing does.

    ``faults`` say what is not as the forwarding needs it.
    """

    forwarding: Forwarding | None = None
    faults: tuple[str, ...] = ()

    def drops(self, _wanted: Forwarding, /) -> bool:
        """Tell whether others drop here what is wanted, where an accept of ours would help."""
        return False


class ForwardPart(Protocol):
    """One place, for one or both families."""

    backend: str
    name: str
    families: tuple[int, ...]

    def read(self) -> Any:
        """Return what stands, a Standing."""

    def faults(self, wanted: Forwarding) -> list[str]:
        """Return what of ``wanted`` cannot be said in this place."""

    def write(self, standing: Any, wanted: Forwarding | None) -> None:
        """Put ``wanted`` in place of what stands, None for nothing, in one transaction; raises ApplyFailed."""


def checksum(rule: str) -> str:
    """Return what tells the text that a rule was made of: the tools print rules in forms of their own."""
    return f"{zlib.crc32(rule.encode()):08x}"
