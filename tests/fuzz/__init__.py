# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: hostile declarations, option lists, stored files and tool output, for a bounded time."""
