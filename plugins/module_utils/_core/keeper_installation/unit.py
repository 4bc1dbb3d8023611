# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit of multihome-keeper, see systemd.service(5) and systemd.exec(5)."""

from __future__ import annotations

from collections.abc import Sequence

from ..host.installed_paths import COMMAND, LIBRARY, MARKER, NAME, PROGRAM

__all__ = ["COMMAND", "LIBRARY", "MARKER", "NAME", "PATH", "PROGRAM", "PROGRAM_TEXT", "command_text", "unit_text"]
PATH = f"/etc/systemd/system/{NAME}"

# The program file. Python's -I keeps the script's directory out of the path.
PROGRAM_TEXT = f"""\
{MARKER}import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _core.keeper.main import main

sys.exit(main())
"""

_COMMAND = """\
import sys

sys.path.insert(0, "{library}")
from _core.command.main import main

sys.exit(main())
"""

_UNIT = (
    MARKER
    + """\
[Unit]
Description=Keeps addresses, routes, rules and translations of multihome.linux
# These load their rules into an empty packet filter, and would remove ours.
After=nftables.service netfilter-persistent.service iptables.service ufw.service firewalld.service
After=systemd-sysctl.service network-pre.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={python} -I {program}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
TimeoutStartSec=30
WatchdogSec=60
# It also holds the modules' lock, which has to outlive the service.
RuntimeDirectory=multihome
# Its files are readable by root only, but for the metrics, which others may open by name.
RuntimeDirectoryMode=0711
RuntimeDirectoryPreserve=yes
# Records which addresses are ours, on kernels that do not store the owner tag.
StateDirectory=multihome
StateDirectoryMode=0700
UMask=0077
CapabilityBoundingSet={capabilities}
NoNewPrivileges=yes
# Several times of what 10,000 rules need; a runaway program must not take the host's memory.
MemoryMax=512M
TasksMax=32
{network}
DevicePolicy=closed
KeyringMode=private
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectProc=invisible
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# For promote_secondaries, which keeps secondary addresses while their primary is replaced, and for the parameters of
# the lines' interfaces and of forwarding.
ReadWritePaths=-/proc/sys/net/ipv4/conf -/proc/sys/net/ipv4/ip_forward -/proc/sys/net/ipv6/conf
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_NETLINK AF_UNIX {families}
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources @privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
)


def command_text(python: str) -> str:
    """Return the text of the command for an interpreter.

    With -I neither the environment nor the user's own packages count.
    """
    return f"#!{python} -I\n{MARKER}{_COMMAND.format(library=LIBRARY)}"


# Without targets and zones it sends no packets.
_SILENT = {
    "capabilities": "CAP_NET_ADMIN",
    "network": """\
# It talks to the kernel and to systemd only; the kernel itself asks for hardware addresses.
IPAddressDeny=any""",
    # Only to ask an interface for its flags.
    "families": "AF_INET",
}
_SENDING = {
    "capabilities": "CAP_NET_ADMIN CAP_NET_RAW",
    "network": """\
# It watches lines: a few sockets for each, and ICMP echo by raw sockets.
LimitNOFILE=8192""",
    "families": "AF_INET AF_INET6",
}


_ONLY = """
# Packets pass to and from these alone: the targets of the lines, and the servers of the zones.
IPAddressDeny=any
IPAddressAllow={addresses}"""


def unit_text(python: str, destinations: Sequence[str] | None = ()) -> str:
    """Return the unit's text for an interpreter; the keeper may send packets to ``destinations``, None for anywhere."""
    if destinations is not None and not destinations:
        return _UNIT.format(python=python, program=PROGRAM, **_SILENT)
    only = "" if destinations is None else _ONLY.format(addresses=" ".join(destinations))
    return _UNIT.format(python=python, program=PROGRAM, **{**_SENDING, "network": _SENDING["network"] + only})
