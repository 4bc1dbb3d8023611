# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""multihome-keeper: the service on a host that applies the stored state at boot and restores what is removed."""
