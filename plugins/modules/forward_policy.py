#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: forward_policy
short_description: What a firewall forwards, and what becomes of everything else
description:
  - Makes sure that connections which are translated to given addresses, and those that given sources begin by given
    interfaces, are forwarded; and, with O(policy=drop), that nothing else is.
  - Only packets that are forwarded from interface to interface are ever dropped. What is sent to the host itself, by
    ssh for instance, meets no rule of this module.
  - Packets of connections that stand, and what belongs to them (ICMP errors for instance), are accepted in front.
  - With O(policy=drop), a chain in the nftables table O(table) drops the rest, or a chain of iptables does.
  - Where other people's rules of iptables, such as Docker's or ufw's, would drop what O(accept) lists, a chain of
    iptables accepts it, with either policy and either backend. One jump leads there, whose comment is
    C(multihome.linux). It stands first in C(DOCKER-USER) where C(FORWARD) sends everything there, else first in
    C(FORWARD).
  - Where nothing would drop what O(accept) lists, nothing is put there.
  - A chain of nftables that somebody else made and that drops cannot be overruled from another chain, and is left
    alone. M(multihome.linux.preflight) names those that are in the way.
  - A change is one transaction in each place; all of it is applied, or nothing. Other people's rules are never written.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._owner
  - multihome.linux._persist
requirements:
  - nft 1.0.2 or newer, on the managed host (package C(nftables)), or iptables 1.8.7 or newer (package C(iptables))
options:
  policy:
    description:
      - What becomes of connections that are forwarded and not listed in O(accept).
      - V(leave) leaves that to others. V(drop) drops them, those of containers on this host too.
    type: str
    choices: [leave, drop]
    default: leave
  accept:
    description:
      - The connections that may begin.
      - Each entry has either O(accept[].mapped_to), or both O(accept[].source) and O(accept[].out_interface).
    type: list
    elements: dict
    required: true
    suboptions:
      mapped_to:
        description: Connections whose destination was translated to this address, or to an address of this network.
        type: str
      source:
        description:
          - Connections that begin at this address, or in this network, and leave by O(accept[].out_interface).
          - What comes in by an interface that an entry names as O(accept[].out_interface) does not count, whatever its
            source says.
        type: str
      out_interface:
        description: The interface by which they leave.
        type: str
      name:
        description: What messages call the entry. It is not kept on the host.
        type: str
  backend:
    description: What drops the rest with O(policy=drop), as in M(multihome.linux.nat_rules).
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  table:
    description:
      - The name of the nftables table, of family C(inet), in which the chain is called C(forward).
      - The chain of iptables is called after it, C(multihome-forward). The name has at most 20 characters then.
    type: str
    default: multihome
  purge:
    description: Whether what an earlier run accepts and O(accept) does not list is accepted no longer.
  protocol:
    description:
      - Without effect here, and accepted so that all modules take the same options. What this collection forwards is
        told by O(table).
notes:
  - The rules stand until the next boot, or until somebody flushes the whole rule set of the host.
  - Where bridged packets pass the packet filter (C(br_netfilter)), O(policy=drop) drops those too.
seealso:
  - module: multihome.linux.nat_rules
  - module: multihome.linux.preflight
"""

EXAMPLES = r"""
- name: Let pass what is mapped to a server and what the LAN begins, and nothing else
  multihome.linux.forward_policy:
    policy: drop
    accept:
      - mapped_to: 192.168.168.1
      - {source: 192.168.168.0/24, out_interface: wan0}
    purge: true

- name: Only see to it that neither Docker nor ufw drops what is mapped
  multihome.linux.forward_policy:
    accept:
      - mapped_to: 192.168.168.1
      - mapped_to: "fd00:168::1"

- name: Leave everything to others again
  multihome.linux.forward_policy:
    accept: []
    purge: true
"""

RETURN = r"""
backend:
  description: What drops the rest with O(policy=drop), V(nftables) or V(iptables).
  returned: success
  type: str
  sample: nftables
backend_reason:
  description: Why that was chosen.
  returned: success
  type: str
  sample: auto prefers nftables
actions:
  description: What was done, or in check mode would be, in this order.
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
        - An entry as in O(accept), or the option O(policy).
        - Its only key is C(table), a text, when it is a chain that comes, goes, or was not what it must be.
      type: dict
      sample: {mapped_to: 192.168.168.1}
  sample:
    - op: add
      object: {mapped_to: 192.168.168.1}
before:
  description: The options as they stood before. What nothing would drop stands nowhere, and is not in C(accept).
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
  sample: {policy: leave, accept: []}
after:
  description: The same after the run. In check mode, what a run would leave.
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
  sample: {policy: drop, accept: [{mapped_to: 192.168.168.1}]}
"""

from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.filters.selection import BACKENDS
from ..module_utils._core.forwarding.engine import ForwardEngine
from ..module_utils._core.forwarding.model import POLICIES
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_PASSAGE = {name: {"type": "str"} for name in ("mapped_to", "source", "out_interface", "name")}
ARGUMENT_SPEC = {
    "policy": {"type": "str", "choices": list(POLICIES), "default": "leave"},
    "accept": {"type": "list", "elements": "dict", "required": True, "options": _PASSAGE},
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
            "backend": engine.backend_name,
            "backend_reason": engine.backend_reason,
        },
        judged=("accept",),
        stored_as="forward_policy",
    )


if __name__ == "__main__":
    main()
