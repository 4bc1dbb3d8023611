# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end-to-end tests share."""

from __future__ import annotations

from ansible_collections.multihome.linux.tests.lab.fixtures import start_lab

__all__ = ["start_lab"]
