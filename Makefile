# What a developer does with reconix. Each target brings what it needs: nothing comes before it.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

# Programs of administrators (mkfs.ext4, sgdisk) are not on everybody's PATH.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH):/usr/sbin:/sbin

# Where compiled modules may not be kept, each command compiles all of its own: 0.7 s.
unexport PYTHONDONTWRITEBYTECODE

# What comes before the work. `make SETUP= …` does without, where one can install nothing.
SETUP := setup

.PHONY: help setup packages environment check check-all test vm demo prove bench bench-updates mutants docs site

help:
	@echo 'make setup   Debian packages, and a virtual environment in $(VENV) with reconix'
	@echo 'make check   format, lint, types and all tests but the long ones'
	@echo 'make test    all tests'
	@echo 'make vm      only the tests that boot virtual devices'
	@echo 'make demo    the whole way once, in a virtual device'
	@echo 'make prove   cut the power of the example device in 20,000 ways (as root)'
	@echo 'make bench   print the figures of bench/'
	@echo 'make bench-updates  updates beside those of other programs (as root, hours; PAIRS="config nix": less)'
	@echo 'make mutants change modules in small ways and see whether tests notice (an hour)'
	@echo 'make docs    write the manual pages'
	@echo 'make site    all documents as pages, in build/site'

setup: packages environment

packages:
	@sh tools/install-packages

environment: packages
	@sh tools/make-environment $(PYTHON) $(VENV)

# Format, lint and types are tests too: tests/test_house.py.
check: $(SETUP)
	$(RUN) -m pytest --numprocesses auto -m 'not vm and not prover and not archive'

# Where a build machine is busy with other work, an emulated guest may be starved until it is late.
# That, and nothing else, is tried a second time. An emulated guest has one core, so one runs on
# each core; those of a file are one worker's, because they share a device. The longest files
# are the first (tests/conftest.py).
GUEST_HANGS := did not start in time|cannot log in|did not say|GuestNotReady|NotSaid
DEVICE_TESTS = $(RUN) -m pytest -m vm --numprocesses auto --dist loadfile --no-loadscope-reorder \
    --durations 40 --reruns 1 --only-rerun '$(GUEST_HANGS)'
OTHER_TESTS = $(RUN) -m pytest --numprocesses auto --durations 10 -m 'not vm'

# Both parts run, whatever one of them finds; then the result. Devices leave about a third of two
# cores idle, while they wait for what is downloaded, written and due: the other tests take that,
# and what they said is shown at the end.
test: $(SETUP)
	@log=$$(mktemp); nice -n 10 $(OTHER_TESTS) > $$log 2>&1 & others=$$!; \
	    trap 'kill $$others 2>/dev/null; exit 130' INT TERM; \
	    echo "the tests that need no device run beside: $$log"; \
	    failed=; $(DEVICE_TESTS) || failed=' vm'; \
	    wait $$others || failed="$$failed check-all"; cat $$log; rm $$log; \
	    test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

check-all: $(SETUP)
	$(OTHER_TESTS)

vm: $(SETUP)
	$(DEVICE_TESTS)

demo: $(SETUP)
	$(RUN) examples/demo.py

prove: $(SETUP)
	$(RUN) examples/prove.py

# A bar that is missed does not keep the other figures from being made.
bench: $(SETUP)
	@missed=; for each in bench/*.py; do echo "== $$each"; $(RUN) -m "bench.$$(basename "$$each" .py)" || missed="$$missed $$each"; done; \
	    test -z "$$missed" || { echo "missed:$$missed" >&2; exit 1; }

bench-updates: $(SETUP)
	$(RUN) -m pip install --quiet --disable-pip-version-check \
	    --constraint tools/constraints.txt --editable '.[bench]'
	$(RUN) -m bench.updates $(addprefix --pair ,$(PAIRS))

mutants: $(SETUP)
	$(RUN) -m pip install --quiet --disable-pip-version-check \
	    --constraint tools/constraints.txt --editable '.[mutation]'
	$(RUN) tools/mutate.py /dev/shm/mutants

docs: $(SETUP)
	$(RUN) tools/write_manual.py

site: $(SETUP)
	$(RUN) tools/make_site.py build/site
	@echo 'open build/site/index.html'
