# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: `make bench`. Each compares what it measures with something measured in the same run.

A benchmark is a directory here with a module `benchmark` that has

    TITLE                                what it is about, one line
    measure(say) -> Report               measures (figures.py); `say` takes a line on what is going on
"""
