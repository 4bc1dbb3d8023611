# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection marks in nftables: chains, sets and maps whose names begin with ``marks_``, changed by one transaction.

Nothing else in the table is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ApplyFailed
from ..filters.nftables import Nftables
from .backend import State
from .model import Marks
from .nftables_layout import Layout, layout_of
from .nftables_reading import read_layout, recover


@dataclass(frozen=True)
class NftablesState(State):
    """The marks in the table, and the layout that a transaction has to replace."""

    exists: bool = False
    is_shared: bool = False
    layout: Layout = field(default_factory=Layout)


class NftablesMarks:
    """Reads and writes marks in one nft table of family inet."""

    name = "nftables"

    def __init__(self, table: str, nftables: Nftables | None = None) -> None:
        self.nftables = nftables or Nftables(table)
        self.place = f"nftables table inet {self.nftables.table}"

    def read(self) -> NftablesState:
        """Return the marks of the table; raises Unsupported when nft is missing or may not read."""
        table = self.nftables.read()
        if table is None:
            return NftablesState(Marks())
        layout, is_shared = read_layout(table)
        marks = recover(layout)
        written = layout_of(marks)[0] if marks else Layout()
        return NftablesState(marks, tuple(layout.differences(written)), True, is_shared, layout)

    def change(self, current: NftablesState, desired: Marks) -> str | None:
        """Return the transaction, None when there is nothing to send."""
        return transaction(current, desired, self.nftables.table) or None

    def apply(self, change: str, _current: NftablesState) -> None:
        """Send the transaction; raises ApplyFailed."""
        self.nftables.apply(change)

    def restore(self, before: NftablesState) -> list[str]:
        """Restore the marks of ``before``; return what could not be restored."""
        try:
            now = self.read()
            if now == before:
                return []
            text = transaction(now, before.marks, self.nftables.table)
            if text:
                self.nftables.apply(text)
            if before.exists and not before.marks:
                self.nftables.apply(f"add table inet {self.nftables.table}\n")
        except ApplyFailed as error:
            return [str(error)]
        return [f"{part} was incomplete before" for part in before.faults]


def transaction(current: NftablesState, desired: Marks, table: str) -> str:
    """Return the text for ``nft -f``: the own part is emptied and filled again, and the kernel switches at once.

    Chains that are hooked at the right place stay hooked. Without marks the own part is removed, and the table with it
    when nothing else is in it.
    """
    if not desired and not current.is_shared:
        return f"delete table inet {table}\n" if current.exists else ""
    layout, texts = layout_of(desired) if desired else (Layout(), {})
    here = current.layout
    kept = {name for name, hook in layout.hooks.items() if name in here.hooks and here.hooks[name] == hook}
    lines = [f"add table inet {table}"]
    lines += [f"flush chain inet {table} {name}" for name in here.hooks]
    lines += [f"delete {found.kind} inet {table} {name}" for name, found in here.sets.items()]
    lines += [f"delete chain inet {table} {name}" for name in here.hooks if name not in kept]
    for name, hook in layout.hooks.items():
        if name not in kept:
            definition = f" {{ type {hook[0]} hook {hook[1]} priority {hook[2]}; policy accept; }}" if hook else ""
            lines.append(f"add chain inet {table} {name}{definition}")
    for name, found in layout.sets.items():
        types = f"{found.key} : {found.value}" if found.value else found.key
        flags = f" flags {', '.join(found.flags)};" if found.flags else ""
        lines.append(f"add {found.kind} inet {table} {name} {{ type {types};{flags} }}")
        if found.elements:
            elements = ", ".join(_element_text(key, *element) for key, element in found.elements.items())
            lines.append(f"add element inet {table} {name} {{ {elements} }}")
    for name, rules in texts.items():
        for text, comment in zip(rules, layout.rules[name]):
            lines.append(f'add rule inet {table} {name} {text} comment "{comment}"')
    return "".join(f"{line}\n" for line in lines)


def _element_text(key: str, value: str | None, comment: str | None) -> str:
    note = f' comment "{comment}"' if comment else ""
    return f"{key}{note} : {value}" if value else f"{key}{note}"
