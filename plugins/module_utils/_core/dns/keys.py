# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TSIG keys, and their files: each in a file of its own that only root can read, in the form of named.conf."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from ..entries import Form, Options
from ..errors import InvalidInput
from ..fields import choice, shown
from ..host.files import Files
from .names import domain_name

DIRECTORY = "/etc/multihome/keys"
ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1", "hmac-md5")
DEFAULT_ALGORITHM = ALGORITHMS[0]
_FILE = re.compile(r'key "([^"]+)" \{\s*algorithm ([a-z0-9-]+);\s*secret "([^"]+)";\s*\};\s*')


@dataclass(frozen=True)
class Key:
    """A TSIG key. The secret is never shown; it is empty where only its file has it."""

    name: str
    algorithm: str = DEFAULT_ALGORITHM
    secret: str = field(default="", repr=False)

    @classmethod
    def parse(cls, options: Options) -> Key | None:
        """Return the key of a module's options, None without one; raises InvalidInput. No fault shows the secret."""
        if not options.get("key_name"):
            if options.get("key_secret"):
                raise InvalidInput(["key_name is missing: the name of the key that key_secret belongs to"])
            return None
        faults = []
        values: dict[str, str] = {}
        for name, parse in _PARSERS.items():
            given = options.get(f"key_{name}")
            try:
                if given is not None:
                    values[name] = parse(given)
            except ValueError as error:
                faults.append(f"key_{name}{'' if name == 'secret' else f' {shown(given)}'}: {error}")
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def path(self) -> str:
        """The key's file on the hosts that publish."""
        return f"{DIRECTORY}/{self.name}.key"

    def as_stored(self) -> Form:
        """Return the key without its secret."""
        return {"key_name": self.name, "key_algorithm": self.algorithm}

    def file_text(self) -> str:
        """Return the text of the key's file, as tsig-keygen prints it."""
        return f'key "{self.name}" {{\n\talgorithm {self.algorithm};\n\tsecret "{self.secret}";\n}};\n'


def parse_secret(value: Any) -> str:
    """Return a secret; raises ValueError, without the secret in it, when it is not base64."""
    try:
        if isinstance(value, str) and base64.b64decode(value.encode("ascii"), validate=True):
            return value
    except (binascii.Error, ValueError):
        pass
    raise ValueError("not the base64 text that tsig-keygen prints")


_PARSERS = {"name": domain_name, "algorithm": choice(*ALGORITHMS), "secret": parse_secret}


def parse_file(content: str) -> Key:
    """Return the key of a file; raises ValueError."""
    match = _FILE.fullmatch(content)
    if not match:
        raise ValueError("not a key as tsig-keygen prints it")
    return Key(match[1], match[2], parse_secret(match[3]))


def load(key: Key, files: Files) -> Key | None:
    """Return the key of this name from its file, None when there is no file; raises OSError or ValueError."""
    content = files.load(key.path)
    return None if content is None else parse_file(content)
