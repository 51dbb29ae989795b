# Two commands matter: `make lab` and `make test`. Both set up .venv first, and only when something changed.
# Portable on purpose: GNU make 3.81 (macOS) and a plain POSIX shell are enough.

VENV    ?= .venv
TORCH   ?= auto
WORKERS ?= 2
PROFILE ?= quick
LAB_ARGS ?=
TEST_ARGS ?=
COVERAGE := --cov=klcourse --cov-report=term:skip-covered --cov-fail-under=94

.DEFAULT_GOAL := help
.PHONY: help lab test test-long test-browser install setup notebooks slides student site pdf lint lock mutants clean FORCE

PY := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The first Python that really runs and is new enough; `make lab PYTHON=/path/to/python` overrides the search.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

# On Linux the default wheel of torch brings about 2.5 GB of CUDA libraries; PyTorch's own index has a build without them.
# TORCH=auto takes that one where there is no NVIDIA GPU and the index answers within four seconds. Elsewhere wheels for
# macOS and Windows never contain CUDA, so there is nothing to choose.
TORCH_INDEX := https://download.pytorch.org/whl/cpu
TORCH_CPU   := --extra-index-url $(TORCH_INDEX) "torch==$(shell sed -n "s/^torch==//p" requirements.txt)+cpu"
WANT_CPU    := [ "`uname -s`" = Linux ] && { [ $(TORCH) = cpu ] || { ! nvidia-smi -L >/dev/null 2>&1 && \
	"$(PY)" -c 'import signal, urllib.request as u; signal.alarm(4); u.urlopen("$(TORCH_INDEX)/torch/", timeout=4)' 2>/dev/null; }; }
ifeq ($(filter $(TORCH),auto cpu default),)
  $(error TORCH=$(TORCH) is unknown: use TORCH=cpu or TORCH=default, or leave it out)
endif

# The stamp holds the folder it was made for, because a moved or copied .venv points at its old place.
STAMP := $(VENV)/.installed-$(TORCH)
ifneq ($(shell cat "$(STAMP)" 2>/dev/null),$(CURDIR))
  STALE := FORCE
endif

help:
	@echo "make lab        set up .venv, check it, open JupyterLab on notebooks/00_start_here.ipynb"
	@echo "make test       the same set-up, then the whole test suite, then seconds and memory per notebook"
	@echo "make test-long  all random examples and every notebook in a browser: once a week, and before a release"
	@echo "make test-browser  only the tests in a real browser: every notebook, every slider, slides (needs Chromium)"
	@echo "make slides     build slide decks that need no network: build/slides/*.html (NB=01_elbo for one, CODE=1 with code,"
	@echo "                PLAN=90 or PLAN=45 for a lecture of so many minutes across the notebooks)"
	@echo "make student    the course without solutions, to hand out: build/student and build/student.zip"
	@echo "make site       build the course as pages to read, with search, for any web server or a folder: build/site"
	@echo "make pdf        the site printed to one file, build/klcourse.pdf (needs Chromium)"
	@echo "make notebooks  run the notebooks and store their outputs (NB=01_elbo for one, PROFILE=full for long)"
	@echo "make lint       mistakes, layout, docstrings and types of the code (ruff, mypy)"
	@echo "make lock       write constraints.txt and binder/requirements.txt anew, after a change of requirements.txt"
	@echo "make mutants    which mistakes would the tests notice? (mutmut; ROOMS=games SAMPLE=60 WITHOUT=tests/...; not in CI)"
	@echo "make clean      remove .venv and everything else that was generated"
	@echo ""
	@echo "Linux without an NVIDIA GPU gets PyTorch without CUDA by itself; TORCH=cpu or TORCH=default decide otherwise."
	@echo "Also: PYTHON=python3.12, WORKERS=4 (parallel tests), LAB_ARGS=--no-browser, TEST_ARGS='-k exact -x'"

# --no-compile: pip would compile every file of every package, Python compiles the few that are imported.
$(STAMP): requirements.txt constraints.txt pyproject.toml $(STALE)
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	  echo "This course needs Python 3.11 or newer, and none was found on the PATH."; \
	  echo "Install it from https://www.python.org/downloads/ or your system's packages, then run make again;"; \
	  echo "or name it: make lab PYTHON=/path/to/python3.11"; exit 1; fi
	@if ! "$(PYTHON)" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
	  echo "$(PYTHON) cannot create virtual environments: its venv or ensurepip module is missing."; \
	  echo "On Debian and Ubuntu: sudo apt install python3-venv    Then run make again."; exit 1; fi
	@if ! "$(PY)" -m pip --version >/dev/null 2>&1; then \
	  echo "Creating $(VENV) with `"$(PYTHON)" --version`"; "$(PYTHON)" -m venv --clear "$(VENV)"; fi
	@echo "Installing (a few minutes and about 2 GB the first time, seconds afterwards)"
	@set --; if [ $(TORCH) != default ] && $(WANT_CPU); then set -- $(TORCH_CPU); fi; \
	"$(PY)" -m pip install --quiet --no-compile "$$@" -c constraints.txt -r requirements.txt || { \
	  echo "Installation failed; nothing is lost, run make again to continue."; \
	  echo "The most common reasons are in README.md under Troubleshooting."; exit 1; }
	@printf '%s\n' "$(CURDIR)" > "$(STAMP)"

install: $(STAMP)

setup: $(STAMP)
	@"$(PY)" -m klcourse doctor

# Jupyter refuses to run as root unless told so; root is what a container or a classroom server often is.
# root_dir, because the file browser would otherwise show the notebooks folder only.
lab: setup
	"$(PY)" -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir=. $(LAB_ARGS) notebooks/00_start_here.ipynb

# One thread per process: the workers would otherwise fight for the cores.
# Coverage of the package means something only if everything runs. It counts what tests run in their own process; kernels, the
# browser and tests/exact, which would run the same lines a million times, count nothing.
test: setup
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} "$(PY)" -m pytest -n $(WORKERS) --dist loadfile $(if $(TEST_ARGS),$(TEST_ARGS),$(COVERAGE))

test-long: setup
	KLCOURSE_LONG=1 OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} "$(PY)" -m pytest -n $(WORKERS) --dist loadfile $(TEST_ARGS)

# Every notebook, where `make test` takes the few that show every widget, and skips them if there is no browser: here an error.
test-browser: setup
	@"$(PY)" -m klcourse.publish.chromium
	KLCOURSE_BROWSER=all OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} "$(PY)" -m pytest tests/browser $(TEST_ARGS)

slides: $(STAMP)
	"$(PY)" -m klcourse.publish.decks $(if $(CODE),--code) $(if $(PLAN),--plan $(PLAN)) $(NB)

student: $(STAMP)
	"$(PY)" -m klcourse.publish.student

notebooks: $(STAMP)
	"$(PY)" -m klcourse.publish.normalise --profile $(PROFILE) $(NB)

# An environment of its own, made on demand: nothing else needs Sphinx, and the site does not need PyTorch.
SITE := build/.venv-site
$(SITE)/.installed: klcourse/publish/site/requirements.txt
	@"$(PYTHON)" -m venv --clear "$(SITE)"
	@echo "Installing what builds the site (about a minute and 420 MB the first time)"
	@"$(SITE)/bin/python" -m pip install --quiet --no-compile -r klcourse/publish/site/requirements.txt
	@touch "$@"

site: $(SITE)/.installed
	"$(SITE)/bin/python" -m klcourse.publish.site $(NB)

pdf: $(STAMP) site
	"$(PY)" -m klcourse.publish.book

lint: $(STAMP)
	"$(PY)" -m ruff check klcourse tests
	"$(PY)" -m ruff format --check klcourse tests
	"$(PY)" -m mypy

# mutmut is installed here and not by requirements.txt: nothing else needs it.
mutants: $(STAMP)
	@"$(PY)" -m pip install --quiet "mutmut==3.8.1"
	OMP_NUM_THREADS=1 "$(PY)" -m tests.mutation.run $(ROOMS) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(WITHOUT),--without $(WITHOUT))

# From the newest versions that requirements.txt allows, in an environment of its own.
lock:
	rm -rf build/.venv-lock && "$(PYTHON)" -m venv build/.venv-lock
	build/.venv-lock/bin/python -m pip install --quiet --no-compile -r requirements.txt
	build/.venv-lock/bin/python -m klcourse.publish.lock

clean:
	rm -rf .venv .venv-ci build dist *.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache .coverage .coverage.*
	find klcourse tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
