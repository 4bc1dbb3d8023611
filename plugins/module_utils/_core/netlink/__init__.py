# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink sockets and messages, and ARP and neighbour discovery packets."""
