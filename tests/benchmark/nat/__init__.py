# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address translation: packets by the number of mappings, tasks by the number of entries."""
