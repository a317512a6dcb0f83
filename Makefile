# make run: one episode into runs/demo.   make test: the test suite.   Both set up .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test slow check tools clean

run: $(VENV)/core.done
	$(BIN)/carm run

test: $(VENV)/dev.done tools
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

slow: $(VENV)/dev.done tools
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/mypy

# The player's test opens its page in a browser, and DICOM files are given to a validator; without these programs and
# without the right to install them, those tests skip.
tools:
	@for tool in chromium:chromium dciodvfy:dicom3tools; do \
	  command -v $${tool%:*} >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    && apt-get update -qq && apt-get install -y -qq $${tool#*:} >/dev/null; } || echo "no $${tool%:*}: its test will skip"; \
	done

$(VENV)/core.done: pyproject.toml constraints.txt
	@echo "setting up $(VENV) (about a minute)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/dev.done: $(VENV)/core.done
	@echo "adding what the tests need"
	$(PIP) --editable ".[dev,rl,perception,gpu]"
	touch $@

clean:
	rm -rf $(VENV) runs
