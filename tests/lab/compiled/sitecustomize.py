# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python on a lab's host keeps what it has compiled of a zip, as it does of files that are installed.

Ansible sends each module as a zip of sources, and of a zip Python compiles all anew at every start: almost half of what
a module's run costs. Tests have their hosts find this file on PYTHONPATH (`LAB_KEEPS_COMPILED`, see ../state.py). Code
is kept by the source it was compiled from, so that a source changed by one letter is compiled. It is kept on the host,
and goes with its lab.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from pathlib import Path
from types import CodeType

# Nothing that the tests look at.
DIRECTORY = Path("/var/cache/multihome-lab", str(sys.implementation.cache_tag))
# The same in each Python from 3.8 on.
compile_source = zipimport._compile_source  # type: ignore[attr-defined]  # not in the types, as it is Python's own


def kept(path: str, source: bytes) -> CodeType:
    """Return the code of a source, compiled now or before."""
    place = DIRECTORY / _imp.source_hash(0, source).hex()
    try:
        found: CodeType = marshal.loads(place.read_bytes())
    except FileNotFoundError:
        found = compile_source(path, source)
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(f".{os.getpid()}")
        partial.write_bytes(marshal.dumps(found))
        partial.rename(place)
    return found


zipimport._compile_source = kept  # type: ignore[attr-defined]  # as above
