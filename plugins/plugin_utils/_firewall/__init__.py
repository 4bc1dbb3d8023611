# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role isp_firewall: its variables from the declaration, and the lists of its modules from these."""
