#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: forward_policy
short_description: Select the connections that a firewall forwards
description:
  - Ensures that two kinds of connections are forwarded. These are connections that are translated to given addresses,
    and connections that given sources initiate by given interfaces. With O(policy=drop), nothing else is forwarded.
  - Only packets that are forwarded from interface to interface are ever dropped. No rule of this module affects packets
    to the host itself, for example of ssh.
  - Packets of established connections, and related packets such as ICMP errors, are accepted first.
  - With O(policy=drop), a chain in the nftables table O(table) drops the rest, or an iptables chain does.
  - Where third-party iptables rules, such as those of Docker or ufw, would drop connections of O(accept), an iptables
    chain accepts them, with either policy and either backend. One jump with the comment C(multihome.linux) leads to it.
    The jump is the first rule of C(DOCKER-USER) if C(FORWARD) sends every packet there, else the first rule of
    C(FORWARD).
  - Where nothing would drop the connections of O(accept), no such chain is created.
  - A third-party nftables chain that drops packets cannot be overruled from another chain, and is not changed.
    M(multihome.linux.preflight) names the chains that drop these connections.
  - Each change is one transaction per packet filter. All of it is applied, or nothing. Third-party rules are never
    changed.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  # First, for its action group.
  - multihome.linux._confirm
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._owner
  - multihome.linux._persist
requirements:
  - nft 1.0.2 or newer, on the managed host (package C(nftables)), or iptables 1.8.7 or newer (package C(iptables))
options:
  policy:
    description:
      - How to treat forwarded connections that O(accept) does not list.
      - V(leave) leaves them to other packet filters. V(drop) drops them, also those of containers on this host.
    type: str
    choices: [leave, drop]
    default: leave
  accept:
    description:
      - The connections to accept.
      - Each entry has either O(accept[].mapped_to) alone, or both O(accept[].source) and O(accept[].out_interface).
    type: list
    elements: dict
    required: true
    suboptions:
      mapped_to:
        description: Accept connections whose destination was translated to this address, or to an address of this
          network.
        type: str
      source:
        description:
          - Accept connections from this address or network that leave by O(accept[].out_interface).
          - Packets that come in by an interface listed as O(accept[].out_interface) do not match, whatever their
            source address is.
        type: str
      out_interface:
        description:
          - The interface by which the connections leave.
          - A name that ends in V(+) or V(*), a wildcard of iptables or nft, is refused. Give one entry for each
            interface.
        type: str
      name:
        description: A label for messages. It is not stored on the host.
        type: str
  mss:
    description:
      - Limits of the maximum segment size of TCP, for connections that are forwarded by an interface, in both
        directions and families. They help where an interface has a smaller MTU than the hosts, as PPPoE and tunnels
        have, and messages about packets that are too large get lost.
      - Only the packets that open a connection are changed, and a smaller size is never enlarged.
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description: The interface. Wildcards are refused, as in O(accept[].out_interface).
        type: str
        required: true
      mss:
        description:
          - V(auto) is the size that fits the MTU of the route. It changes nothing on interfaces with the MTU of the
            hosts.
          - A number from 536 to 65495 is that size. V(off) removes the limit of the interface.
        type: str
        required: true
      name:
        description: A label for messages. It is not stored on the host.
        type: str
  backend:
    description: The packet filter that drops the rest with O(policy=drop), as in M(multihome.linux.nat_rules).
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  table:
    description:
      - The name of the nftables table, of family C(inet). The chain in it is named C(forward).
      - The iptables chain is named after it, C(multihome-forward). The name then has at most 20 characters.
    type: str
    default: multihome
  purge:
    description: Whether to remove entries of earlier runs that O(accept) does not list.
  protocol:
    description:
      - Has no effect here. All modules accept it so that they share the same options. The rules of this collection are
        identified by O(table).
notes:
  - The rules stay until the next boot, or until another program flushes the whole rule set of the host.
  - Where bridged packets pass through the packet filter (C(br_netfilter)), O(policy=drop) drops them too.
seealso:
  - module: multihome.linux.nat_rules
  - module: multihome.linux.preflight
"""

EXAMPLES = r"""
- name: Accept connections mapped to a server or initiated by the LAN, and nothing else
  multihome.linux.forward_policy:
    policy: drop
    accept:
      - mapped_to: 192.168.168.1
      - {source: 192.168.168.0/24, out_interface: wan0}
    purge: true

- name: Only prevent Docker and ufw from dropping mapped connections
  multihome.linux.forward_policy:
    accept:
      - mapped_to: 192.168.168.1
      - mapped_to: "fd00:168::1"

- name: Fit connections to the smaller packets of PPPoE and of a tunnel
  multihome.linux.forward_policy:
    accept: []
    mss:
      - {interface: ppp0, mss: auto}
      - {interface: tun0, mss: "1300"}

- name: Leave everything to other packet filters again
  multihome.linux.forward_policy:
    accept: []
    purge: true
"""

RETURN = r"""
backend:
  description: The packet filter that drops the rest with O(policy=drop), V(nftables) or V(iptables).
  returned: success
  type: str
  sample: nftables
backend_reason:
  description: Why this packet filter was selected.
  returned: success
  type: str
  sample: auto prefers nftables
actions:
  description: The changes made, in order. In check mode, the changes that would be made.
  returned: success
  type: list
  elements: dict
  contains:
    op:
      description: V(add), V(replace) or V(remove).
      type: str
      sample: add
    object:
      description:
        - An entry as in O(accept) or O(mss), or the option O(policy).
        - Its only key is C(table), a text, when a chain was added, removed or corrected.
      type: dict
      sample: {mapped_to: 192.168.168.1}
  sample:
    - op: add
      object: {mapped_to: 192.168.168.1}
before:
  description: The options before the run. C(accept) lacks entries that need no rule because nothing would drop them.
  returned: when something changed, or in diff mode
  type: dict
  contains:
    policy:
      description: As O(policy).
      type: str
      sample: leave
    accept:
      description: As O(accept).
      type: list
      elements: dict
      sample: []
    mss:
      description: As O(mss), if there are any.
      type: list
      elements: dict
      sample: []
  sample: {policy: leave, accept: []}
after:
  description: The same after the run. In check mode, the state that a run would leave.
  returned: when something changed, or in diff mode
  type: dict
  contains:
    policy:
      description: As O(policy).
      type: str
      sample: drop
    accept:
      description: As O(accept).
      type: list
      elements: dict
      sample: [{mapped_to: 192.168.168.1}]
    mss:
      description: As O(mss), if there are any.
      type: list
      elements: dict
      sample: []
  sample: {policy: drop, accept: [{mapped_to: 192.168.168.1}]}
"""

from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.filters.selection import BACKENDS
from ..module_utils._core.forwarding.engine import ForwardEngine
from ..module_utils._core.forwarding.model import POLICIES
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_TEXT = {"type": "str"}
_CLAMP = {
    "interface": {"type": "str", "required": True},
    "mss": {"type": "str", "required": True},
    "name": _TEXT,
}
_PASSAGE = dict.fromkeys(("mapped_to", "source", "out_interface", "name"), _TEXT)
ARGUMENT_SPEC = {
    "policy": {"type": "str", "choices": list(POLICIES), "default": "leave"},
    "accept": {"type": "list", "elements": "dict", "required": True, "options": _PASSAGE},
    "mss": {"type": "list", "elements": "dict", "default": [], "options": _CLAMP},
    "backend": {"type": "str", "choices": ["auto", *BACKENDS], "default": "auto"},
    "table": {"type": "str", "default": DEFAULT_TABLE},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        ForwardEngine.from_options,
        extra=lambda engine, _outcome, _check_mode: {
            "backend": engine.selection.name,
            "backend_reason": engine.selection.reason,
        },
        judged=("accept", "mss"),
        stored_as="forward_policy",
    )


if __name__ == "__main__":
    main()
