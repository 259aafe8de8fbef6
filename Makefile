# Two commands do all the set-up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-full lint clean

demo: $(VENV)/ready
	$(BIN)/sharpen demo --out demo

test: $(VENV)/ready lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Real models, servers, kills. TENTH=3 runs the third tenth only.
test-full: $(VENV)/ready lint
	$(BIN)/python -m pytest --full $(if $(TENTH),--tenth=$(TENTH))

lint: $(VENV)/ready
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo
