# What one does here. Nothing has to be there but Python (3.11 to 3.14) and make; every target sets up what it needs.
#
#   PYTHON=python3.13            the Python that makes .venv
#   PIP_FLAGS="--index-url URL"  where pip installs from, or any other flag of pip's
#   WORKERS=4                    test processes
#   CONVWORKS_PACKS=FOLDER       real images, for the tests that ask for them (they are skipped without)

PYTHON ?= python3
PIP_FLAGS ?=
WORKERS ?= 2

RUN := .venv/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS)
CONVWORKS := .venv/bin/convworks
READY := .venv/.ready
PEERS := .bench-env/bin/python
PEERS_READY := .bench-env/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check lint types imports format docs bench-env bench soak clean

help:
	@echo "make setup      install into .venv, at the versions of requirements.lock"
	@echo "make demo       a small data set: audited, trained on, measured, predicted, reported"
	@echo "make test       the quick tests"
	@echo "make test-all   all tests, with coverage"
	@echo "make check      lint, format, types, import contracts"
	@echo "make format     lay out the code and mend what can be mended"
	@echo "make docs       run the code of every page in docs/"
	@echo "make bench-env  install what we are measured against into .bench-env, apart"
	@echo "make bench      the benchmarks; results lie in bench/results/"
	@echo "make soak       kill and resume training a hundred times"
	@echo "make clean      remove what these wrote, but not .venv and .bench-env"

setup: $(READY)
	@:

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || { \
	    echo "$(PYTHON) is not a Python from 3.11 to 3.14. Name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
	    exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv .venv || { \
	    echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing into .venv (some minutes the first time; torch is large) ..."
	@$(PIP) --constraint requirements.lock setuptools && \
	$(PIP) --constraint requirements.lock --no-build-isolation --editable '.[test]' || { \
	    echo; echo "Not installed. If pip found no wheel of a line of requirements.lock for this platform or Python:"; \
	    echo "put the nearest version that has one into that line (ranges that work are in pyproject.toml), or use"; \
	    echo "another Python: make PYTHON=python3.12 setup. For another index: make PIP_FLAGS='--index-url URL' setup"; \
	    exit 1; }
	@$(RUN) -c 'import torch, torchvision; \
	torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)' || { \
	    echo; echo "torch and torchvision do not fit together: torchvision.ops.nms does not run (its words stand above)."; \
	    echo "Install both from the same index: rm -r .venv, then make setup, with PIP_FLAGS if they come from another"; \
	    exit 1; }
	@touch $@

demo: setup
	@rm -rf demo
	@$(CONVWORKS) sample-data demo/creatures --classes 10 --count 400 --seed 0
	@$(CONVWORKS) audit demo/creatures || test $$? -eq 1
	@$(CONVWORKS) train demo/creatures --run demo/run
	@$(CONVWORKS) evaluate demo/run demo/creatures/val
	@$(CONVWORKS) sample-data demo/new --classes 10 --seed 1 --count 10 --layout flat
	@$(CONVWORKS) predict demo/run demo/new
	@$(CONVWORKS) report demo/run
	@echo
	@echo "Look at demo/run/report.html, and at the pictures in demo/creatures. Your own: .venv/bin/convworks train FOLDER"

test: setup
	@$(RUN) -m pytest -m "not slow" -n $(WORKERS)

test-all: setup
	@$(RUN) -m pytest -n $(WORKERS) --cov=convworks --cov-report=term

check: lint types imports

lint: setup
	@.venv/bin/ruff check --quiet src tests bench
	@.venv/bin/ruff format --check src tests bench

types: setup
	@.venv/bin/pyright

imports: setup
	@.venv/bin/lint-imports --no-logo

format: setup
	@.venv/bin/ruff check --fix src tests bench
	@.venv/bin/ruff format src tests bench

docs: setup
	@$(RUN) -m pytest tests/docs --quiet

bench-env: $(PEERS_READY)

$(PEERS_READY): bench/requirements.txt $(READY)
	@test -x $(PEERS) || $(PYTHON) -m venv .bench-env
	@$(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	    "$$($(PEERS) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch-of-convworks.pth"
	@echo "Installing the peers into .bench-env; it borrows torch from .venv ..."
	@$(PEERS) -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -r bench/requirements.txt
	@touch $@

bench: setup bench-env
	@$(RUN) bench/startup.py
	@$(RUN) bench/arithmetic.py
	@$(RUN) bench/augment.py
	@$(RUN) bench/decode.py
	@$(RUN) bench/index.py
	@$(RUN) bench/audit.py
	@$(RUN) bench/design.py
	@$(PEERS) -W ignore bench/train_step.py
	@$(RUN) bench/transfer.py

soak: setup
	@$(RUN) bench/soak.py

clean:
	rm -rf build dist demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -not -path './.venv/*' -not -path './.bench-env/*' -prune -exec rm -r {} +
