# make run   a demo bank on this machine        make test   everything that CI runs
# make check format, lint, types, contracts, migrations and tests
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export UV_PYTHON_DOWNLOADS = never
export PYTHONDONTWRITEBYTECODE =

.PHONY: run test test-spark check format lint types contracts migrations lock coverage-page clean

run: $(VENV)/.ok
	$(BIN)/shouxin demo $(ARGS)

test: $(VENV)/.ok
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# The Spark driver on a local cluster; needs Java 17 (apt-get install default-jre-headless).
test-spark: $(VENV)/.ok
	$(BIN)/python -m pip install --quiet 'pyspark>=4' 'pandas<3'
	$(BIN)/python -m pytest -m slow tests/groups/test_spark.py $(ARGS)

check: $(VENV)/.ok lint types contracts migrations test

format: $(VENV)/.ok
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.ok
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.ok
	$(BIN)/mypy

contracts: $(VENV)/.ok
	$(BIN)/lint-imports

migrations: $(VENV)/.ok
	$(BIN)/python -W ignore manage.py makemigrations --check --dry-run

coverage-page: $(VENV)/.ok
	$(BIN)/python -m pytest -n 2 --dist loadfile --write-coverage $(ARGS)

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --group dev -o requirements.lock pyproject.toml
	@! grep -nE 'https?://' requirements.lock || { echo "requirements.lock holds addresses"; exit 1; }

$(VENV)/.ok: requirements.lock pyproject.toml tools/make_venv.sh
	PYTHON=$(PYTHON) VENV=$(VENV) sh tools/make_venv.sh
	@touch $@

clean:
	rm -rf $(VENV) .shouxin .pytest_cache .mypy_cache .ruff_cache
