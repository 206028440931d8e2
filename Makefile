# Everything a fresh machine with Python 3.12 needs: `make demo` shows the product, `make test` checks it.
PYTHON ?= python3.12
VENV := .venv
BIN := $(VENV)/bin
OUT := build/run1_mass
SEED ?= 1
WORKERS ?= 2
# A module stays in one worker, as its tests share fixtures; in the order of the files, the small ones (doctests) last.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: demo test lint quick thorough bench calibration install clean

install: $(VENV)/.installed

# The constraints pin every version, so that two fresh installs are the same.
$(VENV)/.installed: pyproject.toml .constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .constraints.txt --editable '.[dev]'
	touch $@

demo: install
	mkdir -p $(OUT)
	$(BIN)/bayescomb sample models/run1_mass --draws 1000 --seed $(SEED) --output $(OUT)/posterior.nc
	$(BIN)/bayescomb report models/run1_mass $(OUT)/posterior.nc --output $(OUT)/report

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(PYTEST)

quick: install
	$(PYTEST) -m "not slow"

# Random checks ten times as often, studies of full size, the full engine at true size; an hour.
thorough: lint
	$(PYTEST) --thorough

bench: install
	$(BIN)/python tests/benchmarks/profile.py
	$(BIN)/python tests/benchmarks/sampling.py
	$(BIN)/python tests/benchmarks/extraction.py
	$(BIN)/python tests/benchmarks/effective_draws.py

# Continues what is in build/calibration; an hour or more from nothing.
calibration: install
	$(BIN)/python tests/benchmarks/calibration.py

clean:
	rm -rf build $(VENV)
