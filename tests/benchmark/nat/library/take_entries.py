# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that takes a list of entries and does nothing: what Ansible alone costs for a list of that length."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Run the module."""
    AnsibleModule(argument_spec={"rules": {"type": "list", "elements": "dict"}}, supports_check_mode=True).exit_json(
        changed=False, invocation={}
    )


if __name__ == "__main__":
    main()
