# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An internet in namespaces on one machine, without root: see docs/lab.md."""
