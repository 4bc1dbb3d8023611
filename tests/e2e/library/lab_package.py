# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package manager for hosts of the lab, which have no network to install from: it brings back hidden programs."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

SUFFIX = ".hidden"


def main() -> None:
    """Run the module."""
    spec = {"name": {"type": "list", "elements": "str"}, "state": {"type": "str"}, "update_cache": {"type": "bool"}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    hidden = sorted(Path("/usr/sbin").glob(f"*{SUFFIX}"))
    if module.check_mode:
        # As apt does on a new host.
        module.fail_json(msg="python3-apt must be installed to use check mode")
    else:
        for path in hidden:
            path.rename(path.with_suffix(""))
    module.exit_json(changed=bool(hidden), installed=module.params["name"])


if __name__ == "__main__":
    main()
