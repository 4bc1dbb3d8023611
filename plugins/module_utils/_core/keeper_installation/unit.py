# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit of multihome-keeper, as systemd.service(5) and systemd.exec(5) have it."""

from __future__ import annotations

NAME = "multihome-keeper.service"
PATH = f"/etc/systemd/system/{NAME}"
LIBRARY = "/usr/lib/multihome"
PROGRAM = f"{LIBRARY}/multihome-keeper"

# What the program file holds: Python's -I leaves its directory out of the path.
PROGRAM_TEXT = """\
# Installed by Ansible, multihome.linux.keeper: change it there, not here.
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _core.keeper.main import main

sys.exit(main())
"""

_UNIT = """\
# Installed by Ansible, multihome.linux.keeper: change it there, not here.
[Unit]
Description=Keeps addresses, routes, rules and translations of multihome.linux
# These begin with an empty packet filter, and would take ours away again.
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
# The modules' lock is in there as well, and has to outlive the service.
RuntimeDirectory=multihome
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
# Which addresses are ours, on kernels that do not keep the owner tag.
StateDirectory=multihome
StateDirectoryMode=0700
UMask=0077
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# Secondary addresses are kept by promote_secondaries while their primary is set right.
ReadWritePaths=-/proc/sys/net/ipv4/conf
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# AF_INET only to ask an interface for its flags.
RestrictAddressFamilies=AF_NETLINK AF_UNIX AF_INET
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def unit_text(python: str) -> str:
    """Return the unit's text for an interpreter."""
    return _UNIT.format(python=python, program=PROGRAM)
