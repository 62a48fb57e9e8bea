# make demo         classify bundled images: no display, no network beyond the installation
# make test         what is checked for each change: ruff, mypy, pytest. `make test SLOW=` runs the slow tests, too
# make coverage     the tests again, to see which lines and branches they cover; takes a quarter longer
# make bench        what it costs, against others; writes docs/performance.md. `make bench BENCH=--quick` takes some minutes
# make docs         the documentation as a site, in site/
# make screenshots  take docs/images again, from the real panel
# make clean        remove what the others made
#
# Each of them makes .venv and installs what it needs. PYTHON=/path/to/python chooses an interpreter.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14 python; do \
            "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)

# What Qt, OpenGL in software, the privacy tests, the judges of DICOM files and the archive of the tests need on Debian
# and Ubuntu.
SYSTEM_PACKAGES := xvfb xauth strace dcmtk dicom3tools orthanc orthanc-dicomweb \
    libgl1 libgl1-mesa-dri libegl1 libopengl0 libdbus-1-3 libfontconfig1 libglib2.0-0 \
    libx11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 \
    libxcb-shape0 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1 libxkbcommon-x11-0 libxkbcommon0
GUI_TESTS := tests/gui
# Each takes long and guards what rarely changes. The workflow on GitHub runs them for each change.
SLOW := tests/hostile tests/fitting/test_tutorial.py \
    tests/runtime/test_hostile_models.py tests/test_cluster_processes.py tests/test_hardware.py tests/test_images_given.py \
    tests/test_interruption.py tests/test_packaging.py tests/test_resume_formats.py tests/imaging/test_memory.py tests/pacs/test_faults.py \
    $(addprefix tests/reports/test_,servers.py structured.py) tests/publishing/test_own_model_published.py \
    $(addprefix tests/catalogue/test_,foreign_caches.py meetings.py optimised.py) \
    $(addprefix $(GUI_TESTS)/test_,outside_text.py place.py image_walk.py keyboard.py leaks.py region_search.py own_models.py \
    stored_models.py preferences.py process.py zenodo_search.py unsaved.py focus.py whole_way.py)
# A third of the tests: those in the other folders.
FOLDERS := $(filter-out $(GUI_TESTS)/ $(addsuffix /,$(SLOW)),$(sort $(dir $(wildcard tests/*/test_*.py))))
# Many tests start programs, which would compile every module again.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest --durations=15 --hypothesis-profile=quick
MEASURED := $(BIN)/coverage run -m pytest
REPORT := echo 'Lines and branches that the tests of both processes cover, in percent:' && $(BIN)/coverage report

ON_A_SCREEN := xvfb-run -a -s '-screen 0 1600x1200x24'
# Numbers of their own, or two of them begin to look for a free one at the same moment.
ON_ANOTHER_SCREEN := $(ON_A_SCREEN) -n 200
ON_A_THIRD_SCREEN := $(ON_A_SCREEN) -n 300

# A virtual environment of which only half was made is no environment.
.DELETE_ON_ERROR:
.PHONY: demo test types panel others coverage bench docs screenshots clean servers system-packages print-system-packages

demo: $(VENV)/.for-demo
	$(BIN)/napari-webipred demo

test: $(VENV)/.for-test system-packages $(if $(SLOW),,servers)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@if command -v xvfb-run >/dev/null; then \
	    $(MAKE) --no-print-directory --jobs=4 types panel folders others; \
	elif [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" != Linux ]; then \
	    $(BIN)/mypy && $(PYTEST); \
	elif [ -n "$$CI" ]; then \
	    echo 'There is no display and no xvfb-run: the panel cannot be tested.' >&2; exit 1; \
	else \
	    echo 'LEFT OUT: the tests of the panel, because there is no display and no xvfb-run (package xvfb).' >&2; \
	    $(BIN)/mypy && $(BIN)/pytest --ignore=$(GUI_TESTS); \
	fi

# These run side by side, which takes half the time on two cores; what waits leaves its core to the others.
types:
	$(BIN)/mypy
panel:
	@$(ON_A_SCREEN) $(PYTEST) -p no:cacheprovider $(GUI_TESTS) $(addprefix --ignore=,$(SLOW))
folders:
	@$(ON_ANOTHER_SCREEN) $(PYTEST) -p no:cacheprovider $(FOLDERS) $(addprefix --ignore=,$(SLOW))
others:
	@$(ON_A_THIRD_SCREEN) $(PYTEST) tests $(addprefix --ignore=,$(GUI_TESTS) $(FOLDERS) $(SLOW))

coverage: $(VENV)/.for-test system-packages
	@rm -f .coverage .coverage.*
	COVERAGE_FILE=.coverage.panel $(ON_A_SCREEN) $(MEASURED) -p no:cacheprovider $(GUI_TESTS)
	COVERAGE_FILE=.coverage.others $(ON_A_SCREEN) $(MEASURED) --ignore=$(GUI_TESTS)
	$(BIN)/coverage combine --quiet
	$(REPORT)

docs: $(VENV)/.for-test
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs site

bench: $(VENV)/.for-demo
	$(BIN)/python benchmarks/bench.py $(BENCH)

screenshots: $(VENV)/.for-test system-packages
	if command -v xvfb-run >/dev/null; then \
	    $(ON_A_SCREEN) $(BIN)/python tools/screenshots.py; \
	else \
	    $(BIN)/python tools/screenshots.py; \
	fi

clean:
	rm -rf $(VENV) build dist demo.csv demo.csv.json .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*

system-packages:
	@.ci/system-packages $(SYSTEM_PACKAGES)

# What reports are tried with: a FHIR server, and a browser unless there is one; and TensorFlow.js, to compare with. Without Node the tests say what they leave out.
servers: $(VENV)/.for-test
	@command -v node >/dev/null && command -v npm >/dev/null || .ci/system-packages nodejs npm
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || .ci/system-packages chromium
	@mkdir -p $(VENV)/fhir && cp tests/reports/fhir/package.json $(VENV)/fhir
	@! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --no-package-lock --prefix $(VENV)/fhir
	@mkdir -p $(VENV)/tfjs && cp tests/publishing/tfjs/package.json $(VENV)/tfjs
	@! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --no-package-lock --prefix $(VENV)/tfjs

print-system-packages:
	@echo $(SYSTEM_PACKAGES)

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
	    echo 'Python 3.11 or later is needed and none was found: install it, or name it with PYTHON=/path/to/python.' >&2; exit 1; \
	fi
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || .ci/system-packages python3-venv
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { \
	    echo '$(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: python3-venv).' >&2; exit 1; \
	}
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.for-demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.for-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group test
	@touch $@ $(VENV)/.for-demo
