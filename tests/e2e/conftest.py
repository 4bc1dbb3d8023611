# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end-to-end tests share."""

from __future__ import annotations

import os

from ansible_collections.multihome.linux.tests.lab.fixtures import start_lab

__all__ = ["start_lab"]

# A fifth of what a deployment costs; and no test here tells how long one takes.
os.environ.setdefault("LAB_KEEPS_COMPILED", "1")
