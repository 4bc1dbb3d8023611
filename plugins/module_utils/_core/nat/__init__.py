# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address translation: rules, the maps and chains they become, and tracked connections."""
