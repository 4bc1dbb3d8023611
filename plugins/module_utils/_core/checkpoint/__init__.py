# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commit-confirm: a checkpoint before the first change of a run, which is restored unless the run is confirmed."""
