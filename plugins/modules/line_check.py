#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: line_check
short_description: Check whether services answer through each line
description:
  - Sends a request to each target from the host that runs the module, to all of them at once, and returns one row per
    target.
  - Fails unless every target answers. The message then contains a matrix of lines and services, the failures, and the
    next steps.
  - Run it where the clients are, outside the lines, because a request from inside takes another path.
  - The whole check takes about as long as the longest O(targets[].timeout), however many targets there are. A target
    that does not answer takes it once for each of its O(targets[].attempts).
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  targets:
    description:
      - The targets to check.
      - All faults of the list are reported together.
    type: list
    elements: dict
    required: true
    suboptions:
      line:
        description: The line that leads to the target. It is only a label for the row in messages.
        type: str
        required: true
      address:
        description: The IPv4 or IPv6 address of the target, without a prefix length.
        type: str
        required: true
      port:
        description:
          - The port of the target.
          - Required with O(targets[].protocol=tcp) and O(targets[].protocol=udp), and left out with
            O(targets[].protocol=icmp).
        type: int
      protocol:
        description:
          - With V(tcp), the target has answered when the connection is established. It is then closed again.
          - With V(udp), O(targets[].send) is sent, and the target has answered when any datagram comes back.
            An ICMP error that comes back is reported at once as a failure.
          - With V(icmp), an ICMP echo request is sent, and the target has answered when its reply comes.
            That needs root, or a group within the kernel parameter C(net.ipv4.ping_group_range).
        type: str
        choices: [tcp, udp, icmp]
        default: tcp
      timeout:
        description:
          - How many seconds to wait for the answer, more than 0 and at most 600.
          - Within that time, a request without an answer is sent again every second.
        type: float
        default: 3
      attempts:
        description:
          - How often to ask a target that does not answer, from 1 to 10. One that answers is not asked again.
          - Each attempt has the whole O(targets[].timeout), and begins at least one second after the one before it.
        type: int
        default: 1
      source:
        description:
          - The address of this host to send from.
          - Without it, the kernel selects one.
        type: str
      send:
        description: The text to send with O(targets[].protocol=udp), encoded in UTF-8.
        type: str
        default: "multihome line check\n"
      expect:
        description:
          - Text that the answer must contain, with O(targets[].protocol=udp).
          - Without it, any answer is accepted.
        type: str
      name:
        description: A label for messages and for the matrix, usually the name of the service.
        type: str
seealso:
  - module: multihome.linux.path_info
    description: The gateway, interface, table and policy rule that this host uses.
"""

EXAMPLES = r"""
- name: Check the web server through each of its lines
  multihome.linux.line_check:
    targets:
      - name: web
        line: unicom
        address: 203.0.113.10
        port: 80
      - name: web
        line: interlink
        address: 198.51.100.20
        port: 80
      - name: web
        line: unicom
        address: "2001:db8:a::10"
        port: 80

- name: Give a server that is slow to start a second and a third chance
  multihome.linux.line_check:
    targets:
      - line: unicom
        address: 203.0.113.10
        port: 443
        timeout: 2
        attempts: 3

- name: Check services behind a line with other protocols than TCP
  multihome.linux.line_check:
    targets:
      - name: firewall
        line: unicom
        address: 203.0.113.10
        protocol: icmp
        timeout: 1
      - name: game server
        line: unicom
        address: 203.0.113.10
        port: 27960
        protocol: udp
        send: "\x7f\x7f\x7f\x7fgetstatus\n"
        expect: statusResponse

- name: Check on the server that the Internet answers each alias
  multihome.linux.line_check:
    targets:
      - line: unicom
        address: 192.0.2.53
        port: 53
        source: 192.168.168.1
      - line: interlink
        address: 192.0.2.53
        port: 53
        source: 192.168.168.2
  register: outbound
  ignore_errors: true

- name: Show the lines that are down
  ansible.builtin.debug:
    msg: "{{ outbound.rows | rejectattr('ok') | map(attribute='line') | unique }}"
"""

RETURN = r"""
rows:
  description: One row per entry of O(targets), in the same order, also when the module fails.
  returned: when O(targets) is valid
  type: list
  elements: dict
  contains:
    line:
      description: The line as given.
      type: str
      sample: unicom
    name:
      description: The label as given, or V(none).
      type: str
      sample: web
    address:
      description: The address of the target, in canonical form.
      type: str
      sample: 203.0.113.10
    port:
      description: The port of the target, V(none) with ICMP.
      type: int
      sample: 80
    protocol:
      description: The protocol that was used.
      type: str
      sample: tcp
    source:
      description: The source address as given, or V(none).
      type: str
      sample: 192.168.168.1
    local_address:
      description: The address of this host that the kernel sends from, V(none) where it has no route to the target.
      type: str
      sample: 192.0.2.50
    ok:
      description: Whether the target answered.
      type: bool
      sample: false
    milliseconds:
      description: Time from the first packet of the last attempt to the answer, V(none) without an answer.
      type: float
      sample: 12.345
    error:
      description: The error, V(none) without one.
      type: str
      sample: connection refused
    hint:
      description: The likely cause and the next step, V(none) without an error.
      type: str
      sample: >-
        the host answers, but the service does not listen: start it, or correct the port or its destination NAT
faults:
  description: Every fault of O(targets).
  returned: when O(targets) is not valid
  type: list
  elements: str
  sample:
    - 'targets[1] (203.0.113.300): not an IP address'
"""

from typing import Any

from ..module_utils._core.probes.report import failed_message
from ..module_utils._core.probes.targets import parse_targets, probe_all
from ..module_utils._module import run_reader

# parse_targets checks the entries and reports all faults of the list at once.
_TARGET = {
    "line": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int"},
    "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"], "default": "tcp"},
    "timeout": {"type": "float", "default": 3},
    "attempts": {"type": "int", "default": 1},
    "source": {"type": "str"},
    "send": {"type": "str", "default": "multihome line check\n"},
    "expect": {"type": "str"},
    "name": {"type": "str"},
}
ARGUMENT_SPEC = {"targets": {"type": "list", "elements": "dict", "required": True, "options": _TARGET}}


def check_lines(options: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of the targets, and the failure if any of them does not answer; raises InvalidInput."""
    rows = probe_all(parse_targets(options["targets"]))
    results = {"rows": [row.as_result() for row in rows]}
    if all(row.ok for row in rows):
        return results
    return {**results, "failed": True, "msg": failed_message(rows)}


def main() -> None:
    """Run the module."""
    run_reader(ARGUMENT_SPEC, check_lines, judged=("targets",))


if __name__ == "__main__":
    main()
