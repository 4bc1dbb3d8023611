# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired state stored for the next boot, and the base of engines whose state is stored."""
