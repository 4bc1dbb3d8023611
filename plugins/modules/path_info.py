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
  - With O(replies) it also checks that all replies of the lines leave by their own line, and names the cause otherwise.
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
    default: []
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
  replies:
    description:
      - The replies that have to leave by their line, one entry for each line and source address.
      - The kernel is asked for each of them towards destinations in all parts of the Internet, the networks of other
        lines, and O(inside_networks).
    type: list
    elements: dict
    default: []
    suboptions:
      line:
        description: The name of the line.
        type: str
        required: true
      table:
        description: The number of the line's routing table.
        type: int
        required: true
      source:
        description:
          - The address that the reply comes from when it is routed.
          - On a firewall this is the server's own address, as it is translated afterwards.
        type: str
        required: true
      gateways:
        description: The next hops of the line; only those of the source's family count.
        type: list
        elements: str
      mark:
        description: The mark of the reply, where replies are routed by mark.
        type: str
      in_interface:
        description: The interface by which the reply comes in, where the host forwards it.
        type: str
      forwarded:
        description:
          - Whether the host forwards the reply of a server behind it, which it gets by the interface that leads to
            O(replies[].source).
        type: bool
        default: false
      interface:
        description: The line's own interface, where it has one on this host. Needed for a line without gateway.
        type: str
      networks:
        description: The networks on the line's own interface.
        type: list
        elements: str
      name:
        description: A label for messages.
        type: str
  inside_networks:
    description: The networks whose replies are routed by the table V(main).
    type: list
    elements: str
    default: []
  reply_taken:
    description:
      - What to do about a finding V(reply-taken). The result has the findings in any case, apart from those of replies
        that cannot be asked for now.
    type: str
    choices: [report, warn, fail]
    default: report
  protocol:
    description: The owner tag by which the collection's own policy rules are known.
    type: int
    default: 109
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

- name: Fail if anything routes a reply away from its line
  multihome.linux.path_info:
    replies:
      - line: unicom
        table: 1001
        source: 192.168.168.1
        gateways: [192.168.168.11]
    inside_networks: [192.168.168.0/24]
  register: way
  failed_when: way.findings | selectattr("id", "equalto", "reply-taken") | length > 0
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
findings:
  description: The replies that do not leave by their line.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description:
        - V(reply-taken) when something else takes the reply.
        - V(reply-may-be-taken) when a rule of another program would take a reply with its mark, or one that comes in by
          its interface. Whether there are such replies is not known here.
        - V(reply-refused) when the line's table has no way, so that the collection's own policy rule refuses it.
        - V(reply-not-asked) when the source is no address of this host, or the interface does not exist.
      type: str
      sample: reply-taken
    line:
      description: As asked.
      type: str
      sample: unicom
    family:
      description: V(ipv4) or V(ipv6).
      type: str
      sample: ipv4
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
    destination:
      description: One destination for which this holds.
      type: str
      sample: 11.255.255.253
    traffic:
      description:
        - The traffic for which this holds, where a rule of another program selects a protocol, ports, a type of service
          or a user. Empty where it holds for any.
      type: str
      sample: tcp, from port 443
    rule:
      description:
        - The policy rule that decided, with its C(owner); of a jump with C(goto). Empty when it could not be found.
      type: dict
      sample: {priority: 100, family: ipv4, source: 192.168.168.1, table: 200, owner: protocol 3 (boot)}
    route:
      description: The route that takes the reply, with its table and C(owner). Empty when there is none.
      type: dict
      sample: {table: 200, destination: 0.0.0.0/0, gateway: 10.8.0.1, interface: tun0, owner: protocol 3 (boot)}
    message:
      description: All of it in one line.
      type: str
      sample: replies of line unicom from 192.168.168.1 to 11.255.255.253 are taken
    remedy:
      description: What to do about it.
      type: str
      sample: remove that rule, or give it a priority above 23011
  sample: []
"""

from typing import Any

from ..module_utils._core.entries import objects
from ..module_utils._core.learned.host_addresses import HostAddresses
from ..module_utils._core.references import bound, references
from ..module_utils._core.routing.reply_model import TAKEN, parse_networks, parse_replies
from ..module_utils._core.routing.reply_paths import check_replies
from ..module_utils._core.routing.route_lookup import look_up, parse_paths
from ..module_utils._module import DEFAULT_OWNER, run_reader

_TEXT = {"type": "str"}
_PATH = {
    "destination": {"type": "str", "required": True},
    **dict.fromkeys(("source", "mark", "in_interface", "name"), _TEXT),
}
_TEXTS = {"type": "list", "elements": "str"}
_REPLY = {
    "line": {"type": "str", "required": True},
    "table": {"type": "int", "required": True},
    "source": {"type": "str", "required": True},
    **dict.fromkeys(("mark", "in_interface", "interface", "name"), _TEXT),
    "forwarded": {"type": "bool", "default": False},
    **dict.fromkeys(("gateways", "networks"), _TEXTS),
}
ARGUMENT_SPEC = {
    "paths": {"type": "list", "elements": "dict", "default": [], "options": _PATH},
    "replies": {"type": "list", "elements": "dict", "default": [], "options": _REPLY},
    "inside_networks": {**_TEXTS, "default": []},
    "reply_taken": {"type": "str", "choices": ["report", "warn", "fail"], "default": "report"},
    "protocol": {"type": "int", "default": DEFAULT_OWNER},
}


def read(options: dict[str, Any]) -> dict[str, Any]:
    """Return the result for the options."""
    if references(options):
        options = bound(options, HostAddresses(options["protocol"]).now())
    replies = objects(parse_replies(options["replies"]))
    # Reading the policy rules twice takes time where there are many.
    rows = [] if replies and not options["paths"] else look_up(parse_paths(options["paths"]))
    inside = parse_networks(options["inside_networks"])
    findings = check_replies(replies, inside, options["protocol"]) if replies else []
    answer: dict[str, Any] = {"paths": rows, "findings": [finding.as_result() for finding in findings]}
    taken = [finding.message for finding in findings if finding.kind == TAKEN]
    if taken and options["reply_taken"] == "fail":
        return {**answer, "failed": True, "msg": "\n".join(taken)}
    return {**answer, "warnings": taken} if taken and options["reply_taken"] == "warn" else answer


def main() -> None:
    """Run the module."""
    run_reader(ARGUMENT_SPEC, read, judged=("paths", "replies"))


if __name__ == "__main__":
    main()
