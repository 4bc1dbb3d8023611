# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS record sets of the lines: read, compared and replaced by RFC 2136 updates."""
