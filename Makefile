# The two commands: `make run` (the pipeline with the sample wire playing) and `make test` (everything that must hold).
# Both set up a virtual environment from the locked, hashed requirements first; nothing outside this folder is touched, no root is needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --require-hashes --no-deps --only-binary :all:
# languages that have a requirements/<language>.lock: trained pipelines, wanted by none
LANGUAGES := $(patsubst requirements/%.in,%,$(wildcard requirements/*.in))
EXTRAS ?=
comma := ,
EXTRA_STAMPS := $(patsubst %,$(VENV)/.extra-%,$(subst $(comma), ,$(EXTRAS)))

.PHONY: run kafka test torture bench eval setup lint types check golden lock clean help
.DEFAULT_GOAL := help

help:
	@echo "make run       the always-on pipeline with the sample wire playing (Ctrl-C ends it)"
	@echo "make kafka     a real Kafka broker on this machine, for trying (docs/scale-out.md)"
	@echo "make test      lint, types, architecture, tests"
	@echo "make torture   the long fault rounds"
	@echo "make bench     speed, as ratios against a yardstick of the same run"
	@echo "make eval      accuracy on the labelled sets, where they are"
	@echo "make setup     only the environment; EXTRAS=en,fr,ko,ru adds language tools"
	@echo "make golden    golden files anew: review the diff"
	@echo "make lock      new locks from pyproject.toml"

run: $(VENV)/.base
	$(BIN)/tumen run --samples

kafka:
	@deploy/kafka/local.sh run

test: lint types
	$(BIN)/pytest -m "not torture" --numprocesses 2 --dist loadfile --no-loadscope-reorder

torture: $(VENV)/.dev
	$(BIN)/pytest -m torture --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.dev
	$(BIN)/python -m bench

eval: $(VENV)/.dev
	@test -d ../shared/corpora || { echo "make eval: the labelled sets (../shared/corpora) are not beside this checkout"; exit 1; }
	$(BIN)/python -m processors.clean.measure --texts ../shared/seeds ../shared/gold/seeds_clean.json \
		--lines ../shared/corpora/pages/plain/fundus_lines.jsonl --pages ../shared/corpora/pages/fundus
	$(BIN)/python -m bench.copies ../shared/corpora/dedup/tgcontest_pairs_dev.jsonl
	$(BIN)/python -m processors.tag.train ../shared/corpora/relation/digests.jsonl --items ../shared/corpora/relation/dev.jsonl --measure
	@echo 'with the shipped weights, which were learnt from these articles:'
	$(BIN)/tumen eval ../shared/corpora/relation/dev.jsonl
	$(BIN)/tumen eval ../shared/corpora/relation/digests.jsonl

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(VENV)/.dev
	$(BIN)/mypy

setup: $(VENV)/.base $(EXTRA_STAMPS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tumen needs Python 3.11 or newer; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment could be made: install your system's python3-venv"; exit 1; }

$(VENV)/.base: requirements/base.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked requirements into $(VENV) (once) ..."
	@$(INSTALL) -r requirements/base.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.base
	@$(INSTALL) -r requirements/dev.lock
	@touch $@

# an extra that there is none of is named, with those that there are
$(foreach one,$(filter-out $(LANGUAGES),$(subst $(comma), ,$(EXTRAS))),$(error EXTRAS=$(EXTRAS): $(one): expected among $(LANGUAGES)))

$(VENV)/.extra-%: requirements/%.lock $(VENV)/.base
	@$(INSTALL) --no-build-isolation -r $<
	@touch $@

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

lock: $(VENV)/.dev
	$(LOCK) pyproject.toml --group build --output-file requirements/base.lock
	$(LOCK) --group dev --constraint requirements/base.lock --output-file requirements/dev.lock
	$(foreach one,$(LANGUAGES),$(LOCK) --emit-build-options --no-deps requirements/$(one).in --output-file requirements/$(one).lock &&) true

golden: $(VENV)/.dev
	TUMEN_WRITE_GOLDEN=1 $(BIN)/pytest -m "not torture" tests
	git status --short tests/golden

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
