# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two backends of connection marks have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..filters.backend import Backend
from .model import Marks


@dataclass(frozen=True)
class State:
    """The marks that one read found, and the collection's own parts that are not as these marks need them."""

    marks: Marks
    faults: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.marks or self.faults)


# State and change are each backend's own.
MarkBackend = Backend[Any, Marks, Any]
