# Everything a fresh machine with Python 3.12 needs: `make demo` shows the product, `make test` checks it.
PYTHON ?= python3.12
VENV := .venv
BIN := $(VENV)/bin
OUT := build/run1_mass
SEED ?= 1
WORKERS ?= 2
# A module stays in one worker, as its tests share fixtures; in the order of the files, the small ones (doctests) last.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: demo test lint quick thorough bench calibration notebooks docs package install clean

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
# Two modules of it are half of the whole, so that a worker that is done takes tests from the other.
thorough: lint
	$(PYTEST) --thorough --dist worksteal

bench: install
	$(BIN)/python tests/benchmarks/start_up.py
	$(BIN)/python tests/benchmarks/profile.py
	$(BIN)/python tests/benchmarks/sampling.py
	$(BIN)/python tests/benchmarks/extraction.py
	$(BIN)/python tests/benchmarks/effective_draws.py

# Continues what is in build/calibration; an hour or more from nothing.
calibration: install
	$(BIN)/python tests/benchmarks/calibration.py
	$(BIN)/python tests/benchmarks/posteriors.py ranks
	$(BIN)/python tests/benchmarks/posteriors.py verdicts
	$(BIN)/python tests/benchmarks/posteriors.py mixed

# Writes the .ipynb files with their outputs; a test says which are out of step with their scripts.
notebooks: install
	$(BIN)/python notebooks/execute.py

# Sphinx and MyST-NB; a warning is an error.  The site opens from disk.
docs: install
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html notebooks build/docs
	@echo build/docs/index.html

# Wheel and sdist, each installed into an environment with nothing else and tried from an empty folder.
package: install
	rm -rf build/package && mkdir -p build/package/empty
	$(BIN)/python -m build --outdir build/package .
	for made in build/package/*.whl build/package/*.tar.gz; do \
	  rm -rf build/package/venv && $(BIN)/python -m venv build/package/venv && \
	  build/package/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint .constraints.txt $$made && \
	  (cd build/package/empty && rm -rf * && PATH="../venv/bin:$$PATH" sh -e ../../../tests/smoke.sh) || exit 1; \
	done

clean:
	rm -rf build $(VENV)
