# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The functions of role isp_firewall, which also take lines with addresses that only their host knows."""

from __future__ import annotations

import functools

from .._roles import assigned
from . import checks, forwarding, health, interfaces, nat, own_ports, routing
from . import replies as replies_of

_referring = functools.partial(assigned.with_references, addresses="public_addresses", gateways="gateway")
faults = _referring(checks.faults)
accept = _referring(forwarding.accept)
mss = _referring(forwarding.clamps)
nat_rules = _referring(nat.nat_rules)
kernel_parameters = _referring(interfaces.kernel_parameters)
addresses = _referring(interfaces.addresses)
marks = _referring(routing.marks)
tables = _referring(routing.tables)
rules = _referring(routing.rules)
interface_groups = _referring(routing.interface_groups)
line_health = _referring(health.line_health)
taken_ports = _referring(own_ports.taken_ports)
replies = _referring(replies_of.replies)
