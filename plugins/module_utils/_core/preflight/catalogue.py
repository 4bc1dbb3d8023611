# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of finding that preflight reports, with severity, meaning and remedy. docs/preflight.md shows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..host.kernel_parameter_file import parameter_path

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
# The options that say what whoever asks is going to mend.
KERNEL_PARAMETERS, NETWORKD, FORWARDING = "kernel_parameters", "manages_networkd", "manages_forwarding"
_LOOSE = "net.ipv4.conf.{interface}.rp_filter = 2"
_IPV6_ON = "net.ipv6.conf.{interface}.disable_ipv6 = 0"
_FORWARDS = "{parameter} = 1"
_ANSWERS_FOR_ITSELF = "net.ipv4.conf.{interface}.arp_ignore = 1"
_ASKS_IN_ITS_NAME = "net.ipv4.conf.{interface}.arp_announce = 2"


@dataclass(frozen=True)
class Kind:
    """One kind of finding. Words in braces are filled in.

    ``sets`` is the kernel parameter, ``NAME = VALUE``, that mends it; ``mended_by`` the option that says who does.
    """

    severity: str
    meaning: str
    remedy: str
    mended_by: str = ""
    sets: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing found on the host: of which kind, where (``subject``), and what to do.

    ``kernel_parameter`` is an entry of kernel_parameters (``name`` and ``value``) that mends it, if there is one.
    """

    id: str
    severity: str
    subject: str
    message: str
    remedy: str
    kernel_parameter: dict[str, str] | None = None
    will_mend: bool = False

    def is_mended(self, parameters: Mapping[str, str], managed: Collection[str]) -> bool:
        """Tell whether it is, once ``parameters`` (path below /proc/sys to value) are set.

        ``managed`` are the other options by which whoever asks says what it mends.
        """
        if self.kernel_parameter:
            return parameters.get(parameter_path(self.kernel_parameter["name"])) == self.kernel_parameter["value"]
        return KINDS[self.id].mended_by in managed

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
        "A line's interface does not exist on this host.",
        "correct the line's interface, or make the interface first",
    ),
    "interface-not-yet": Kind(
        WARNING,
        "The interface of a line whose address or gateway is `auto` does not exist at the moment.",
        "run again when the line is connected",
    ),
    "line-left-out": Kind(
        WARNING,
        "A line whose address or gateway is `auto` has none at the moment, and is left out of the run.",
        "run again when the line is connected",
    ),
    "interface-down": Kind(
        ERROR,
        "A line's interface is switched off, so the kernel takes no route by it.",
        "ip link set dev {interface} up, and have your network configuration do so at boot",
    ),
    "no-carrier": Kind(
        WARNING,
        "A line's interface is on, but its cable is unplugged or the other end is off.",
        "look at the cable and at the device at its other end; a line that is down harms no other line",
    ),
    "ipv6-missing": Kind(
        ERROR,
        "A line has IPv6 addresses or gateways, and this kernel runs without IPv6.",
        "boot without ipv6.disable=1, or leave IPv6 out of the line",
    ),
    "ipv6-disabled": Kind(
        ERROR,
        "IPv6 is switched off on an interface that gets IPv6 addresses.",
        f"set {_IPV6_ON}",
        KERNEL_PARAMETERS,
        _IPV6_ON,
    ),
    "rp-filter-strict": Kind(
        ERROR,
        "Strict reverse path filtering drops packets that come in by a line: the way back is looked up without the "
        "connection's mark, or by another interface of the same subnet.",
        f"set {_LOOSE} (the larger of this and conf.all counts)",
        KERNEL_PARAMETERS,
        _LOOSE,
    ),
    "rp-filter-strict-tolerated": Kind(
        WARNING,
        "Strict reverse path filtering on a line's interface, which works as long as source rules or the only default "
        "route lead back by that interface. A more specific route elsewhere makes the line deaf for that network.",
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
        "With this arp_ignore the host does not answer the line's gateway when it asks for an address of the line.",
        "set net.ipv4.conf.{interface}.arp_ignore and net.ipv4.conf.all.arp_ignore to 0 or 1 (the larger counts)",
    ),
    "arp-answers-twice": Kind(
        WARNING,
        "Two interfaces in one subnet both answer for the addresses of each other, so what is meant for one line comes "
        "in by the other's interface.",
        f"set {_ANSWERS_FOR_ITSELF}",
        KERNEL_PARAMETERS,
        _ANSWERS_FOR_ITSELF,
    ),
    "arp-announces-other": Kind(
        WARNING,
        "Two interfaces are in one subnet, and what one of them asks there bears an address of the other, so "
        "neighbours learn a wrong place for it.",
        f"set {_ASKS_IN_ITS_NAME}",
        KERNEL_PARAMETERS,
        _ASKS_IN_ITS_NAME,
    ),
    "sysctl-overridden": Kind(
        ERROR,
        "At boot, a file of sysctl.d that is read after ours sets a kernel parameter to something else.",
        "take {parameter} out of {file}, or set it to {value} there",
    ),
    "table-in-use": Kind(
        ERROR,
        "The routing table of a line holds routes of another owner.",
        "give the line another id, set another table_base, or have the other owner use another table",
    ),
    "priority-band-in-use": Kind(
        ERROR,
        "Policy rules of another owner stand between ours.",
        "move them outside {first} to {last}, or set other priority bases",
    ),
    "mark-in-use": Kind(
        ERROR,
        "Somebody else gives or looks for a mark that is a line's in our bits, so their packets take our line or ours "
        "take their way.",
        "have them use bits outside 0x{mask:x}, or set another mark_mask",
    ),
    "mark-bits-shared": Kind(
        WARNING,
        "Somebody else writes or looks at mark bits that are ours, with a value that is no line's now.",
        "have them use bits outside 0x{mask:x}, or set another mark_mask",
    ),
    "networkd-removes-foreign": Kind(
        ERROR,
        "systemd-networkd runs, and removes routes and policy rules that are not its own whenever it configures anew.",
        "set {setting}=no in section [Network] of /etc/systemd/networkd.conf and restart systemd-networkd",
        NETWORKD,
    ),
    "several-default-routes": Kind(
        WARNING,
        "Main has several default routes, not all of them ours. The one of the smallest metric decides where the "
        "host's own connections leave.",
        "leave one: take the others out of the network configuration that sets them, or give them larger metrics",
    ),
    "gateway-not-on-link": Kind(
        ERROR,
        "A line's gateway is in no network of its interface, so the kernel takes no route by it.",
        "correct the gateway or the prefix length of the line's addresses, or add a route to it: "
        "ip route add {gateway} dev {interface}",
    ),
    "gateway-silent": Kind(
        WARNING,
        "A line's gateway does not answer ARP or neighbour discovery. That is normal for a line that is down.",
        "look at the gateway, and at whether {interface} is connected to its network",
    ),
    "duplicate-address": Kind(
        ERROR,
        "Another host on the link has an address that this host is to have.",
        "find the host by its hardware address and take the address from it, or choose another address for the line; "
        "a router with proxy ARP answers for addresses of others too",
    ),
    "legacy-iptables": Kind(
        WARNING,
        "Rules of iptables-legacy stand beside nftables. Both are applied to every packet, and neither tool shows the "
        "other's.",
        "move them to nftables: iptables-legacy-save | iptables-nft-restore, then flush the legacy tables",
    ),
    "kernel-feature-missing": Kind(
        ERROR,
        "The kernel cannot do what the role needs.",
        "install the kernel's modules, or boot a kernel with {option}",
    ),
    "forward-dropped": Kind(
        ERROR,
        "A packet filter of somebody else drops what the firewall forwards, and has no rule that lets mapped "
        "connections pass.",
        "{command}",
    ),
    "forward-filtered": Kind(
        WARNING,
        "A packet filter of somebody else drops what it does not know, and has rules that may or may not let mapped "
        "connections pass.",
        "see that it lets every mapped service pass; for all of them: {command}",
    ),
    "iptables-forward-dropped": Kind(
        ERROR,
        "Somebody else's rules of iptables drop what the firewall forwards, and none of them lets mapped connections "
        "pass. An accept in front of them would.",
        "{command}",
        FORWARDING,
    ),
    "iptables-forward-filtered": Kind(
        WARNING,
        "Somebody else's rules of iptables drop what they do not know, and have some that may or may not let mapped "
        "connections pass. An accept in front of them would.",
        "see that they let every mapped service pass; for all of them: {command}",
        FORWARDING,
    ),
    "not-checked": Kind(
        INFO,
        "Something could not be looked at.",
        "none needed if the rest works; to have it checked, remove the reason",
    ),
}
