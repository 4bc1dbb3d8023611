# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology's network in the words of the tools: `ip -batch`, `nft -f`, and files below /proc/sys. No I/O."""

from __future__ import annotations

from .topology import Host, Topology

BLACK_HOLE = "table inet black_hole"

# IPv4 settings are inherited from the real machine (net.core.devconf_inherit_init_net), so each is set
# to the kernel's own default, whatever the machine runs with.
_IPV4_DEFAULTS = {
    "accept_local": 0,
    "accept_redirects": 1,
    "arp_announce": 0,
    "arp_filter": 0,
    "arp_ignore": 0,
    "ignore_routes_with_linkdown": 0,
    "log_martians": 0,
    "promote_secondaries": 0,
    "route_localnet": 0,
    "secure_redirects": 1,
    "send_redirects": 1,
    "src_valid_mark": 0,
}


def is_managed(host: Host) -> bool:
    """Tell whether the collection is deployed to this host; the others are the world around it."""
    return host.role in ("firewall", "server")


def settings_before(host: Host) -> list[tuple[str, int]]:
    """Return (file below /proc/sys/net, value) to be set before the host has an interface."""
    forwarding = int(host.role in ("internet", "isp"))
    settings = [("ipv4/ip_forward", forwarding)]
    for scope in ("all", "default"):
        settings += [(f"ipv4/conf/{scope}/{name}", value) for name, value in _IPV4_DEFAULTS.items()]
        settings.append((f"ipv6/conf/{scope}/forwarding", forwarding))
        settings.append((f"ipv6/conf/{scope}/disable_ipv6", 0))
        # An interface that the lab takes down must come back with its addresses.
        settings.append((f"ipv6/conf/{scope}/keep_addr_on_down", int(not is_managed(host))))
    settings.append(("ipv4/conf/all/rp_filter", 0))
    # systemd's sysctl.d sets the loose filter on the machines that people run.
    settings.append(("ipv4/conf/default/rp_filter", 2 if is_managed(host) else 0))
    settings.append(("ipv6/conf/default/accept_dad", 0))
    return settings


def settings_after(host: Host) -> list[tuple[str, int]]:
    """Return settings for after the interfaces came up: what the collection adds is checked for duplicates again."""
    if not is_managed(host):
        return []
    names = ["default", *(interface.name for interface in host.interfaces)]
    return [(f"ipv6/conf/{name}/accept_dad", 1) for name in names]


def cables(topology: Topology, pids: dict[str, int]) -> str:
    """Return the batch that creates every cable, given a process id in each host's network namespace."""
    return "".join(cable(place, near, far, pids) for place, (near, far) in enumerate(topology.cables))


def cable(place: int, near: tuple[str, str], far: tuple[str, str], pids: dict[str, int]) -> str:
    """Return the line of a batch that creates a cable between two (host, interface).

    All interfaces get different indexes, by the cable's ``place``: the kernel puts off a changed carrier for up to a
    second where both ends of a cable have the same one (linkwatch_urgent_event in net/core/link_watch.c).
    """
    index = 100 + 2 * place
    return (
        f"link add name {near[1]} index {index} netns {pids[near[0]]} type veth"
        f" peer name {far[1]} index {index + 1} netns {pids[far[0]]}\n"
    )


def addressing(host: Host) -> str:
    """Return the batch that runs on the host: bridges, links up, addresses, routes."""
    commands = ["link set dev lo up"]
    for interface in host.interfaces:
        if interface.ports:
            commands.append(f"link add name {interface.name} type bridge mcast_snooping 0")
            commands += [f"link set dev {port} master {interface.name}" for port in interface.ports]
    for interface in host.interfaces:
        commands.append(f"link set dev {interface.name} up")
        commands += [f"address add {address} dev {interface.name}" for address in interface.addresses]
    commands += [f"route add {destination} via {gateway}" for destination, gateway in host.routes]
    return "\n".join(commands) + "\n"


def source_filter(host: Host) -> str:
    """Return an ISP's ingress filter (BCP 38, RFC 2827): its customer sends from its own prefixes, or not at all."""
    if not host.customer:
        return ""
    ipv4, ipv6 = host.customer
    return (
        "table inet source_filter {\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter; policy accept;\n"
        f'    iifname "line0" ip saddr != {ipv4} counter drop\n'
        f'    iifname "line0" ip6 saddr != {ipv6} counter drop\n'
        "  }\n"
        "}\n"
    )


def black_hole(closed: bool) -> str:
    """Return the transaction that makes an ISP drop all that it should forward, or forward again; either may stand."""
    # `add` before `delete` makes the delete succeed when there is nothing.
    text = f"add {BLACK_HOLE}\ndelete {BLACK_HOLE}\n"
    if closed:
        text += (
            f"{BLACK_HOLE} {{\n"
            "  chain forward {\n"
            "    type filter hook forward priority filter - 10; policy accept;\n"
            "    counter drop\n"
            "  }\n"
            "}\n"
        )
    return text
