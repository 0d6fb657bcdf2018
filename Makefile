# `make help` lists the targets. Everything is set up on first use in .envs/ (needs Python 3.11 to 3.13 with venv, nothing else).
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach v,python3 python3.13 python3.12 python3.11,$(if $(shell $(v) -c 'import sys, venv, ensurepip; print(int((3, 11) <= sys.version_info < (3, 14)) or "")' 2>/dev/null | grep 1),$(v))))
ENVS := .envs
UV := $(ENVS)/uv/bin/uv
# --native-tls: the system's certificates, as pip uses them behind a company's proxy
INSTALL = $(UV) pip install --native-tls --quiet --require-hashes --python
RACE := $(ENVS)/race/bin/python
TOOLS := $(ENVS)/tools/bin/python
KUBERACER := $(ENVS)/tools/bin/kuberacer

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

$(ENVS)/uv/.ready: images/bootstrap.lock
	@[ -n "$(PYTHON)" ] || { echo "error: no Python 3.11, 3.12 or 3.13 with venv was found"; echo "remedy: install one (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12 …"; exit 1; }
	@echo "setting up .envs/ with $(PYTHON) (once, a minute or two)"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The image and the local environment of one name come from one lock.
$(ENVS)/race/.ready: images/race/requirements.lock images/race/sdist.lock pyproject.toml $(ENVS)/uv/.ready
	@echo "  race: TensorFlow, rl_coach, numba"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(RACE) -r images/race/requirements.lock
	@PYTHONPATH=$(CURDIR)/images/sdist_build $(INSTALL) $(RACE) --no-deps --no-build-isolation -r images/race/sdist.lock
	@echo $(CURDIR) >$$($(RACE) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kuberacer.pth
	@touch $@

$(ENVS)/tools/.ready: images/tools/requirements.lock pyproject.toml $(ENVS)/uv/.ready
	@echo "  tools: Kubeflow Pipelines' SDK, the object store, the command line"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(TOOLS) -r images/tools/requirements.lock
	@$(UV) pip install --quiet --python $(TOOLS) --no-deps --no-build-isolation --offline --editable .
	@touch $@

$(ENVS)/%/.tests: tests/requirements.lock $(ENVS)/%/.ready
	@$(INSTALL) $(@D)/bin/python -r $<
	@touch $@

$(ENVS)/lint/.ready: tests/lint.lock $(ENVS)/uv/.ready
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(@D)/bin/python -r $<
	@touch $@

.PHONY: setup
setup: $(ENVS)/race/.ready $(ENVS)/tools/.ready ## make the environments (the other targets do it when needed)
