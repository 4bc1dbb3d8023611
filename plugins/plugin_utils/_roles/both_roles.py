# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Both roles on one host in one run: each would remove what the other one adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def both_roles_ran(variables: Mapping[str, Any], variable: str) -> list[str]:
    """The fault of a role with ``purge`` after the other one; ``variable`` is where the lines of both belong."""
    if not (variables.get("other_role_ran") and variables["purge"]):
        return []
    ran = "roles isp_firewall and multihomed_web both ran on this host, and each removes what the other one adds"
    return [f"{ran}: run isp_firewall alone there, with the lines of multihomed_web in {variable}"]
