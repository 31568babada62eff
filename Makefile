# The one task vocabulary: people, the README and CI call these. `make` alone lists them.
# Needs Python 3.11+ and a package index; uv is used when installed, else it is put into .uv/ first.

PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
# Never let the installer look for another interpreter or change the lock.
SYNC = UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --inexact --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"

# Keep the bytecode of what is imported: without it every command compiles some 4,000 modules again.
export PYTHONDONTWRITEBYTECODE =
export BENTOML_DO_NOT_TRACK = true
export MLFLOW_DISABLE_TELEMETRY = true
export FEAST_USAGE = False
# Threads of LightGBM that wait in a busy loop slow each other down where tests run side by side.
export OMP_WAIT_POLICY = passive

.PHONY: help demo test check format serve notebook bento bench soak clean
.DEFAULT_GOAL := help

help: ## list the tasks
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/.demo ## set up, simulate a company's exports, score its leads
	@$(BIN)/kizashi demo

test: .venv/.dev ## set up and run the whole test suite
	@$(BIN)/pytest -n 2 --dist loadfile

check: .venv/.dev ## format, lint, types, import directions, lock
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(UV) lock --check --quiet

format: .venv/.dev ## rewrite the code in the agreed format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

serve: .venv/.demo ## answer lookups over HTTP from the demo's workspace
	@$(BIN)/kizashi serve

bento: .venv/.demo ## build the service as a Bento (docs/serving.md)
	@$(BIN)/bentoml build -f bentofile.yaml -o tag .

notebook: .venv/.notebooks ## open JupyterLab on the notebooks (prints its URL; ARGS=--no-browser on a server)
	@$(BIN)/jupyter lab $(ARGS) notebooks

bench: .venv/.dev ## measure against the oracle, the baselines and the limits
	@$(BIN)/python -m benchmarks

soak: .venv/.dev ## kill runs at random moments and see that nothing is lost (some 15 minutes)
	@$(BIN)/python -m benchmarks.soak

clean: ## remove the environment and all workspaces
	rm -rf .venv .uv data

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ...")'
	@echo "Installing uv into .uv/ ..."
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.5'

.venv/.demo: pyproject.toml uv.lock $(if $(findstring .uv/,$(UV)),.uv/bin/uv)
	@echo "Setting up the environment in .venv/ ..."
	@$(SYNC)
	@touch $@

.venv/.notebooks: pyproject.toml uv.lock $(if $(findstring .uv/,$(UV)),.uv/bin/uv)
	@echo "Setting up the environment with JupyterLab in .venv/ ..."
	@$(SYNC) --extra notebooks
	@touch $@ .venv/.demo

.venv/.dev: pyproject.toml uv.lock $(if $(findstring .uv/,$(UV)),.uv/bin/uv)
	@echo "Setting up the environment with the development tools in .venv/ ..."
	@$(SYNC) --extra dev
	@touch $@ .venv/.demo
