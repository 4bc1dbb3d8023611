# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of finding that preflight reports, with severity, meaning and remedy. docs/preflight.md shows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..host.kernel_parameter_file import parameter_path

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
# The options by which the caller says that it will fix findings.
KERNEL_PARAMETERS, NETWORKD, FORWARDING = "kernel_parameters", "manages_networkd", "manages_forwarding"
_LOOSE = "net.ipv4.conf.{interface}.rp_filter = 2"
_IPV6_ON = "net.ipv6.conf.{interface}.disable_ipv6 = 0"
_FORWARDS = "{parameter} = 1"
_ANSWERS_FOR_ITSELF = "net.ipv4.conf.{interface}.arp_ignore = 1"
_ASKS_IN_ITS_NAME = "net.ipv4.conf.{interface}.arp_announce = 2"


@dataclass(frozen=True)
class Kind:
    """One kind of finding. Words in braces are placeholders.

    ``sets`` is the kernel parameter, ``NAME = VALUE``, that fixes it; ``fixed_by`` the option of callers that fix it.
    """

    severity: str
    meaning: str
    remedy: str
    fixed_by: str = ""
    sets: str = ""


@dataclass(frozen=True)
class Finding:
    """One finding: its kind, the object that it is about (``subject``), and the remedy.

    ``kernel_parameter`` is an entry of kernel_parameters (``name`` and ``value``) that fixes it, if there is one.
    """

    id: str
    severity: str
    subject: str
    message: str
    remedy: str
    kernel_parameter: dict[str, str] | None = None
    will_mend: bool = False

    def is_fixed_by(self, parameters: Mapping[str, str], managed: Collection[str]) -> bool:
        """Tell whether the caller fixes it, by setting ``parameters`` (path below /proc/sys to value) or otherwise.

        ``managed`` are the other options by which the caller says that it fixes findings.
        """
        if self.kernel_parameter:
            return parameters.get(parameter_path(self.kernel_parameter["name"])) == self.kernel_parameter["value"]
        return KINDS[self.id].fixed_by in managed

    def __str__(self) -> str:
        return f"{self.severity} {self.id}, {self.subject}: {self.message}\n    remedy: {self.remedy}"


def finding(kind: str, subject: str, message: str, **words: object) -> Finding:
    """Return a finding of a kind of the catalogue; ``words`` fill its remedy."""
    entry = KINDS[kind]
    name, _equals, value = entry.sets.format(**words).partition(" = ")
    parameter = {"name": name, "value": value} if name else None
    return Finding(kind, entry.severity, subject, message, entry.remedy.format(**words), parameter)


KINDS: dict[str, Kind] = {
    "interface-missing": Kind(
        ERROR,
        "A line's interface does not exist on this host. With the roles a warning: the line waits for it.",
        "correct the line's interface, or create the interface first",
    ),
    "interface-alternative-name": Kind(
        ERROR,
        "A line's interface is given by an alternative name, and packet filters know only the interface's own name.",
        "write {interface} as the line's interface",
    ),
    "interface-not-yet": Kind(
        WARNING,
        "The interface of a line whose address or gateway is `auto` does not exist now.",
        "run again when the line is connected",
    ),
    "line-left-out": Kind(
        WARNING,
        "A line whose address or gateway is `auto` has none now, and cannot be used until it has.",
        "connect the line; the keeper then configures it",
    ),
    "interface-down": Kind(
        ERROR,
        "A line's interface is down, so the kernel accepts no route by it. With the roles a warning: it waits.",
        "ip link set dev {interface} up, and have your network configuration do so at boot",
    ),
    "no-carrier": Kind(
        WARNING,
        "A line's interface is up, but has no carrier: its cable is unplugged or the other end is off.",
        "check the cable and the device at its other end; a line that is down does not affect other lines",
    ),
    "ipv6-missing": Kind(
        ERROR,
        "A line has IPv6 addresses or gateways, and this kernel runs without IPv6.",
        "boot without ipv6.disable=1, or remove IPv6 from the line",
    ),
    "ipv6-disabled": Kind(
        ERROR,
        "IPv6 is disabled on an interface that will get IPv6 addresses.",
        f"set {_IPV6_ON}",
        KERNEL_PARAMETERS,
        _IPV6_ON,
    ),
    "rp-filter-strict": Kind(
        ERROR,
        "Strict reverse path filtering drops packets that arrive on a line: the look-up of the reverse path ignores "
        "the connection's mark, or finds another interface of the same subnet.",
        f"set {_LOOSE} (the larger of this and conf.all counts)",
        KERNEL_PARAMETERS,
        _LOOSE,
    ),
    "rp-filter-strict-tolerated": Kind(
        WARNING,
        "Strict reverse path filtering on a line's interface. It works as long as source rules or the only default "
        "route use that interface. With a more specific route elsewhere, packets from that network are dropped.",
        f"set {_LOOSE} (the larger of this and conf.all counts)",
        KERNEL_PARAMETERS,
        _LOOSE,
    ),
    "forwarding-off": Kind(
        ERROR,
        "A firewall does not forward packets of a family that its lines have.",
        f"set {_FORWARDS}",
        KERNEL_PARAMETERS,
        _FORWARDS,
    ),
    "arp-ignored": Kind(
        ERROR,
        "With this arp_ignore the host does not answer ARP requests of the line's gateway for an address of the line.",
        "set net.ipv4.conf.{interface}.arp_ignore and net.ipv4.conf.all.arp_ignore to 0, or to 1 if no address has a "
        "peer (the larger counts)",
    ),
    "arp-answers-twice": Kind(
        WARNING,
        "Two interfaces in one subnet both answer for the addresses of each other, so packets for one line may arrive "
        "on the interface of the other.",
        f"set {_ANSWERS_FOR_ITSELF}",
        KERNEL_PARAMETERS,
        _ANSWERS_FOR_ITSELF,
    ),
    "arp-announces-other": Kind(
        WARNING,
        "Two interfaces are in one subnet, and one of them sends ARP requests from an address of the other, so "
        "neighbours learn a wrong hardware address for it.",
        f"set {_ASKS_IN_ITS_NAME}",
        KERNEL_PARAMETERS,
        _ASKS_IN_ITS_NAME,
    ),
    "sysctl-overridden": Kind(
        ERROR,
        "At boot, a file of sysctl.d that is read after this collection's sets a kernel parameter to another value.",
        "remove {parameter} from {file}, or set it to {value} there",
    ),
    "table-in-use": Kind(
        ERROR,
        "The routing table of a line contains routes of another owner.",
        "give the line another id, set another table_base, or configure the other owner to use another table",
    ),
    "priority-band-in-use": Kind(
        ERROR,
        "Policy rules of another owner are between those of the lines.",
        "move them outside {first} to {last}, or set other priority bases",
    ),
    "mark-in-use": Kind(
        ERROR,
        "Another program sets or matches the mark of a line, so its packets leave by that line, or packets of the line "
        "by its route.",
        "configure it to use bits outside 0x{mask:x}, or set another mark_mask",
    ),
    "mark-bits-shared": Kind(
        WARNING,
        "Another program writes or matches bits of the mark mask, with a value that belongs to no line now.",
        "configure it to use bits outside 0x{mask:x}, or set another mark_mask",
    ),
    "reverse-path-filter": Kind(
        ERROR,
        "A third-party packet filter drops packets to whose sender it finds no way back. It looks that up without the "
        "connection's mark, which alone tells the line where a server or container has one address for several lines.",
        "with firewalld: set IPv6_rpfilter=loose in /etc/firewalld/firewalld.conf and restart firewalld; otherwise "
        "leave `iif` out of that rule, or give the server an address for each line",
    ),
    "local-rule-not-first": Kind(
        ERROR,
        "The rule `lookup local` does not come before the rules of the lines. Then they would decide about packets for "
        "the host's own addresses, and it could not be reached any more.",
        "{command}",
    ),
    "reply-taken": Kind(
        ERROR,
        "A reply does not leave by its line, or will not after this run: another program's rule or route takes it. The "
        "finding names both.",
        "{remedy}",
    ),
    "reply-taken-tolerated": Kind(
        WARNING,
        "The same, where the role's variable `reply_taken` is `warn`.",
        "{remedy}",
    ),
    "reply-may-be-taken": Kind(
        INFO,
        "A rule of another program would take a reply with its mark, or one that comes in by its interface. A warning "
        "where a packet filter writes that mark, or translates destinations.",
        "{remedy}",
    ),
    "networkd-removes-foreign": Kind(
        ERROR,
        "systemd-networkd runs, and removes foreign routes and policy rules whenever it reconfigures an interface.",
        "set {setting}=no in section [Network] of /etc/systemd/networkd.conf and restart systemd-networkd",
        NETWORKD,
    ),
    "command-name-taken": Kind(
        WARNING,
        "Another program has a file in the place of this collection's command. It stays, and the command is installed "
        "in /usr/lib/multihome only.",
        "move {path} to another name, if you want the command there",
    ),
    "several-default-routes": Kind(
        WARNING,
        "The table main has several default routes, not all of them of the lines. The one with the smallest metric "
        "decides where the host's own connections leave.",
        "keep one: remove the others from the network configuration that sets them, or give them larger metrics",
    ),
    "default-route-to-come": Kind(
        INFO,
        "The address of a line is assigned, by DHCP or a router for instance, and the default route that may come with "
        "it is not there yet. With a small metric, the host's own connections leave by it, and do not follow the "
        "health of the lines. The keeper warns when it comes.",
        "give the default route of {interface} a metric above {metric}, for example with RouteMetric= of "
        "systemd-networkd, or have its program add none",
    ),
    "gateway-not-on-link": Kind(
        ERROR,
        "A line's gateway is in no network of its interface, so the kernel accepts no route by it.",
        "correct the gateway or the prefix length of the line's addresses, or add a route to it: "
        "ip route add {gateway} dev {interface}",
    ),
    "no-way-out": Kind(
        ERROR,
        "A line of a firewall has no gateway in the declaration, and its interface has no default route. No reply "
        "could leave by it.",
        "add the gateway of the ISP to the line, or configure a default route by {interface}",
    ),
    "public-address-missing": Kind(
        WARNING,
        "A line of a firewall has an address that this host does not have. The host does not answer ARP or neighbour "
        "discovery for it, so nothing comes in by the line, unless the ISP routes the address to this host.",
        "configure {address} on {interface} as your distribution does, or correct the line's addresses",
    ),
    "probe-target-not-behind-line": Kind(
        WARNING,
        "A target of a line's health check is on the link of the line, or another interface leads to it. Its answers "
        "say nothing about the ISP behind the line's gateway, so a dead line may count as up.",
        "give the line targets that this host reaches by its gateway alone, such as public name servers",
    ),
    "gateway-silent": Kind(
        WARNING,
        "A line's gateway does not answer ARP or neighbour discovery. That is normal for a line that is down.",
        "check the gateway, and whether {interface} is connected to its network",
    ),
    "duplicate-address": Kind(
        ERROR,
        "Another host on the link has an address that this host will get.",
        "find the host by its hardware address and remove the address from it, or choose another address for the line; "
        "a router with proxy ARP also answers for addresses of other hosts",
    ),
    "legacy-iptables": Kind(
        WARNING,
        "There are rules of iptables-legacy beside nftables. Both apply to every packet, and neither tool shows the "
        "rules of the other.",
        "move them to nftables: iptables-legacy-save | iptables-nft-restore, then flush the legacy tables",
    ),
    "kernel-feature-missing": Kind(
        ERROR,
        "The kernel lacks a feature that the role needs.",
        "install the kernel's modules, or boot a kernel with {option}",
    ),
    "forward-dropped": Kind(
        ERROR,
        "A third-party packet filter drops forwarded packets, and has no rule that accepts mapped connections.",
        "{command}",
    ),
    "forward-filtered": Kind(
        WARNING,
        "A third-party packet filter drops forwarded packets, and has rules that may or may not accept mapped "
        "connections.",
        "check that it accepts every mapped service; to accept all of them: {command}",
    ),
    "iptables-forward-dropped": Kind(
        ERROR,
        "Third-party rules of iptables drop forwarded packets, and none of them accepts mapped connections. An accept "
        "before them would.",
        "{command}",
        FORWARDING,
    ),
    "iptables-forward-filtered": Kind(
        WARNING,
        "Third-party rules of iptables drop forwarded packets, and some of them may or may not accept mapped "
        "connections. An accept before them would.",
        "check that they accept every mapped service; to accept all of them: {command}",
        FORWARDING,
    ),
    "outgoing-dropped": Kind(
        ERROR,
        "A third-party packet filter drops the connections that servers and clients inside initiate.",
        "{command}",
    ),
    "outgoing-filtered": Kind(
        WARNING,
        "A third-party packet filter drops forwarded packets, and has rules that may or may not accept the connections "
        "that servers and clients inside initiate.",
        "check that it accepts them; to accept all of them: {command}",
    ),
    "iptables-outgoing-dropped": Kind(
        ERROR,
        "Third-party rules of iptables drop the connections that servers and clients inside initiate. An accept before "
        "them would let them pass.",
        "{command}",
        FORWARDING,
    ),
    "iptables-outgoing-filtered": Kind(
        WARNING,
        "Third-party rules of iptables drop forwarded packets, and some of them may or may not accept the connections "
        "that servers and clients inside initiate. An accept before them would.",
        "check that they accept them; to accept all of them: {command}",
        FORWARDING,
    ),
    "translation-taken": Kind(
        ERROR,
        "A third-party rule is asked before this collection's translations, and takes connections that an entry maps: "
        "it translates them, or takes them out of connection tracking, without which nothing is translated.",
        "remove the rule, have {owner} use another port or address for it, or remove the entry",
    ),
    "translation-contested": Kind(
        WARNING,
        "A third-party rule may take connections that an entry maps: it is asked first under conditions that are not "
        "known, or keeps them from backend iptables by an accept, or has the priority of this collection's, and the "
        "order of loading decides.",
        "have {owner} use another port or address for it, or nat_rules use backend nftables, which is asked first",
    ),
    "translation-preceded": Kind(
        INFO,
        "A third-party translation matches connections that an entry maps. The entry is asked first and takes them.",
        "none needed if the entry is meant to decide; else remove it",
    ),
    "leaves-untranslated": Kind(
        WARNING,
        "Hosts behind the firewall reach the Internet with the addresses that they have, which no ISP answers: by a "
        "line that has no translation for them, or by the default route of an interface that is no line's.",
        "{remedy}",
    ),
    "own-port-mapped": Kind(
        WARNING,
        "A port that the firewall itself needs, for ssh or for Ansible, leads to a server at one of its public "
        "addresses.",
        "reach the firewall by another address, or leave the port out of the service",
    ),
    "name-servers-on-lines-only": Kind(
        INFO,
        "All name servers of a zone are on the lines. Resolvers find the zone slowly while lines are down, and not at "
        "all when all are down.",
        "add a name server elsewhere, as secondaries of the zone",
    ),
    "not-checked": Kind(
        INFO,
        "A check was not possible.",
        "none needed if the rest works; to get it checked, remove the reason",
    ),
}
