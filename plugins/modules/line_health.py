#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: line_health
short_description: Store the lines whose health the keeper watches
description:
  - Stores in C(/etc/multihome/lines.json) which lines a host has, and how the keeper judges whether each of them works.
    The service of M(multihome.linux.keeper) reads the file, also when it changes.
  - While a line is dead, the keeper sends what the host initiates over the other lines. It adds 16777216 to the metric
    of the line's default route in the table main, and leaves the line out of the balance of
    M(multihome.linux.connection_marks). Rules, marks, translations and the lines' own tables stay, so the line goes on
    serving what comes in by it.
  - The last usable line stays in use, also when no line works.
  - M(multihome.linux.policy_routing) and M(multihome.linux.connection_marks) expect the same as the keeper, so a run
    while a line is dead changes nothing.
  - The file is only for a host's own lines. A run with another list replaces the whole list.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._confirm
options:
  lines:
    description:
      - All lines of the host. An empty list removes the file, and ends the watching.
      - A line needs O(lines[].addresses), O(lines[].mark) or O(lines[].bind_interface) as soon as it has
        O(lines[].health.targets), so that its probes leave by no other line.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The line's name.
        type: str
        required: true
      id:
        description: The line's number, 1 to 250.
        type: int
        required: true
      interface:
        description: The interface of this host towards the line. The line is dead while the interface has no carrier.
        type: str
      addresses:
        description:
          - The addresses of this host on the line, with or without prefix lengths.
          - Probes have the first one of their family as source.
        type: list
        elements: str
      gateways:
        description: The next hops of the line. Default routes in the table main that lead there are the line's own.
        type: list
        elements: str
      mark:
        description:
          - The mark that leads to the line, as number and mask. Probes carry it.
          - It is needed where one address belongs to several lines, and it tells the line's share of the balance.
        type: str
      bind_interface:
        description: Whether the interface is the line's own, so that probes are sent by it whatever the routes say.
        type: bool
        default: false
      drained:
        description:
          - Whether the line is out of service. What the host initiates uses the other lines; what comes in by the line
            is still served.
          - C(multihome drain) does the same by command.
        type: bool
        default: false
      flows:
        description:
          - What happens to tracked connections that were initiated inside over a line that dies, while another line is
            usable. Connections that came in are never touched.
          - V(forget) deletes their entries, so that their next packets use another line. V(keep) leaves them alone.
            V(abort) also ends the sockets of this host, so that its programs see an error at once.
        type: str
        choices: [forget, keep, abort]
        default: forget
      health:
        description: How the line is judged. Without targets only its carrier and its gateway are watched.
        type: dict
        suboptions:
          targets:
            description:
              - What is asked over the line, at most 16. Three that do not depend on each other are best.
              - An address is asked by ICMP echo. A dictionary asks a DNS server (C(dns), and C(query), a name), a port
                (C(tcp), C(HOST:PORT)) or a web page (C(http), a URL, and C(status), 200 by default).
              - Addresses of the line itself are refused, because they answer also when the line is dead.
            type: list
            elements: raw
          quorum:
            description: So many targets have to answer.
            type: int
            default: 1
          interval:
            description: Seconds between two probes of one target, 0.1 to 60.
            type: float
            default: 0.5
          down_after:
            description: Seconds without an answer after which the line is dead. At least 2.4 times the interval.
            type: float
            default: 1.2
          up_after:
            description: Seconds for which a line that was dead has to answer before it is used again.
            type: float
            default: 10
          degraded:
            description: From when on the line is only the second choice.
            type: dict
            suboptions:
              loss:
                description: Lost probes in percent.
                type: float
                default: 25
              rtt:
                description: Mean latency in milliseconds.
                type: float
                default: 500
  force:
    description: Whether to drain a line also when it is the last usable one.
    type: bool
    default: false
notes:
  - An address may be V(auto:INTERFACE:ipv4) or V(auto:INTERFACE:ipv6), what another program, such as a DHCP client, has
    assigned to the interface. The keeper follows its changes; see C(docs/auto.md).
  - The keeper has to run. Without it nothing is watched, and the other modules configure what is declared.
seealso:
  - module: multihome.linux.keeper
  - module: multihome.linux.policy_routing
  - module: multihome.linux.connection_marks
"""

EXAMPLES = r"""
- name: Watch two lines of a server
  multihome.linux.line_health:
    lines:
      - name: unicom
        id: 1
        interface: eth0
        addresses: [192.168.168.1, "fd00:168::1"]
        gateways: [192.168.168.11, "fd00:168::11"]
        health:
          targets:
            - 192.0.2.1
            - {dns: 192.0.2.53}
            - {http: "https://status.example.net/", status: 204}
      - name: interlink
        id: 2
        interface: eth0
        addresses: [192.168.168.2]
        gateways: [192.168.168.12]

- name: Take a line out of service
  multihome.linux.line_health:
    lines:
      - {name: unicom, id: 1, interface: eth0, gateways: [192.168.168.11], drained: true}
      - {name: interlink, id: 2, interface: eth0, gateways: [192.168.168.12]}

- name: Watch nothing any more
  multihome.linux.line_health:
    lines: []
"""

RETURN = r"""
actions:
  description: The lines that were changed, in order. In check mode, those that would be changed.
  returned: success
  type: list
  elements: dict
  contains:
    op:
      description: One of V(add), V(remove), V(replace).
      type: str
      sample: replace
    object:
      description: The line, as an entry of O(lines).
      type: dict
      sample: {name: unicom, id: 1, interface: eth0, drained: true}
  sample:
    - op: replace
      object: {name: unicom, id: 1, interface: eth0, drained: true}
before:
  description: The lines that were stored before, as entries of O(lines), by name.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{name: unicom, id: 1, interface: eth0}]
after:
  description: The lines that are stored after the run. In check mode, those that a run would store.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{name: unicom, id: 1, interface: eth0, drained: true}]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.confirm_gate import guard_of
from ..module_utils._core.health.lines_engine import LinesEngine
from ..module_utils._module import CONFIRM_OPTION, ListModule, guarded, result, with_errors_reported

_NO = {"type": "bool", "default": False}
_TEXTS = {"type": "list", "elements": "str"}
_DEGRADED = {"loss": {"type": "float", "default": 25}, "rtt": {"type": "float", "default": 500}}
_HEALTH = {
    "targets": {"type": "list", "elements": "raw"},
    "quorum": {"type": "int", "default": 1},
    "interval": {"type": "float", "default": 0.5},
    "down_after": {"type": "float", "default": 1.2},
    "up_after": {"type": "float", "default": 10},
    "degraded": {"type": "dict", "options": _DEGRADED},
}
_LINE = {
    "name": {"type": "str", "required": True},
    "id": {"type": "int", "required": True},
    "interface": {"type": "str"},
    "addresses": _TEXTS,
    "gateways": _TEXTS,
    "mark": {"type": "str"},
    "bind_interface": _NO,
    "drained": _NO,
    "flows": {"type": "str", "choices": ["forget", "keep", "abort"], "default": "forget"},
    "health": {"type": "dict", "options": _HEALTH},
}
ARGUMENT_SPEC = {
    "lines": {"type": "list", "elements": "dict", "required": True, "options": _LINE},
    "force": _NO,
    **CONFIRM_OPTION,
}


def store(module: AnsibleModule) -> None:
    """Converge the file and end the module with the result; raises MultihomeError."""
    engine = LinesEngine.from_options(module.params)
    outcome = guarded(engine, module, guard_of(module.params["confirm"], lambda _current: {}))
    module.exit_json(**result(engine, outcome, bool(module._diff)))


def main() -> None:
    """Run the module."""
    module = ListModule(ARGUMENT_SPEC, ("lines",))
    with_errors_reported(module, lambda: store(module))


if __name__ == "__main__":
    main()
