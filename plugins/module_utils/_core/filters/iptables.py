# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of iptables: read one table of a family, and write it in one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Optional

from ..errors import ApplyFailed, ReadFailed, Unsupported
from ..host import programs, requirements

# A program's path, its arguments and its standard input, to (exit status, output, errors).
Runner = Callable[[str, Sequence[str], Optional[str]], tuple[int, str, str]]
NAMES = {4: "iptables", 6: "ip6tables"}
TAG = "multihome.linux"
# linux/netfilter/x_tables.h: XT_EXTENSION_MAXNAMELEN is 29, the end of the text included.
MAX_CHAIN_NAME = 28
_OTHER_VARIANT = {"nf_tables": "legacy", "legacy": "nf_tables"}
_PROGRAMS_OF_VARIANT = {"nf_tables": "nft", "legacy": "legacy"}
# The kernel names the tables of the legacy variant here. Listing a missing one would create it.
_LEGACY_TABLES = {4: "ip_tables_names", 6: "ip6_tables_names"}
_LOCK_SECONDS = "60"


def _run(path: str, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
    # Text of other programs in another encoding is written again as it was read.
    return programs.run(path, arguments, text, errors="surrogateescape")


class Iptables:
    """All tables. Tests replace ``runner``, which runs programs, and ``tool``, which finds them."""

    def __init__(
        self,
        runner: Runner = _run,
        tool: Callable[[str], str | None] | None = None,
        proc_net: str = "/proc/net",
    ) -> None:
        self._run = runner
        self._tool = tool or requirements.tool
        self._proc_net = proc_net
        self._variants: dict[int, str] = {}

    def families(self) -> list[int]:
        """Return the families that this host has; a host without IPv6 has no rules for it."""
        return [4, 6] if os.path.exists(os.path.join(self._proc_net, "if_inet6")) else [4]

    def variant(self, family: int) -> str:
        """Return ``nf_tables`` or ``legacy``; raises Unsupported when iptables is missing or too old."""
        if family not in self._variants:
            self._variants[family] = requirements.iptables_variant(NAMES[family], self._run, self._tool)
        return self._variants[family]

    def read(self, family: int, table: str = "nat") -> list[str]:
        """Return the lines of a table of a family, with counters.

        Raises Unsupported when iptables is missing, too old or not in charge of the table, ReadFailed when it fails.
        """
        if self.variant(family) == "legacy" and table not in self.legacy_tables(family):
            return []
        saved = self._save(f"{NAMES[family]}-save", ["-c", "-t", table])
        if any(line.startswith(f"# Table `{table}' is incompatible") for line in saved):
            raise Unsupported(
                f"{NAMES[family]}",
                f"a {table} table that only iptables has written to",
                "one that nft has changed",
                "use backend: nftables",
            )
        return saved

    def refuse_mixture(self) -> None:
        """Raise Unsupported when the other variant holds rules too: the kernel would apply both."""
        for family in self.families():
            variant = self.variant(family)
            other = _OTHER_VARIANT[variant]
            if other == "legacy" and not self.legacy_tables(family):
                continue
            name = f"{NAMES[family]}-{_PROGRAMS_OF_VARIANT[other]}-save"
            if self._tool(name) is None:
                if other == "nf_tables":
                    continue
                found = f"legacy tables, and no {name} to list their rules"
            elif any(line.startswith("-A") for line in self._save(name, [])):
                found = f"rules in {other} tables as well: {name} shows them"
            else:
                continue
            raise Unsupported(
                f"{NAMES[family]} ({variant})",
                "all rules of the host in tables of one variant",
                found,
                f"move them to {variant}, switch to {other} with update-alternatives, or use backend: nftables",
            )

    def apply(self, family: int, text: str) -> None:
        """Apply one transaction, all or nothing; raises ApplyFailed with the errors of iptables."""
        name = f"{NAMES[family]}-restore"
        arguments = ["--noflush", "--counters", "--wait", _LOCK_SECONDS]
        status, _output, errors = self._run(self._path(name), arguments, text)
        if status:
            raise ApplyFailed(name, errors.strip()[:300] or f"exit status {status}")

    def legacy_tables(self, family: int) -> list[str]:
        """Return the tables that the legacy variant has in the kernel; raises Unsupported without the right to read."""
        try:
            with open(os.path.join(self._proc_net, _LEGACY_TABLES[family]), encoding="ascii") as listed:
                return listed.read().split()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unsupported(NAMES[family], "the rights of root", str(error), "run as root (become: true)") from error

    def _save(self, name: str, arguments: Sequence[str]) -> list[str]:
        status, output, errors = self._run(self._path(name), arguments, None)
        if status:
            raise ReadFailed(f"{name}: {errors.strip()[:300] or f'exit status {status}'}")
        return output.splitlines()

    def _path(self, name: str) -> str:
        path = self._tool(name)
        if path is None:
            raise Unsupported(name, "the package iptables", requirements.NOWHERE)
        return path
