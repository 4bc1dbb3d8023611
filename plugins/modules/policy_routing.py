#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_routing
short_description: Routing tables and policy rules
description:
  - Makes sure that routes stand in routing tables and that policy rules choose among the tables, IPv4 and IPv6 in one
    list.
  - All of both lists is applied, or nothing. When the kernel refuses a step, the steps before it are undone.
  - Make before break. Routes come before the policy rules that use them, additions before removals, and a changed
    route or policy rule is in place before the old one goes.
  - What stands already is satisfied, whoever put it there, and is not taken over. A different route or policy rule of
    another owner under the same key is an error that names the owner.
  - Routes and policy rules stand until the next boot, and with O(persist=true) from then on as well.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._attributes.netlink
  - multihome.linux._owner
  - multihome.linux._persist
options:
  tables:
    description:
      - The routing tables with their routes.
      - Without this option no route is read, changed or purged. V([]) with O(purge=true) removes every owned route.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The number of the routing table, 1 to 4294967295. 254 is the table main.
          - Needed in every entry.
        type: raw
      name:
        description:
          - A name for the table, by which O(rules[].table) may call it.
          - C(ip) shows it too, and the owner tag as V(multihome), by C(/etc/iproute2/rt_tables.d/multihome.conf) and
            C(rt_protos.d/multihome.conf). iproute2 before 4.4 and 4.10 does not read them, and shows numbers.
          - A name or number that another file of C(/etc/iproute2) has already is left to it, with a warning.
        type: str
      routes:
        description: The routes of the table. Destination and metric tell one from another.
        type: list
        elements: dict
        suboptions:
          destination:
            description:
              - A prefix, or V(default).
              - Needed in every entry.
            type: str
          family:
            description: V(ipv4) or V(ipv6); only needed for V(default) when no gateway, source or next hop tells.
            type: str
          gateway:
            description: The next hop's address.
            type: str
          interface:
            description: The interface the route leaves by. With a gateway it may be left out; the kernel finds it.
            type: str
          type:
            description: V(unicast) (the default), V(blackhole), V(unreachable), V(prohibit) or V(throw).
            type: str
          metric:
            description: A whole number; of two routes to one destination the smaller wins. Default 0, for IPv6 1024.
            type: raw
          source:
            description: The source address of what the host itself sends by this route.
            type: str
          mtu:
            description: The largest packet in bytes, 68 to 65520.
            type: raw
          onlink:
            description: Whether the gateway is on the interface's link though no address of the host says so.
            type: bool
          nexthops:
            description: Several next hops to share the traffic, instead of O(tables[].routes[].gateway).
            type: list
            elements: dict
            suboptions:
              gateway:
                description: The next hop's address.
                type: str
              interface:
                description: The interface towards it.
                type: str
              weight:
                description: Its share, 1 to 256. Default 1.
                type: raw
          name:
            description: What messages call the route.
            type: str
  rules:
    description:
      - The policy rules. Family, priority and the whole selector tell one from another.
      - Without this option no policy rule is read, changed or purged.
    type: list
    elements: dict
    suboptions:
      priority:
        description:
          - The place in the order, a whole number; smaller is asked first.
          - Needed in every entry.
        type: raw
      family:
        description: V(ipv4) or V(ipv6); needed when neither source nor destination tells.
        type: str
      source:
        description: Select by source prefix. A prefix of full length is the same as the address.
        type: str
      destination:
        description: Select by destination prefix.
        type: str
      in_interface:
        description: Select what came in by this interface; V(lo) is what the host itself sends.
        type: str
      out_interface:
        description: Select what sockets bound to this interface send.
        type: str
      mark:
        description: Select by packet mark, V(MARK) or V(MARK/MASK), for example V(0x1/0xff).
        type: str
      ip_protocol:
        description: Select by IP protocol, a name or a number.
        type: str
      source_port:
        description: Select by source port or range, for example V(80) or V(5000-6000).
        type: str
      destination_port:
        description: Select by destination port or range.
        type: str
      invert:
        description: Whether to select what the selector does not.
        type: bool
      action:
        description: V(lookup) (the default), V(unreachable), V(blackhole) or V(prohibit).
        type: str
      table:
        description: The routing table to look up, by number, by a name of O(tables), or V(main), V(default), V(local).
        type: str
      suppress_prefix_length:
        description: Pass over routes of the table whose prefix is no longer than this; V(0) passes over the default.
        type: raw
      name:
        description: What messages call the policy rule.
        type: str
seealso:
  - module: multihome.linux.ip_aliases
  - module: multihome.linux.path_info
"""

EXAMPLES = r"""
- name: Each reply leaves by the line its request came in on
  multihome.linux.policy_routing:
    tables:
      - id: 1001
        name: unicom
        routes:
          - destination: default
            gateway: 192.168.168.11
            interface: eth0
      - id: 1002
        name: interlink
        routes:
          - destination: default
            gateway: 192.168.168.12
            interface: eth0
    rules:
      - name: the LAN and other specific routes first
        priority: 20000
        family: ipv4
        table: main
        suppress_prefix_length: 0
      - priority: 23010
        source: 192.168.168.1
        table: unicom
      - name: never by another line
        priority: 23011
        source: 192.168.168.1
        action: unreachable
      - priority: 23020
        source: 192.168.168.2
        table: interlink
      - priority: 23021
        source: 192.168.168.2
        action: unreachable
    purge: true

- name: Two next hops, three parts to one, IPv6
  multihome.linux.policy_routing:
    tables:
      - id: 254
        routes:
          - destination: default
            metric: 4096
            nexthops:
              - gateway: fd00:168::11
                interface: eth0
                weight: 3
              - gateway: fd00:168::12
                interface: eth0

- name: Take away all of it, leave other owners' routes and policy rules alone
  multihome.linux.policy_routing:
    tables: []
    rules: []
    purge: true
"""

RETURN = r"""
actions:
  description: What was done, in order. In check mode, what would be done.
  returned: success
  type: list
  elements: dict
  contains:
    op:
      description: One of V(add), V(remove), V(replace).
      type: str
      sample: add
    object:
      description:
        - A route with its table beside it, or a policy rule, as entries of O(tables[].routes) and O(rules).
        - Or a C(name), with the C(table) or C(protocol) that it is shown for.
      type: dict
      sample: {table: 1001, destination: default, gateway: 192.168.168.11, interface: eth0}
  sample:
    - op: add
      object: {table: 1001, destination: default, gateway: 192.168.168.11, interface: eth0}
    - op: add
      object: {priority: 23010, family: ipv4, source: 192.168.168.1, table: 1001}
before:
  description: The routes and policy rules that were listed or owned before.
  returned: when something changed, or in diff mode
  type: dict
  contains: &state
    tables:
      description: As O(tables). Missing when that option was not given.
      type: list
      elements: dict
      sample: [{id: 1001, routes: [{destination: default, gateway: 192.168.168.11, interface: eth0}]}]
    rules:
      description: As O(rules). Missing when that option was not given.
      type: list
      elements: dict
      sample: [{priority: 23010, family: ipv4, source: 192.168.168.1, table: 1001}]
  sample: {tables: [], rules: []}
after:
  description: The same after the run. In check mode, what a run would leave.
  returned: when something changed, or in diff mode
  type: dict
  contains: *state
  sample:
    tables: []
    rules: [{priority: 23010, family: ipv4, source: 192.168.168.1, table: 1001}]
"""

from ..module_utils._core.converge import Outcome
from ..module_utils._core.routing.engine import RoutingEngine
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_TEXT = {"type": "str"}
_NUMBER = {"type": "raw"}  # judged by the engine, which says which entry it is and goes on to the next fault
_NEXT_HOP = {"gateway": _TEXT, "interface": _TEXT, "weight": _NUMBER}
_ROUTE = {
    **dict.fromkeys(("destination", "family", "gateway", "interface", "type", "source", "name"), _TEXT),
    **dict.fromkeys(("metric", "mtu"), _NUMBER),
    "onlink": {"type": "bool"},
    "nexthops": {"type": "list", "elements": "dict", "options": _NEXT_HOP},
}
_RULE = {
    **dict.fromkeys(("family", "source", "destination", "in_interface", "out_interface", "mark", "ip_protocol"), _TEXT),
    **dict.fromkeys(("source_port", "destination_port", "action", "table", "name"), _TEXT),
    **dict.fromkeys(("priority", "suppress_prefix_length"), _NUMBER),
    "invert": {"type": "bool"},
}
_ROUTES = {"type": "list", "elements": "dict", "options": _ROUTE}
ARGUMENT_SPEC = {
    "tables": {"type": "list", "elements": "dict", "options": {"id": _NUMBER, "name": _TEXT, "routes": _ROUTES}},
    "rules": {"type": "list", "elements": "dict", "options": _RULE},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}
SPEC_RULES = {"required_one_of": [("tables", "rules")]}


def remarks(engine: RoutingEngine, outcome: Outcome, _check_mode: bool) -> dict[str, list[str]]:
    """Return what the result says besides."""
    return engine.remarks(outcome.plan)


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        RoutingEngine.from_options,
        SPEC_RULES,
        remarks,
        judged=("tables", "rules"),
        stored_as="policy_routing",
    )


if __name__ == "__main__":
    main()
