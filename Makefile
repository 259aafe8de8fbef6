# Two commands do all the set-up: `make demo` runs the main job, `make test` passes the tests.
# Another Python than python3: make PYTHON=python3.12 demo
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test test-full lint clean

demo: $(VENV)/set-up
	$(BIN)/sharpen demo --out demo

test: $(VENV)/ready lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Real models, servers, kills. TENTH=3 runs the third tenth only.
test-full: $(VENV)/ready lint
	$(BIN)/python -m pytest --full $(if $(TENTH),--tenth=$(TENTH))

lint: $(VENV)/ready
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/mypy

# What sharpen needs. The virtual environment is made anew: half of one, or one of another Python, would stay otherwise.
$(VENV)/set-up: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
	"sharpen needs Python 3.11 or newer: $(PYTHON) is older or not there. Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
	"$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) '.[all]'
	touch $@

# What its tests need as well.
$(VENV)/ready: $(VENV)/set-up
	$(INSTALL) '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo
