# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing: what its tasks cost, and what many addresses cost the packets."""
