# What people do here. `make` alone says it.

PYTHON ?= python3
DEMO ?= examples/last_word
SHELL := bash
VENV := .venv
RUN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench clean

help: ## say this
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16

setup: $(VENV)/.ready ## make .venv with reasoner in it

demo: $(VENV)/.ready ## solve an example task in front of you, with the default model
	@cat $(DEMO)/TASK.md
	@printf '\n$$ reasoner solve $(DEMO) --lessons\n\n'
	@$(RUN)/reasoner solve $(DEMO) --lessons

test: $(VENV)/.ready-dev ## run the tests
	@$(RUN)/reasoner models pull smollm2-135m-instruct > $(VENV)/smollm2 \
		|| echo 'going on without the small model: its tests are skipped'
	@$(RUN)/pytest -q

lint: $(VENV)/.ready-dev ## check style and types
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check reasoner tests tools sandbox benchmarks
	@$(RUN)/mypy

bench: $(VENV)/.ready ## measure what the README quotes, the quick way
	@for name in models core world exercism search_toys; do echo "$$name"; $(RUN)/python "benchmarks/$$name.py" --quick || exit 1; done

clean: ## remove .venv and everything built here; models and traces stay in the store
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip says much; only what it is at is shown, on one line, and its errors if there are any.
define install
	@echo 'installing into $(VENV): a few minutes the first time'
	@PYTHONUNBUFFERED=1 $(RUN)/python -m pip --disable-pip-version-check --no-input \
		install -c constraints.txt -e '$(1)' 2> $(VENV)/pip.log | \
		while read -r word what rest; do case $$word in Collecting | Downloading | Installing | Building) \
		if [ -t 1 ]; then printf '\r\033[K  %.70s' "$$word $$what"; fi ;; esac; done; \
		code=$${PIPESTATUS[0]}; if [ -t 1 ]; then printf '\r\033[K'; fi; \
		if [ $$code -ne 0 ]; then grep -v '^WARNING' $(VENV)/pip.log | tail -n 4 >&2; \
		echo 'error: pip could not install the packages (above): check the network, then run make again' >&2; exit 4; fi
endef

$(VENV)/.ready: pyproject.toml constraints.txt | $(RUN)/python
	$(call install,.)
	@touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt | $(RUN)/python
	$(call install,.[dev])
	@touch $(VENV)/.ready $@

$(RUN)/python:
	@command -v '$(PYTHON)' > /dev/null \
		|| { echo 'error: there is no $(PYTHON) here: install Python 3.11 or later, or say make PYTHON=...' >&2; exit 2; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is" \
		"$$('$(PYTHON)' --version 2>&1), but 3.11 or later is needed: say for example make PYTHON=python3.12" >&2; exit 2; }
	@'$(PYTHON)' -m venv --clear $(VENV) > $(VENV).log 2>&1 || { tail -n 4 $(VENV).log >&2; echo 'error: $(PYTHON) cannot' \
		'make a virtual environment: on Debian and Ubuntu, apt install python3-venv' >&2; exit 2; }
	@rm -f $(VENV).log
