# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the rulesets of all packet filters of this host, whichever program wrote them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Optional

from ..host import programs, requirements
from .rulesets import Table, read_iptables, read_nft

# The message of nft on a kernel without nf_tables.
_UNKNOWN_TO_KERNEL = "not supported"

# Arguments to (exit status, output, errors); None when there is no such program.
Run = Callable[[Sequence[str]], Optional[tuple[int, str, str]]]


def run(arguments: Sequence[str]) -> tuple[int, str, str] | None:
    """Run a program of the system, wherever it is."""
    path = requirements.tool(arguments[0])
    return None if path is None else programs.run(path, arguments[1:])


def read_filters(
    runner: Run, features: dict[str, bool | None], missing: list[tuple[str, str]], proc_net: str = "/proc/net"
) -> list[Table]:
    """Return all packet filters: those of nftables, and those of iptables where nft cannot show their rules.

    A kernel without nf_tables is recorded in ``features``.
    """
    tables, opaque = _nft_tables(runner, features, missing)
    for family, name in ((4, "iptables"), (6, "ip6tables")):
        kind = "ip" if family == 4 else "ip6"
        if kind in opaque:
            saved = _saved(runner, (f"{name}-nft-save", f"{name}-save"), f"rules of {name}", missing)
            shown = read_iptables(saved, family)
            names = {table.name for table in shown}
            tables = [table for table in tables if (table.kind, table.name) not in {(kind, n) for n in names}] + shown
        if _has_legacy_tables(os.path.join(proc_net, f"{kind}_tables_names"), f"iptables-legacy ({name})", missing):
            saved = _saved(runner, (f"{name}-legacy-save", f"{name}-save"), f"rules of {name}-legacy", missing)
            tables += read_iptables(saved, family, "iptables-legacy")
    return tables


def _nft_tables(
    runner: Run, features: dict[str, bool | None], missing: list[tuple[str, str]]
) -> tuple[list[Table], set[str]]:
    # Terse: without the elements of sets and maps, which may be very many.
    listed = runner(["nft", "-j", "-t", "list", "ruleset"])
    if listed is None:
        missing.append(("packet filters", "nft is not installed"))
        return [], {"ip", "ip6"}
    status, output, errors = listed
    if status == 0:
        try:
            features["NF_TABLES"] = True
            return read_nft(json.loads(output)["nftables"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            errors = f"the output of nft is not understood: {error}"
    elif _UNKNOWN_TO_KERNEL in errors:
        features["NF_TABLES"] = False
        return [], set()
    missing.append(("packet filters", errors.strip() or f"nft ended with exit status {status}"))
    return [], {"ip", "ip6"}


def _saved(runner: Run, programs: Sequence[str], subject: str, missing: list[tuple[str, str]]) -> str:
    for program in programs:
        answer = runner([program])
        if answer is not None:
            status, output, errors = answer
            if status:
                missing.append((subject, errors.strip() or f"{program} ended with exit status {status}"))
            return output
    missing.append((subject, f"{programs[0]} is not installed"))
    return ""


def _has_legacy_tables(path: str, subject: str, missing: list[tuple[str, str]]) -> bool:
    try:
        with open(path, encoding="utf-8") as names:
            return bool(names.read().strip())
    except FileNotFoundError:
        return False
    except OSError as error:
        missing.append((subject, f"{path}: {error.strerror}"))
        return False
