# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a host's kernel parameters and files, kept in memory; it counts writes and can refuse any of them."""

from __future__ import annotations

import errno
import fnmatch

from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameter_file import followers
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameters import DEFAULT_FILE, System


class FakeSystem(System):
    """Holds ``values`` (path -> value) and ``files``.

    Like Linux, it carries forwarding of all interfaces over to each, and keeps ip_forward and forwarding of ``all``
    the same. ``read_only`` makes any write an error of the test; ``refuse`` is the number of the write that fails.
    """

    def __init__(self, values: dict[str, str], text: str | None = None, file: str = DEFAULT_FILE) -> None:
        super().__init__()
        self.values = dict(values)
        self.files = {} if text is None else {file: text}
        self.read_only = False
        self.refuse: int | None = None
        self.writes = 0

    def state(self) -> tuple[dict[str, str], dict[str, str]]:
        """Everything that can be changed."""
        return dict(self.values), dict(self.files)

    def get(self, path: str) -> str:
        """Return a value."""
        if path not in self.values:
            directory = any(known.startswith(f"{path}/") for known in self.values)
            raise OSError(errno.EISDIR if directory else errno.ENOENT, "")
        return self.values[path]

    def set(self, path: str, value: str) -> None:
        """Set a value and those that follow it."""
        self._count()
        if path not in self.values:
            raise OSError(errno.ENOENT, "")
        if value == "refused":
            raise OSError(errno.EINVAL, "")
        self.values[path] = "0" if value == "rounded" else value
        pattern = followers(path)
        if pattern and pattern.endswith("/forwarding"):
            for follower in self.matching(pattern):
                self.values[follower] = value
            if "net/ipv4/ip_forward" in self.values and "ipv4" in pattern:
                self.values["net/ipv4/ip_forward"] = value

    def matching(self, pattern: str) -> list[str]:
        """Return the paths that a pattern selects."""
        return sorted(fnmatch.filter(self.values, pattern))

    def load(self, file: str, follow: bool = False) -> str | None:  # noqa: ARG002 - no links here
        """Return a file's text."""
        return self.files.get(file)

    def save(self, file: str, text: str | None, mode: int = 0o644) -> None:  # noqa: ARG002 - nor modes
        """Write or remove a file."""
        self._count()
        if text is None:
            self.files.pop(file, None)
        else:
            self.files[file] = text

    def _count(self) -> None:
        assert not self.read_only, "something was written"
        self.writes += 1
        if self.writes == self.refuse:
            raise OSError(errno.EPERM, "")
