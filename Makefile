# mangrove. 'make demo' and 'make test' set up what they need; Python 3.11-3.13, make and a C compiler must be there.
PYTHON ?= python3
# nproc gives OMP_NUM_THREADS where that is set, which here is about something else.
CORES ?= $(shell env -u OMP_NUM_THREADS nproc 2>/dev/null || sysctl -n hw.ncpu)
REAL_DATA ?= ../shared/data
ENV := .venv
BIN := $(ENV)/bin
READY := $(ENV)/.ready
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
# One thread for linear algebra in each process: the workflow and the tests run several.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MPLBACKEND := Agg
# Large pages on Linux: a step of a network takes gigabytes anew, and small pages cost a third of its time.
export GLIBC_TUNABLES := glibc.malloc.hugetlb=1

.PHONY: help env demo explore real test validate lint format generate closures docs lock bench soak accept clean

help:                  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

env: $(READY)          ## make the environment in .venv from the lock

$(READY): envs/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(ENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)         ## the whole workflow on the embedded simulated survey
	$(SNAKEMAKE) --configfile configs/demo.yaml --report results/demo/report.html --report-after-run
	@echo "The report of the demo is results/demo/report.html"

explore: $(READY)      ## show RUN in the browser, the demo by default: make explore RUN=real-manga PORT=8051
	$(BIN)/mangrove explore results/$(or $(RUN),demo) --port $(or $(PORT),8050)

real: $(READY)         ## real input: a MUSE cube, eight MaNGA spectra, the emulator on DESI galaxies
	REAL_DATA="$$($(BIN)/python tools/real_data.py "$(REAL_DATA)")" && export REAL_DATA && \
	for run in real-muse real-manga; do \
	  $(SNAKEMAKE) --configfile configs/$$run.yaml --config "survey={base: $$REAL_DATA}" \
	    --report results/$$run/report.html --report-after-run || exit 1; \
	done
	@echo "The reports are results/real-muse/report.html and results/real-manga/report.html"
	@table="$(REAL_DATA)/desi/desi_sv3_continuum_ew.h5"; \
	if [ -f "$$table" ]; then \
	  $(SNAKEMAKE) --configfile configs/desi.yaml --config "emulator={desi_file: $$table}" \
	    --report results/desi/report.html --report-after-run && \
	  echo "The report of the emulator is results/desi/report.html"; \
	else echo "Run 'desi' left out: there is no $$table (set REAL_DATA to the folder that holds desi/)"; fi

test: $(READY)         ## all tests
	REAL_DATA="$(REAL_DATA)" $(BIN)/python -m pytest -q -n $(CORES) --dist loadgroup --no-loadscope-reorder --max-worker-restart 0

validate: $(READY)     ## the tests of truth in full (an hour)
	REAL_DATA="$(REAL_DATA)" MANGROVE_VALIDATE=1 $(BIN)/python -m pytest -q tests/scripts/test_known_populations.py tests/scripts/test_truth.py \
	  tests/real/test_known_populations.py tests/real/test_emulator.py tests/real/test_engines_agree.py tests/real/test_labels.py \
	  tests/unit/test_emulator_mock.py tests/unit/test_line_profiles.py tests/unit/test_gas_components.py

lint: $(READY)         ## style of Python and of the rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint --configfile configs/demo.yaml

format: $(READY)       ## correct the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

generate: $(READY)     ## write config.yaml, its schema and the tables of the docs from the code
	$(BIN)/mangrove generate

closures: $(READY)     ## accept what the scripts import: write tests/closures.toml, the list of what each rule's code hash covers
	$(BIN)/python tools/closures.py

docs: $(READY)         ## the documentation as a site: site/index.html; a broken link is an error
	rm -rf site docs/api
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet --jobs auto docs site
	@echo "The documentation is site/index.html"

lock: $(READY)         ## resolve the dependencies again for Python 3.11-3.13
	$(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	  --no-emit-index-url --no-header --quiet --upgrade --extra dev --extra docs pyproject.toml -o envs/requirements.txt
	sed -i.old '/^  - pip:$$/q' envs/mangrove.yaml && rm envs/mangrove.yaml.old
	sed -n 's/^\([a-z].*[^ \\]\) *\\$$/      - "\1"/p' envs/requirements.txt >> envs/mangrove.yaml

bench: $(READY)        ## all benchmarks with their limits; results/benchmarks.jsonl
	REAL_DATA="$(REAL_DATA)" $(BIN)/python tools/run_benchmarks.py results/benchmarks.jsonl

# How far 'make soak' goes: kills; writes of each step that fail; cases of all fuzz tests together.
KILLS ?= 50
FAULTS ?= all
CASES ?= 1000000

# After 'make demo'; root, a C compiler, Chromium and Slurm must be there: what is skipped fails.
soak: $(READY)         ## kills, every write a fault, fuzz, attacks on the explorer (hours): results/soak.txt
	mkdir -p results
	REAL_DATA="$(REAL_DATA)" MANGROVE_KILLS=$(KILLS) MANGROVE_FAULTS=$(FAULTS) MANGROVE_FUZZ_CASES=$(CASES) \
	  MANGROVE_SOAK=1 MANGROVE_REQUIRE=demo,cluster $(BIN)/python -m pytest -v -s -o faulthandler_timeout=0 \
	  tests/faults tests/*/test_fuzz_*.py tests/cluster/test_whole_run.py tests/explorer/test_shell.py \
	  tests/explorer/test_uploads.py tests/explorer/test_browser_spectrum.py | tee results/soak.txt; \
	  tail -n 1 results/soak.txt | grep " passed" | grep -vqE " (failed|error|skipped)"

accept: $(READY)       ## declare the results of RUN current after a harmless edit: make accept RUN=demo
	$(SNAKEMAKE) --configfile configs/$(RUN).yaml --touch

clean:                 ## delete environment and results (not the kept cubes in data/)
	rm -rf $(ENV) results site docs/api .snakemake
