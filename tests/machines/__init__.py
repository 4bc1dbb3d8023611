# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Booted machines in the place of a lab's hosts: see docs/machines.md."""
