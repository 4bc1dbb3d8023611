# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Line health: which lines of a host carry traffic now, decided from probes that each leave by their own line."""
