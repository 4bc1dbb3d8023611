# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine and its backends say to each other about connection marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from .model import Marks


@dataclass(frozen=True)
class Standing:
    """What one read found: the marks, and the parts of ours that are not what the marks need."""

    marks: Marks
    faults: tuple[str, ...] = ()


class Backend(Protocol):
    """One way to keep marks in the kernel. Each gets back from the engine only what its own ``read`` returned."""

    name: str

    def read(self) -> Any:
        """Return what stands, a Standing."""

    def write(self, standing: Any, marks: Marks) -> None:
        """Put ``marks`` in place of what stands, all or nothing; raises ApplyFailed."""

    def undo(self, before: Any) -> list[str]:
        """Put back what stood; return what could not be."""
