# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The functions of role multihomed_web, which also take lines with addresses that only their host knows."""

from __future__ import annotations

import functools

from .._roles import assigned
from . import health, interfaces, routing

_referring = functools.partial(assigned.with_references, addresses="addresses", gateways="gateways")
kernel_parameters = _referring(interfaces.kernel_parameters)
aliases = _referring(interfaces.aliases)
marks = _referring(routing.marks)
tables = _referring(routing.tables)
rules = _referring(routing.rules)
interface_groups = _referring(routing.interface_groups)
line_health = _referring(health.line_health)
