# SPDX-License-Identifier: MIT
# Fuzzing with clang's libFuzzer, AddressSanitizer and UBSan. Included by the
# Makefile. csrc/README.md says how to write a target.
#
#   TIME=10           how many seconds to fuzz each target; 0: only its corpus
#   ONLY=name         only this target
#   SEED=1            makes the same choices each time, as in CI
#   fuzz_sanitizers=undefined  three times as fast, for long runs; start with an
#                     empty build/fuzz

fuzz_cc ?= clang
fuzz_sanitizers ?= address,undefined
fuzz_build := build/fuzz
fuzz_flags := -std=c11 -D_GNU_SOURCE -Icsrc -Ispec -Ispec/fuzz -O1 -g $(warnings) \
  -fno-omit-frame-pointer -fsanitize=$(fuzz_sanitizers) \
  -fno-sanitize-recover=undefined
fuzz_lua = $(shell pkg-config --cflags lua5.4)
fuzz_objects := $(sources:csrc/%.c=$(fuzz_build)/obj/%.o) \
  $(lua_sources:csrc/%.c=$(fuzz_build)/obj/%.o)
fuzz_targets := $(patsubst spec/fuzz/fuzz_%.c,%,$(wildcard spec/fuzz/fuzz_*.c))
fuzz_wanted := $(if $(ONLY),$(filter $(ONLY),$(fuzz_targets)),$(fuzz_targets))

.PHONY: fuzz fuzz-replay fuzz-programs

$(fuzz_build)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	@echo "  FUZZ CC $<"; $(fuzz_cc) $(fuzz_flags) -fsanitize=fuzzer-no-link \
	  $(fuzz_lua) $(lib_cflags) -MMD -MP -c -o $@ $<

$(fuzz_build)/libcore.a: $(fuzz_objects)
	@rm -f $@
	@ar rcs $@ $^

$(fuzz_build)/fuzz_%: spec/fuzz/fuzz_%.c $(fuzz_build)/libcore.a
	@mkdir -p $(@D)
	@echo "  FUZZ CC $<"; $(fuzz_cc) $(fuzz_flags) -fsanitize=fuzzer \
	  -fno-sanitize-coverage=trace-cmp \
	  $(fuzz_lua) $(lib_cflags) -MMD -MP -MF $@.d -o $@ $< \
	  $(fuzz_build)/libcore.a $(libs) $(shell pkg-config --libs lua5.4) -lm

-include $(fuzz_objects:.o=.d) $(wildcard $(fuzz_build)/*.d)

fuzz-programs: $(addprefix $(fuzz_build)/fuzz_,$(fuzz_wanted))

fuzz_ready = sh spec/tools/install.sh fuzz && \
  $(MAKE) --no-print-directory -j$(jobs) fuzz-programs build/certs/done

fuzz:  ## fuzz every target for TIME=10 seconds; ONLY=name
	@$(fuzz_ready)
	@$(tally) lua5.4 spec/fuzz/run.lua $(or $(TIME),10) $(fuzz_wanted)

fuzz-replay:  ## run the fuzz targets over their corpora only
	@$(fuzz_ready)
	@$(tally) lua5.4 spec/fuzz/run.lua 0 $(fuzz_wanted)
