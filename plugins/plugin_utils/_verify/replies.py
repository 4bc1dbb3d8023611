# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The replies that have to leave by their line, on a host of a declaration; and those that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._declaration.model import Declaration
from .._firewall import own_services, server_lines
from .._firewall import replies as of_firewall
from .._firewall import variables as firewall
from .._input.reading import AUTO
from .._roles import line_routing
from .._roles.module_lists import ReplyLists
from .._server import replies as of_server
from .._server import variables as server

TAKEN = "reply-taken"


def replies(
    declaration: Declaration,
    host: str,
    table_base: object = line_routing.TABLE_BASE,
    mark_mask: object = line_routing.MARK_MASK,
) -> ReplyLists:
    """The options ``replies`` and ``inside_networks`` of path_info; without lines that only the host knows."""
    lines = [line for line in server.lines(declaration, host) if AUTO not in (*line["addresses"], *line["gateways"])]
    own: Any = firewall.lines(declaration, host)
    if not own:
        return of_server.replies(lines, server.reply(declaration, host), table_base, mark_mask)
    inside = firewall.inside_networks(declaration, host)
    found = of_firewall.replies(
        server_lines.flagged(own) if lines else own,
        own_services.elsewhere(own_services.addresses_here(own, lines), firewall.forwards(declaration, host)),
        firewall.snat(declaration, host),
        inside,
        table_base,
        mark_mask,
    )
    if not lines:
        return found
    served = of_server.replies(lines, "source", table_base, mark_mask, (), inside)
    return server_lines.merged_replies(found, served)


def faults(host: str, findings: object) -> list[str]:
    """The replies of a host that something takes from their line, as path_info found them."""
    listed = findings if isinstance(findings, Sequence) and not isinstance(findings, str) else ()
    taken = [found for found in listed if isinstance(found, Mapping) and found.get("id") == TAKEN]
    return [f"{host}: {found.get('message')}" for found in taken]
