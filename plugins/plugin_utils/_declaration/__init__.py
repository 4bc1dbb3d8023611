# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration of lines, servers and services: its model, its reading and its checks."""
