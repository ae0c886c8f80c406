# Thin front door to CMake: each target does everything that a new Debian machine needs.
.PHONY: demo test program packages coverage

PRESET ?= release
BUILD := build/$(PRESET)
JOBS := $(shell nproc)

demo: program
	cmake --build $(BUILD) --target intact_demo -j $(JOBS)
	$(BUILD)/intact_demo examples/digits $(BUILD)

test: packages
	cmake --preset $(PRESET)
	cmake --build $(BUILD) -j $(JOBS)
	ctest --preset $(PRESET) -j $(JOBS)

program: packages
	cmake --preset $(PRESET)
	cmake --build $(BUILD) --target intact_program -j $(JOBS)

# Writes docs/coverage.md anew, after operators or kernels have changed.
coverage:
	cmake --build $(BUILD) --target intact_coverage -j $(JOBS)
	$(BUILD)/tests/intact_coverage docs/coverage.md --write

packages:
	third_party/install.sh
