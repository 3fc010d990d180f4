# Two commands: `make run` sets up and prints the Llama 3.1 405B estimate, `make test` sets up and passes the tests.
# `make frameworks` adds what the callbacks are for (about 1.2 GB with PyTorch); without it their tests are skipped.
PYTHON ?= python3
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE # else each of the tests' many processes compiles all that it imports
export OPENBLAS_NUM_THREADS := 1# matrices are small: threads would wait for each other, more so beside other tests

.PHONY: run test check format benchmark calibrate frameworks clean

run: .venv/.installed
	$(BIN)/footprint estimate llama-3.1-405b

# A machine is seldom idle: what goes by the clock, on emulated GPUs or by measuring seconds, has one more go, alone.
twice = $(BIN)/python -m pytest -m $(1) || { echo "once more, what failed:" && \
  $(BIN)/python -m pytest -m $(firstword $(1)) --last-failed --last-failed-no-failures none; }

# The many that compute on both processors; those that mostly wait, so three at once; last those that need it quiet.
test: .venv/.installed check
	$(BIN)/python -m pytest -m "not emulated and not clock" --numprocesses 2 --dist loadfile
	$(call twice,emulated --numprocesses 3 --dist loadscope)
	$(call twice,clock)

check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: .venv/.installed
	$(BIN)/python tests/benchmarks/compare.py

calibrate: .venv/.installed
	$(BIN)/python -m footprint.throughput.calibrate --write data/throughput_rule.csv
	$(BIN)/python -m footprint.estimation.power_calibration --write data/power_rule.csv

frameworks: .venv/.frameworks

.venv/.frameworks: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,frameworks]'
	touch .venv/.installed $@

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
