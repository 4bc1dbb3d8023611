# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program nft: reads one table, and writes it in one transaction. It never reads or writes other tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

from ..errors import ApplyFailed, InvalidInput, ReadFailed, Unsupported
from ..fields import shown
from ..host import programs, requirements
from .nftables_json import NftTable, read_ruleset, read_table

DEFAULT_TABLE = "multihome"
# Arguments and standard input to (exit status, output, errors).
Runner = Callable[[Sequence[str], Optional[str]], tuple[int, str, str]]


class TooLarge(ApplyFailed):
    """A transaction is larger than the send buffer, and the process may not enlarge that."""


def _run(arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
    return programs.run(requirements.nft(), arguments, text)


def table_name(value: object) -> str:
    """Return a table's name; raises InvalidInput when nft has no way to write it."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value):
        raise InvalidInput(
            [f'table {shown(value)}: not a name for an nft table: letters, digits and "_", a letter first, at most 64']
        )
    return value


class Nftables:
    """One table of family inet. ``runner`` takes the program's place in tests."""

    def __init__(self, table: str, runner: Runner = _run) -> None:
        self.table = table_name(table)
        self._run = runner

    def read(self, terse: bool = False) -> NftTable | None:
        """Return the table, or None when it does not exist; ``terse`` without elements of sets.

        Raises Unsupported when nft is missing, too old, or may not read; InvalidInput when nft reserves the name.
        """
        options = ["-j", "-t"] if terse else ["-j"]
        status, output, errors = self._run([*options, "list", "table", "inet", self.table], None)
        if status == 0:
            return read_table(_objects(output, f"nft -j list table inet {self.table}"))
        if "No such file or directory" in errors:
            return None
        if "syntax error" in errors:
            raise InvalidInput([f'table "{self.table}": nft reserves this word; choose another name'])
        raise Unsupported(
            f"nft list table inet {self.table}",
            "root, a kernel with nf_tables and an nft with JSON",
            errors.strip() or f"exit status {status}",
        )

    def tables(self) -> set[tuple[str, str]]:
        """Return family and name of every table of the host; raises Unsupported when nft may not read."""
        status, output, errors = self._run(["-j", "list", "tables"], None)
        if status:
            raise Unsupported("nft list tables", "root", errors.strip() or f"exit status {status}")
        return {(table.family, table.name) for table in read_ruleset(_objects(output, "nft -j list tables"))}

    def apply(self, text: str) -> None:
        """Apply one transaction, all or nothing; raises ApplyFailed with the errors of nft, TooLarge when too large."""
        status, _output, errors = self._run(["-f", "-"], text)
        if status and "Message too long" in errors:
            raise TooLarge(
                f"nft transaction on table inet {self.table}",
                "larger than the send buffer of this process; raise net.core.wmem_max on the machine (in a container "
                "that is the machine it runs on), or change fewer entries at a time",
            )
        if status:
            raise ApplyFailed(f"nft transaction on table inet {self.table}", _first_faults(errors, status))


def _objects(output: str, command: str) -> list[Mapping[str, object]]:
    """Return the objects that nft printed; raises ReadFailed for anything but JSON of the expected form."""
    try:
        objects = json.loads(output)["nftables"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ReadFailed(f"{command}: the output cannot be read ({type(error).__name__}): {shown(output)}") from error
    if not isinstance(objects, list) or not all(isinstance(printed, Mapping) for printed in objects):
        raise ReadFailed(f"{command}: the output is not a list of objects: {shown(output)}")
    return objects


def _first_faults(errors: str, status: int) -> str:
    # A line of text with 10,000 elements is no help: nft quotes it whole below its message.
    lines = [line for line in errors.splitlines() if re.search(r"(?i)error|fail", line)]
    shown = [line if len(line) <= 300 else f"{line[:300]}..." for line in lines[:5]]
    return "; ".join(shown) or errors.strip()[:300] or f"exit status {status}"
