# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: parse, plan and apply. Pure Python, no Ansible import; every front end drives this one."""
