# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, routes and policy rules: models, engines, and the executor that talks rtnetlink."""
