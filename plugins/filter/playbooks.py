# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..plugin_utils import _changes, _verify, _verify_paths
from ..plugin_utils._checks import examine, read_declaration
from ..plugin_utils._filters import as_filter
from ..plugin_utils._routing import MARK_MASK


def declaration_faults(declaration: object, groups: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """Every fault of the declaration, none when it is sound."""
    return examine(declaration, groups)[1]


def line_check_targets(declaration: object, timeout: float = 3) -> list[dict[str, Any]]:
    """The targets of line_check for a whole declaration."""
    return _verify.targets(read_declaration(declaration), timeout)


def path_info_paths(
    declaration: object, host: str, destinations: Iterable[str], mark_mask: object = MARK_MASK
) -> list[dict[str, Any]]:
    """The paths of path_info on one host."""
    return _verify_paths.paths(read_declaration(declaration), host, destinations, mark_mask)


def verify_report(
    declaration: object,
    probes: Mapping[str, Any],
    paths: Mapping[str, Any],
    expect_down: Sequence[str] = (),
    mark_mask: object = MARK_MASK,
) -> dict[str, list[str]]:
    """The matrix of a verification, and what is wrong."""
    return _verify.report(read_declaration(declaration), probes, paths, expect_down, mark_mask)


class FilterModule:
    """What the playbooks deploy and verify need beside the roles' variables."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "declaration_faults": as_filter(declaration_faults),
            "line_check_targets": as_filter(line_check_targets),
            "path_info_paths": as_filter(path_info_paths),
            "verify_report": as_filter(verify_report),
            "change_summary": as_filter(_changes.summary),
        }
