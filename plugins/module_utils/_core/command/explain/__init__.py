# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome explain`: the ways of packets, in and out, from the live kernel, and why one is blocked."""
