# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and gateways that an ISP assigns: lists refer to them, and a host puts its own in their place."""
