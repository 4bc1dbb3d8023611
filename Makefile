# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The Python that .venv is made with; `make PYTHON=/path/to/python3 setup` takes another.
PYTHON ?= $(shell scripts/choose-python)

.PHONY: setup

setup:
	@python="$(PYTHON)" && test -n "$$python" && PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME="$(CURDIR)/.cache/xdg" "$$python" scripts/setup.py
