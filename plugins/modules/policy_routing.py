#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_routing
short_description: Routing tables and policy rules
description:
  - Ensures that routing tables contain given routes and that given policy rules select among the tables, with IPv4 and
    IPv6 in one list.
  - All of both lists is applied, or nothing. When the kernel refuses a step, the earlier steps are undone.
  - Make before break. Routes are added before the policy rules that use them, additions come before removals, and a
    changed route or policy rule is in place before the old one is removed.
  - A route or policy rule that exists already satisfies its entry, also one of another owner. Its ownership does not
    change. A different route or policy rule of another owner with the same key is an error that names the owner.
  - Routes and policy rules stay until the next boot. With O(persist=true), they are configured again at each boot.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  # First, for its action group.
  - multihome.linux._confirm
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
        description: The number of the routing table, 1 to 4294967295. 254 is the table main.
        type: int
        required: true
      name:
        description:
          - A name for the table, which O(rules[].table) can use.
          - C(ip) shows it too, and the owner tag as V(multihome), through C(/etc/iproute2/rt_tables.d/multihome.conf)
            and C(rt_protos.d/multihome.conf). iproute2 before 4.4 and 4.10 does not read them, and shows numbers.
          - A name or number that another file of C(/etc/iproute2) uses already stays with that file, with a warning.
        type: str
      routes:
        description: The routes of the table. A route is identified by its destination and metric.
        type: list
        elements: dict
        suboptions:
          destination:
            description: A prefix, or V(default).
            type: str
            required: true
          family:
            description: The address family. Required only for V(default) without a gateway, source or next hop.
            type: str
            choices: [ipv4, ipv6]
          gateway:
            description: The next hop's address.
            type: str
          interface:
            description:
              - The interface the route leaves by. With a gateway it may be left out; the kernel finds it.
              - An alternative name (C(ip link property)) is as good as the interface's own, here and in O(rules) and
                O(interface_groups).
            type: str
          type:
            description: The type of the route.
            type: str
            choices: [unicast, blackhole, unreachable, prohibit, throw]
            default: unicast
          metric:
            description:
              - A whole number. Of two routes to one destination, the one with the smaller metric wins.
              - The default is 0 for IPv4 and 1024 for IPv6.
            type: int
          source:
            description: The source address for packets that the host itself sends by this route.
            type: str
          mtu:
            description: The largest packet in bytes, 68 to 65520.
            type: int
          onlink:
            description: Whether the gateway is on the interface's link although no address of the host implies that.
            type: bool
            default: false
          nexthops:
            description: Several next hops that share the traffic, instead of O(tables[].routes[].gateway).
            type: list
            elements: dict
            suboptions:
              gateway:
                description: The next hop's address.
                type: str
              interface:
                description: The interface that leads to the next hop.
                type: str
              weight:
                description: The share of the next hop, 1 to 256.
                type: int
                default: 1
          name:
            description: A label for messages.
            type: str
  rules:
    description:
      - The policy rules. A rule is identified by its family, its priority and its whole selector.
      - Without this option no policy rule is read, changed or purged.
    type: list
    elements: dict
    suboptions:
      priority:
        description: A whole number. Rules with smaller numbers are evaluated first.
        type: int
        required: true
      family:
        description: The address family. Required when the rule has neither source nor destination.
        type: str
        choices: [ipv4, ipv6]
      source:
        description: Select by source prefix. A prefix of full length is the same as the address.
        type: str
      destination:
        description: Select by destination prefix.
        type: str
      in_interface:
        description: Select packets that come in by this interface. V(lo) selects packets that the host itself sends.
        type: str
      out_interface:
        description: Select packets of sockets that are bound to this interface.
        type: str
      mark:
        description: Select by packet mark, V(MARK) or V(MARK/MASK), for example V(0x1/0xff).
        type: str
      ip_protocol:
        description: Select by IP protocol, a name or a number.
        type: str
      source_port:
        description: Select by source port or range, for example V(80) or V(5000-6000). Linux accepts 1 to 65534.
        type: str
      destination_port:
        description: Select by destination port or range, as O(rules[].source_port).
        type: str
      invert:
        description: Whether to select the packets that the selector does not match.
        type: bool
        default: false
      tos:
        description:
          - Select by type of service, a number such as V(16) or V(0x10). Without it every type is selected.
          - The kernel decides which are valid. The two lowest bits have to be zero.
        type: str
      uid_range:
        description: Select packets of sockets of these users, a user ID or a range, for example V(1000-1999).
        type: str
      action:
        description:
          - How to treat the selected packets. V(lookup) requires O(rules[].table).
          - A jump (C(goto)) is not supported, because it also skips the rules of other programs.
        type: str
        choices: [lookup, unreachable, blackhole, prohibit]
        default: lookup
      table:
        description: The routing table to look up, by number, by a name of O(tables), or V(main), V(default), V(local).
        type: str
      suppress_prefix_length:
        description:
          - Ignore routes of the table whose prefix length is at most this value. V(0) ignores the default route.
        type: int
      suppress_interface_group:
        description: Ignore routes of the table by interfaces of this group. O(interface_groups) sets the group.
        type: int
      name:
        description: A label for messages.
        type: str
  interface_groups:
    description:
      - The groups of interfaces, for O(rules[].suppress_interface_group).
      - Only an interface of group 0, the kernel's default, is put into a group. One that somebody else put into another
        group keeps it, with a warning. One that does not exist is a warning; with O(persist=true) it gets its group
        when it appears.
      - An interface has no owner tag. The group whose number is O(protocol) belongs to this collection, and with
        O(purge=true) an interface of that group that is not listed goes back to group 0.
      - Without this option no group is read or changed.
    type: list
    elements: dict
    suboptions:
      interface:
        description: The interface.
        type: str
        required: true
      group:
        description: The number of the group, 1 to 4294967294.
        type: int
        required: true
      name:
        description: A label for messages.
        type: str
  skip_unavailable:
    description:
      - Whether routes by an interface that is down or does not exist are skipped with a warning for each such
        interface, instead of failing. Of a route with several next hops only those next hops are skipped.
      - With O(persist=true) they are stored all the same, and applied when the interface comes up.
      - This is about interfaces that a route names. A gateway that no interface reaches remains an error.
    type: bool
    default: false
  warn_skipped:
    description: Whether what is skipped is a warning, and not only in RV(skipped).
    type: bool
    default: true
  allow_disconnect:
    description:
      - Whether to remove the route or the policy rule by which the host answers the controller that is connected by
        ssh, and the last line that is usable. Without it, the module fails, and changes nothing.
      - A route or rule may be removed where the answers leave by the same gateway afterwards.
      - A line is a table with a default route. It is usable if one of its gateways answers. Where no line is left at
        all, the whole configuration is meant to be removed, and only the route to the controller is kept.
    type: bool
    default: false
notes:
  - An address may be V(auto:INTERFACE:ipv4) or V(auto:INTERFACE:ipv6), what another program, such as a DHCP client, has
    assigned to the interface. The keeper follows its changes; see C(docs/auto.md).
seealso:
  - module: multihome.linux.ip_aliases
  - module: multihome.linux.path_info
"""

EXAMPLES = r"""
- name: Send each reply by the line that its request came in by
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
      - name: use the LAN and other specific routes first
        priority: 20000
        family: ipv4
        table: main
        suppress_prefix_length: 0
      - priority: 23010
        source: 192.168.168.1
        table: unicom
      - name: never use another line
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

- name: Use two IPv6 next hops, three parts to one
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

- name: Never send a reply of one line by a route that main has for the interface of another line
  multihome.linux.policy_routing:
    interface_groups:
      - interface: wan0
        group: 109
      - interface: wan1
        group: 109
    rules:
      - priority: 20000
        family: ipv4
        table: main
        suppress_prefix_length: 7
        suppress_interface_group: 109

- name: Remove everything, except routes and policy rules of other owners
  multihome.linux.policy_routing:
    tables: []
    rules: []
    interface_groups: []
    purge: true
"""

RETURN = r"""
actions:
  description: The changes made, in order. In check mode, the changes that would be made.
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
        - A route with its table beside it, a policy rule or an interface group, as entries of O(tables[].routes),
          O(rules) and O(interface_groups).
        - Or a C(name), with the C(table) or C(protocol) that it is displayed for.
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
    interface_groups:
      description: As O(interface_groups). Missing when that option was not given.
      type: list
      elements: dict
      sample: [{interface: wan0, group: 109}]
  sample: {tables: [], rules: []}
after:
  description: The same after the run. In check mode, the state that a run would leave.
  returned: when something changed, or in diff mode
  type: dict
  contains: *state
  sample:
    tables: []
    rules: [{priority: 23010, family: ipv4, source: 192.168.168.1, table: 1001}]
skipped:
  description: The routes that wait for their interface, by interface.
  returned: when O(skip_unavailable=true) and something was skipped
  type: list
  elements: dict
  contains:
    interface:
      description: The interface.
      type: str
      sample: wan0
    reason:
      description: What is wrong with it.
      type: str
      sample: is down
    entries:
      description: The entries that wait for it, as messages name them.
      type: list
      elements: str
      sample: ["tables[0] (unicom).routes[1] (default)"]
  sample:
    - interface: wan0
      reason: is down
      entries: ["tables[0] (unicom).routes[1] (default)"]
"""

from typing import Any

from ..module_utils._core.converge import Outcome
from ..module_utils._core.entries import Options
from ..module_utils._core.health.gate import allowed_by_health
from ..module_utils._core.learned.gate import with_references
from ..module_utils._core.routing.engine import RoutingEngine, RoutingPlan
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_TEXT = {"type": "str"}
_NUMBER = {"type": "int"}
_NO = {"type": "bool", "default": False}
_FAMILY = {"type": "str", "choices": ["ipv4", "ipv6"]}
_NEXT_HOP = {"gateway": _TEXT, "interface": _TEXT, "weight": {"type": "int", "default": 1}}
_ROUTE_TYPES = ["unicast", "blackhole", "unreachable", "prohibit", "throw"]
_ROUTE = {
    "destination": {"type": "str", "required": True},
    "family": _FAMILY,
    "type": {"type": "str", "choices": _ROUTE_TYPES, "default": "unicast"},
    **dict.fromkeys(("gateway", "interface", "source", "name"), _TEXT),
    **dict.fromkeys(("metric", "mtu"), _NUMBER),
    "onlink": _NO,
    "nexthops": {"type": "list", "elements": "dict", "options": _NEXT_HOP},
}
_ACTIONS = ["lookup", "unreachable", "blackhole", "prohibit"]
_RULE = {
    "priority": {"type": "int", "required": True},
    "family": _FAMILY,
    **dict.fromkeys(("source", "destination", "in_interface", "out_interface", "mark", "ip_protocol"), _TEXT),
    **dict.fromkeys(("source_port", "destination_port", "tos", "uid_range", "table", "name"), _TEXT),
    **dict.fromkeys(("suppress_prefix_length", "suppress_interface_group"), _NUMBER),
    "invert": _NO,
    "action": {"type": "str", "choices": _ACTIONS, "default": "lookup"},
}
_GROUP = {"interface": {"type": "str", "required": True}, "group": {"type": "int", "required": True}, "name": _TEXT}
_TABLE = {
    "id": {"type": "int", "required": True},
    "name": _TEXT,
    "routes": {"type": "list", "elements": "dict", "options": _ROUTE},
}
ARGUMENT_SPEC = {
    "tables": {"type": "list", "elements": "dict", "options": _TABLE},
    "rules": {"type": "list", "elements": "dict", "options": _RULE},
    "interface_groups": {"type": "list", "elements": "dict", "options": _GROUP},
    "skip_unavailable": {"type": "bool", "default": False},
    "warn_skipped": {"type": "bool", "default": True},
    "allow_disconnect": {"type": "bool", "default": False},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}
SPEC_RULES = {"required_one_of": [("tables", "rules", "interface_groups")]}


def remarks(engine: RoutingEngine, outcome: Outcome[RoutingPlan], _check_mode: bool) -> dict[str, Any]:
    """Return the module's own return values."""
    return engine.remarks(outcome.plan)


def make_engine(options: Options) -> RoutingEngine:
    """Return the engine: routes are as the lines allow, see docs/health.md."""
    return with_references(_make_engine, options)


def _make_engine(options: Options) -> RoutingEngine:
    return RoutingEngine.from_options(options, ask_allowed=allowed_by_health("policy_routing", options))


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        make_engine,
        SPEC_RULES,
        remarks,
        judged=("tables", "rules", "interface_groups"),
        stored_as="policy_routing",
    )


if __name__ == "__main__":
    main()
