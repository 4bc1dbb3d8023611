# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python interpreter to Ansible, which tells how much memory the module had at most, as the kernel counts it.

Runs Python with the arguments that it is given and writes to the file $PEAK_MEMORY_FILE the largest resident set,
in bytes, among the module's process and all that it started.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the module; return its exit status."""
    status = subprocess.run([sys.executable, *sys.argv[1:]], check=False).returncode
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # Linux counts in KiB
    with Path(os.environ["PEAK_MEMORY_FILE"]).open("a", encoding="ascii") as told:
        told.write(f"{peak}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
