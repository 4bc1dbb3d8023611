#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check whether a host is ready for its lines
description:
  - Checks a host before anything is changed. It reports every problem that would prevent its lines from working, now or
    after the next boot, each with its remedy.
  - It checks interfaces, kernel parameters, routes and policy rules, packet filters and marks of other owners, gateways
    and duplicate addresses, configuration files, and programs that undo the settings of this collection.
  - All findings are reported at once. A check that is impossible, for example because a program is missing, is a
    finding of its own and no failure.
  - Nothing on the host is changed. To find gateways and duplicate addresses, it sends ARP requests and neighbour
    solicitations, see O(probe_timeout).
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  lines:
    description:
      - The lines of this host. Entries of the roles' C(isp_firewall_lines) and C(multihomed_web_lines) are accepted
        unchanged.
      - All faults of the list are reported together.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: The line's number, 1 to 250.
        type: int
        required: true
      interface:
        description: The interface by which this host reaches the line.
        type: str
        required: true
      addresses:
        description: The addresses of the line on this host, with prefix lengths, or V(auto).
        type: list
        elements: str
        aliases: [public_addresses]
      outside_addresses:
        description:
          - Addresses with prefix lengths that this host has in place of those of the same family in
            O(lines[].addresses), where a device of the ISP translates these.
        type: list
        elements: str
      gateways:
        description: The next hops of the line, or V(auto).
        type: list
        elements: str
        aliases: [gateway]
      weight:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: int
      name:
        description: A label for messages.
        type: str
      left_out:
        description: The reason why the line cannot be used now. A warning reports it.
        type: str
      without_gateway:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: list
        elements: str
      learned:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: bool
      mss:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: str
      onlink:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: bool
      untranslated:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: list
        elements: str
      ends_here:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: bool
      drained:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: bool
      flows:
        description: Ignored. It is accepted so that the list of a role can be passed unchanged.
        type: str
      health:
        description:
          - The health check of the line, as in M(multihome.linux.line_health). Only its targets matter here.
          - One that does not lie behind the line's gateway is a warning.
        type: dict
      not_held:
        description: The addresses that another program adds and removes, with prefix lengths.
        type: list
        elements: str
  role:
    description:
      - The role of the host for the lines.
      - A V(firewall) must forward packets, and other packet filters must accept mapped connections.
    type: str
    choices: [firewall, server]
    required: true
  servers:
    description:
      - The addresses that a firewall maps to. They decide which rules of other packet filters matter.
      - Without them, a filter with any rule that accepts packets is a warning instead of an error.
    type: list
    elements: str
    default: []
  translated_networks:
    description:
      - The networks behind a firewall from which nothing may leave by a line with the address that it has, by the
        entries of O(nat_rules). An exemption without further conditions is meant, and no finding.
    type: list
    elements: str
    default: []
  zones_on_lines_only:
    description:
      - The zones that a name server of this host has, and that have no name server elsewhere. Each is an information.
    type: list
    elements: str
    default: []
  taken_ports:
    description:
      - The tcp ports that the firewall itself needs, such as that of ssh, and that lead to a server at some of its
        addresses, from P(multihome.linux.isp_firewall_taken_ports#filter). Each is a warning.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The mapping that takes the port.
        type: str
      address:
        description: The address of the firewall.
        type: str
        required: true
      port:
        description: The port.
        type: int
        required: true
      server:
        description: The address of the server that gets its connections.
        type: str
        required: true
  uses_marks:
    description:
      - Whether connections are marked with their line.
      - With V(false), marks of other programs are not checked, and a server needs no packet filter.
    type: bool
    default: true
  tables:
    description:
      - The routing tables that the caller will configure, as M(multihome.linux.policy_routing) accepts them.
      - Routes of other owners in these tables are a finding, apart from those that M(multihome.linux.policy_routing)
        accepts as its own. The tables C(main), C(local) and C(default) are not checked.
    type: list
    elements: dict
    default: []
  rules:
    description:
      - The policy rules that the caller will configure, as M(multihome.linux.policy_routing) accepts them.
      - Rules of other owners between the first and the last one of a family are a finding, apart from those that
        M(multihome.linux.policy_routing) accepts as its own.
    type: list
    elements: dict
    default: []
  interface_groups:
    description:
      - The groups of interfaces that the caller will configure, as M(multihome.linux.policy_routing) accepts them.
    type: list
    elements: dict
    default: []
  replies:
    description:
      - The options C(replies) and C(inside_networks) of M(multihome.linux.path_info), for replies that have to leave by
        their line.
      - The kernel is asked for those whose rules, routes and groups are already as the caller will configure them. For
        the others its answer is computed from the rules and routes that there will be.
    type: dict
    default: {}
  reply_taken:
    description: Whether a reply that does not leave by its line is an error or a warning.
    type: str
    choices: [fail, warn]
    default: fail
  nat_rules:
    description:
      - The translations that the caller will configure, as M(multihome.linux.nat_rules) accepts them.
      - Translations of other programs that take their connections are a finding, and so are packet filters that drop
        the connections which they translate on the way out.
    type: list
    elements: dict
    default: []
  nat_backend:
    description: The option C(backend) of M(multihome.linux.nat_rules) with which they will be configured.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  auto_reply:
    description:
      - Whether the caller assigns replies to lines by mark where another program translates destinations on this host,
        as container engines do. RV(reply_by_mark_needed) then says whether one does.
    type: bool
    default: false
  skips_unavailable:
    description:
      - Whether the caller lets a line wait for its interface. Then one that is down or missing is a warning.
    type: bool
    default: false
  mark_mask:
    description: The bits of the mark that contain a line's id.
    type: str
    default: "0xff"
  protocol:
    description: The owner tag that identifies routes and policy rules of this collection.
    type: int
    default: 109
  table:
    description:
      - The nftables table of this collection. It does not count as third-party.
      - The same applies to iptables chains whose names begin with it, in upper or lower case.
    type: str
    default: multihome
  file:
    description: The file that sets this collection's kernel parameters at boot.
    type: str
    default: /etc/sysctl.d/60-multihome.conf
  kernel_parameters:
    description:
      - The kernel parameters that the caller will set, as M(multihome.linux.kernel_parameters) accepts them.
      - Findings that they will fix are reported as information, with RV(findings[].will_mend).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The parameter.
        type: str
        required: true
      value:
        description: The value.
        type: str
        required: true
      optional:
        description: Ignored. It is accepted so that the same list can be passed.
        type: bool
        default: false
  purge:
    description:
      - Whether the caller will remove parameters from O(file) that O(kernel_parameters) does not list.
      - Only RV(kernel_parameters_pending) depends on it.
    type: bool
    default: false
  plan:
    description:
      - The modules that the caller will run, each with its options. RV(pending) then names those that have anything to
        do, so that the caller need not run the others.
      - The keys are V(forward_policy), V(nat_rules), V(kernel_parameters), V(ip_aliases), V(connection_marks),
        V(policy_routing) and V(keeper). A key without a value counts as missing.
      - Lists may be given as JSON text, which is much faster for long ones.
      - O(tables), O(rules), O(interface_groups), O(kernel_parameters), O(file) and O(purge) are taken from here where
        the plan has their module.
    type: dict
    default: {}
  plan_by_mark:
    description:
      - The modules that have other options than in O(plan) where RV(reply_by_mark_needed) is true.
    type: dict
    default: {}
  manages_networkd:
    description:
      - Whether the caller will keep systemd-networkd from removing foreign routes and policy rules, with
        M(multihome.linux.networkd_settings).
      - Findings that this will fix are reported as information, with RV(findings[].will_mend).
    type: bool
    default: false
  manages_forwarding:
    description:
      - Whether the caller will accept mapped connections before third-party iptables rules, with
        M(multihome.linux.forward_policy).
      - Findings that this will fix are reported as information, with RV(findings[].will_mend).
    type: bool
    default: false
  probe_timeout:
    description:
      - How many seconds to wait for answers of gateways, and of hosts that already use an address of the lines. All
        requests are sent at once.
      - With V(0), no requests are sent.
    type: float
    default: 1.0
  host:
    description: The name of this host in messages, usually C(inventory_hostname). Without it, warnings name no host.
    type: str
    default: ""
  options:
    description:
      - More options of this module in one dictionary, as P(multihome.linux.isp_firewall_options#filter) and
        P(multihome.linux.multihomed_web_options#filter) return them. They take precedence over those beside them.
    type: dict
    default: {}
  faults:
    description: Faults of the variables that the options follow from. With any, it fails before it looks at the host.
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - Whether to fail when there are findings, with a message that lists them and their remedies.
      - V(warning) includes errors.
    type: str
    choices: [never, error, warning]
    default: error
notes:
  - Without pyroute2, addresses, routes and policy rules are not checked. Without C(nft) and C(iptables-save), packet
    filters are not checked.
  - Warnings are printed, unless the module fails and lists them anyway.
seealso:
  - module: multihome.linux.policy_routing
  - module: multihome.linux.path_info
  - module: multihome.linux.line_check
  - module: multihome.linux.kernel_parameters
"""

EXAMPLES = r"""
- name: Check whether this firewall is ready for its line
  multihome.linux.preflight:
    role: firewall
    servers: [192.168.168.1, 192.168.168.2]
    uses_marks: false
    lines:
      - {name: unicom, id: 1, interface: wan0, public_addresses: [203.0.113.10/24], gateway: 203.0.113.1}

- name: Check a server with an alias for each line, and continue whatever is found
  multihome.linux.preflight:
    role: server
    fail_on: never
    lines:
      - {name: unicom, id: 1, interface: eth0, addresses: [192.168.168.1/24], gateways: [192.168.168.11]}
      - {name: interlink, id: 2, interface: eth0, addresses: [192.168.168.2/24], gateways: [192.168.168.12]}
  register: checked

- name: Show how to fix the errors
  ansible.builtin.debug:
    msg: "{{ checked.findings | selectattr('severity', 'eq', 'error') | map(attribute='remedy') }}"

- name: Check a line whose address comes from the ISP, without sending a packet
  multihome.linux.preflight:
    role: server
    probe_timeout: 0
    lines:
      - {id: 3, interface: ppp0, addresses: [auto], gateways: [auto]}
"""

RETURN = r"""
check_mode:
  description: Whether the task ran in check mode, by the command line or by the keyword C(check_mode).
  returned: always
  type: bool
  sample: false
findings:
  description: All findings, the most severe first. The documentation's page on preflight lists every kind.
  returned: unless an option is invalid
  type: list
  elements: dict
  contains:
    id:
      description: The kind of the finding.
      type: str
      sample: rp-filter-strict
    severity:
      description: V(error), V(warning) or V(info).
      type: str
      sample: error
    subject:
      description: The object that it is about, for example an interface, an address or a table.
      type: str
      sample: wan0
    message:
      description: The finding.
      type: str
      sample: "rp_filter is strict (1) on wan0: its own value is 0, that of all is 1"
    remedy:
      description: How to fix it.
      type: str
      sample: set net.ipv4.conf.wan0.rp_filter = 2 (the larger of this and conf.all counts)
    kernel_parameter:
      description: The entry of M(multihome.linux.kernel_parameters) that fixes it, null without one.
      type: dict
      sample: {name: net.ipv4.conf.wan0.rp_filter, value: "2"}
    will_mend:
      description: Whether the caller will fix it, because of O(kernel_parameters), O(manages_networkd) or
        O(manages_forwarding).
      type: bool
      sample: false
  sample:
    - id: rp-filter-strict
      severity: error
      subject: wan0
      message: "rp_filter is strict (1) on wan0: its own value is 0, that of all is 1"
      remedy: set net.ipv4.conf.wan0.rp_filter = 2 (the larger of this and conf.all counts)
      kernel_parameter: {name: net.ipv4.conf.wan0.rp_filter, value: "2"}
      will_mend: false
counts:
  description: How many findings there are of each severity.
  returned: unless an option is invalid
  type: dict
  sample: {error: 1, warning: 0, info: 0}
networkd:
  description:
    - The settings that keep the running systemd-networkd from removing foreign routes and policy rules, as far as it
      supports them.
    - Empty where it does not run.
  returned: unless an option is invalid
  type: list
  elements: str
  sample: [ManageForeignRoutes, ManageForeignRoutingPolicyRules]
reply_by_mark_needed:
  description: Whether another program translates destinations here. Always false without O(auto_reply).
  returned: always
  type: bool
  sample: false
kernel_parameters_pending:
  description:
    - Whether M(multihome.linux.kernel_parameters) would change anything here, or fail.
    - It depends on O(kernel_parameters), O(file) and O(purge).
  returned: unless an option is invalid
  type: bool
  sample: false
settled:
  description:
    - Whether nothing at all is left to do on this host. All modules of O(plan) would change nothing, all requirements
      are met, and no finding waits for the caller to fix it.
  returned: when the module does not fail
  type: bool
  sample: false
pending:
  description:
    - The modules of O(plan) that have anything to do, in the order in which they have to run.
    - A module is also pending where its run would fail, and where an earlier pending one may change its objects.
  returned: when the module does not fail
  type: list
  elements: str
  sample: [nat_rules]
plan:
  description: A forecast for each module of O(plan).
  returned: when the module does not fail
  type: list
  elements: dict
  contains:
    module:
      description: The module.
      type: str
      sample: nat_rules
    pending:
      description: Whether the module is in RV(pending).
      type: bool
      sample: true
    count:
      description: The number of changes.
      type: int
      sample: 1
    actions:
      description: The first 20 changes, as the module returns them.
      type: list
      elements: dict
      sample: [{op: add, object: {type: masquerade, family: ipv4, out_interface: wan0}}]
    error:
      description: Why the module would fail now. Missing otherwise.
      type: str
      sample: nft needs 1.0.2 or newer, found none in PATH or the system directories
    disturbed_by:
      description: The pending module that may change the objects of this one. Missing otherwise.
      type: str
      sample: ip_aliases
  sample:
    - module: nat_rules
      pending: true
      count: 1
      actions:
        - op: add
          object: {type: masquerade, family: ipv4, out_interface: wan0}
requirements:
  description: The tools that the modules of this collection need, as M(multihome.linux.multihome_info) returns them.
  returned: unless an option is invalid
  type: dict
  sample:
    nft: {ok: true, needed: 1.0.2 or newer, found: 1.0.6 in /usr/sbin/nft, package: nftables}
"""

from ..module_utils._core import whole
from ..module_utils._core.host_plan.run import answer
from ..module_utils._module import ListModule, invocation, with_errors_reported
from ..module_utils._preflight_spec import ARGUMENT_SPEC, JUDGED

# The whole engine is sent then, with which an installation is compared.
__all__ = ["ARGUMENT_SPEC", "main", "whole"]


def check(module: ListModule) -> None:
    """Check the host and end the module with the result; raises MultihomeError."""
    found = answer(module.params)
    for warning in found.pop("warnings"):
        module.warn(warning)
    module.exit_json(**{"changed": False, **invocation(module), **found})


def main() -> None:
    """Run the module."""
    module = ListModule(ARGUMENT_SPEC, JUDGED)
    with_errors_reported(module, lambda: check(module))


if __name__ == "__main__":
    main()
