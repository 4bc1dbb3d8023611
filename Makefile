# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The Python that .venv is made with; `make PYTHON=/path/to/python3 setup` takes another.
PYTHON ?= $(shell scripts/choose-python)

# The environment that everything but the set-up runs in.
WITHIN = PYTHONDONTWRITEBYTECODE=1 .venv/bin/python scripts/environment.py
CHECKS = lint sanity importer unit integration lab-test end-to-end molecule machines ordinary-user

.DEFAULT_GOAL = help
.PHONY: help setup demo test bench fuzz matrix $(CHECKS) clean

help: ## this list
	@sed -n 's/^\([a-z][a-z -]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## install what is missing, make .venv; nothing outside the checkout but system packages as root
	@python="$(PYTHON)" && test -n "$$python" && \
	PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME="$(CURDIR)/.cache/xdg" "$$python" scripts/setup.py

demo: setup ## build two ISP lines in namespaces, deploy, verify, break a line, verify again
	@$(WITHIN) python -m tests.demo

test: setup ## every check and test below, with a summary at the end
	@$(WITHIN) python scripts/checks.py

bench: setup ## measure, side by side with what people use today; BENCH="deploy nat" chooses
	@$(WITHIN) python -m tests.benchmark.run $(BENCH)

fuzz: setup ## hostile input for SECONDS (default 60); SEED repeats a run
	@$(WITHIN) python -m tests.fuzz --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

matrix: setup ## deploy with each supported ansible-core, and each pyroute2 on the hosts
	@$(WITHIN) python scripts/matrix.py

lint: ## ruff, mypy, yamllint, ansible-lint, changelog, licences
sanity: ## ansible-test sanity
importer: ## the built collection, checked by the importer of Ansible Galaxy
unit: ## tests without a kernel
integration: ## tests of each module on real namespaces
lab-test: ## tests of the lab, and of the demonstration on it
end-to-end: ## tests of all designs in the lab
molecule: ## the molecule scenarios, and the one that users copy from the documentation
machines: ## as root: tests on booted machines, Debian 12 and 13
ordinary-user: ## as root: lab-test again as an ordinary user

$(CHECKS): setup
	@$(WITHIN) python scripts/checks.py $@

clean: ## remove what set-up and tests have built
	rm -rf .venv .cache
