# Thin front door to CMake: each target does everything that a new Debian machine needs.
.PHONY: demo test program packages

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

packages:
	third_party/install.sh
