#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: path_info
short_description: Look up the path that a packet would take
description:
  - Asks the kernel, for each packet of a list, which gateway and interface it would use, and which routing table and
    policy rule decide that.
  - A packet without a path is a row with its error, not a failure of the module.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
  - multihome.linux._attributes.netlink
options:
  paths:
    description:
      - The packets to look up.
      - All faults of the list are reported together.
    type: list
    elements: dict
    required: true
    suboptions:
      destination:
        description: The destination address of the packet.
        type: str
        required: true
      source:
        description:
          - The source address of the packet. It is an address of the host, unless O(paths[].in_interface) is given.
          - Without it, the kernel selects one, as for a socket that is not bound.
        type: str
      mark:
        description: The packet's mark.
        type: str
      in_interface:
        description: The interface by which a packet to be forwarded comes in.
        type: str
      name:
        description: A label for messages.
        type: str
seealso:
  - module: multihome.linux.policy_routing
  - module: multihome.linux.line_check
"""

EXAMPLES = r"""
- name: Find the line of replies and of the server's own connections
  multihome.linux.path_info:
    paths:
      - source: 192.168.168.1
        destination: 192.0.2.10
      - source: 192.168.168.2
        destination: 192.0.2.10
      - destination: 2001:db8:c::10
  register: way

- name: Assert that the first alias leaves by the first firewall
  ansible.builtin.assert:
    that: way.paths[0].gateway == "192.168.168.11"
"""

RETURN = r"""
paths:
  description: One row for each entry of O(paths), in their order.
  returned: success
  type: list
  elements: dict
  contains:
    destination:
      description: As asked.
      type: str
      sample: 192.0.2.10
    source:
      description: As asked.
      type: str
      sample: 192.168.168.1
    mark:
      description: As asked.
      type: str
      sample: "0x1"
    in_interface:
      description: As asked.
      type: str
      sample: lan0
    reachable:
      description: Whether a path exists.
      type: bool
      sample: true
    type:
      description: The type of the route, V(unicast) or V(local) for instance. Empty when the kernel found none.
      type: str
      sample: unicast
    gateway:
      description: The next hop. Empty on the interface's own link.
      type: str
      sample: 192.168.168.11
    interface:
      description: The interface that the packet leaves by.
      type: str
      sample: eth0
    table:
      description: The number of the routing table that decided.
      type: int
      sample: 1001
    rule_priority:
      description: The priority of the policy rule that selected the table, or that refused the packet.
      type: int
      sample: 23010
    preferred_source:
      description: The source address that the kernel selects or confirms.
      type: str
      sample: 192.168.168.1
    error:
      description: Why no path exists.
      type: str
      sample: no route, or a rule says unreachable
  sample:
    - destination: 192.0.2.10
      source: 192.168.168.1
      mark: null
      in_interface: null
      reachable: true
      type: unicast
      gateway: 192.168.168.11
      interface: eth0
      table: 1001
      rule_priority: 23010
      preferred_source: 192.168.168.1
      error: null
"""

from ..module_utils._core.routing.route_lookup import look_up, parse_paths
from ..module_utils._module import run_reader

_TEXT = {"type": "str"}
_PATH = {
    "destination": {"type": "str", "required": True},
    **dict.fromkeys(("source", "mark", "in_interface", "name"), _TEXT),
}
ARGUMENT_SPEC = {"paths": {"type": "list", "elements": "dict", "required": True, "options": _PATH}}


def main() -> None:
    """Run the module."""
    run_reader(
        ARGUMENT_SPEC,
        lambda options: {"paths": look_up(parse_paths(options["paths"]))},
        judged=("paths",),
    )


if __name__ == "__main__":
    main()
