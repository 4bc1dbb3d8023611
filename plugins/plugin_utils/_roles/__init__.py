# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both roles share: numbering of tables, rules and marks, kernel parameters, preparation, summary."""
