# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make importer`: the built collection, checked by the importer of Ansible Galaxy, without errors or warnings.

The importer reads the metadata, the documentation of every plugin and each role's README, and runs ansible-lint on the
archive. It needs a container for ansible-test, so that is left to `make sanity`. It gets an environment of its own,
because it demands certain versions of other tools.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import sources
from environment import CACHE, environment

PLACE = CACHE / "importer"
REQUIREMENT = "galaxy-importer >= 0.4.30, < 1"
SETTINGS = {"GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true", "GALAXY_IMPORTER_RUN_ANSIBLE_DOC": "true"}
COMPLAINT = re.compile(r"^(WARNING|ERROR|CRITICAL)", re.MULTILINE)


def importer() -> Path:
    """The importer's Python, installed at the first run.

    Raises subprocess.CalledProcessError when a package cannot be installed.
    """
    place = PLACE / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        subprocess.run([*pip, REQUIREMENT], env=environment(), check=True)
        (place / "done").touch()
    return place / "bin" / "python"


def archive(name: str, repository: bool = True) -> Path:
    """Build the collection from the checkout's own files, for the control without its repository."""
    checkout = PLACE / name
    sources.copy_to(checkout)
    if not repository:
        metadata = checkout / "galaxy.yml"
        metadata.write_text(
            re.sub(r"^repository:.*$", 'repository: ""', metadata.read_text("utf-8"), flags=re.MULTILINE)
        )
    command = ["ansible-galaxy", "collection", "build", "--force"]
    subprocess.run(command, cwd=checkout, env=environment(), check=True, capture_output=True)
    (built,) = checkout.glob("multihome-linux-*.tar.gz")
    return built


def checked(python: Path, built: Path) -> tuple[bool, str]:
    """Whether the importer takes an archive without a complaint, and its output."""
    settings = {**environment(), **SETTINGS}
    settings["PATH"] = f"{python.parent}:{settings['PATH']}"
    settings.pop("VIRTUAL_ENV")
    command = [str(python), "-m", "galaxy_importer.main", str(built)]
    done = subprocess.run(
        command, cwd=PLACE, env=settings, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode == 0 and not COMPLAINT.search(done.stdout), done.stdout


def main() -> int:
    """Return the exit status: 0 when the importer takes the archive, and refuses the one of the control."""
    python = importer()
    good, output = checked(python, archive("checkout"))
    kept = [line for line in output.splitlines() if not line.startswith("Loading ")]
    print("\n".join(kept))
    refused, output = checked(python, archive("control", repository=False))
    if refused or "'repository' is required" not in output:
        print(f"the control, an archive without a repository, was not refused:\n{output}")
        return 1
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
