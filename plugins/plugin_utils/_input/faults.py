# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The place of a value in the input, and the list that collects its faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class DeclarationError(ValueError):
    """The input has faults. ``faults`` holds every one of them, as ``PLACE: MESSAGE``."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class Place:
    """A place in the input, ``multihome_lines[0] (unicom)``; all places of one input share their faults."""

    def __init__(self, text: str, faults: list[str]) -> None:
        self.text = text
        self.faults = faults

    def fault(self, message: str) -> None:
        """Record that something is wrong here."""
        self.faults.append(f"{self.text}: {message}")

    def at(self, part: str) -> Place:
        """A place inside this one."""
        return Place(f"{self.text}: {part}", self.faults)

    def key(self, name: str) -> Place:
        """The place of one value of the dictionary at this place."""
        return Place(f"{self.text}.{name}", self.faults)

    def item(self, index: int) -> Place:
        """The place of one entry of the list at this place."""
        return Place(f"{self.text}[{index}]", self.faults)


@contextmanager
def sound() -> Iterator[list[str]]:
    """A list for faults; raises DeclarationError with all of them on the way out."""
    faults: list[str] = []
    yield faults
    if faults:
        raise DeclarationError(faults)


def all_faults(*steps: Callable[[], object]) -> list[str]:
    """The faults that any of ``steps`` raises as DeclarationError, each once, in their order."""
    found: dict[str, None] = {}
    for step in steps:
        try:
            step()
        except DeclarationError as error:
            found.update(dict.fromkeys(error.faults))
    return list(found)
