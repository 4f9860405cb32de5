# SPDX-License-Identifier: MIT
# Analyses of the core: coverage, clang-tidy, threads, memory, soak. Included by
# the Makefile. Coverage and tsan build in folders of their own, by running the
# same Makefile with other flags.

.PHONY: coverage soak tidy tsan valgrind

other = $(MAKE) --no-print-directory -j$(jobs)

coverage_flags := build=build/coverage CFLAGS="-O0 -g --coverage" LDFLAGS=--coverage

coverage:  ## show which lines and branches of the core the tests run, and which not
	@sh spec/tools/install.sh analysis
	@sh spec/tools/install.sh test
	@$(other) $(coverage_flags) all c-test-programs build/certs/done
	@find build/coverage -name '*.gcda' -delete
	@unset WS_TALLY; $(MAKE) -s $(coverage_flags) c-test && \
	  eval "$$($(MAKE) -s --no-print-directory $(coverage_flags) env)" && \
	  $(specs) lua5.4 $$(find spec/lua spec/ws -name '*_spec.lua' ! -name '*neovim*')
	@$(tally) lua5.4 spec/tools/coverage.lua build/coverage/obj 98 92

tidied := $(sources) $(lua_sources)
tidy_flags = -std=c11 -D_GNU_SOURCE -Icsrc $(lua_cflags) $(lib_cflags)

tidy:  ## run clang-tidy and cppcheck over csrc
	@sh spec/tools/install.sh analysis
	@$(tally) sh spec/tools/tidy.sh "$(tidy_flags)" $(tidied)

# What runs in threads: the resolver beside loops, and several Lua states.
tsan_flags := build=build/tsan CFLAGS="-O1 -g" \
  sanitizers="-fsanitize=thread -fno-omit-frame-pointer"
tsan_tests := $(patsubst spec/%.c,build/tsan/spec/%,spec/transport/test_resolve.c \
  $(wildcard spec/connection/test_*.c))
two_states := build/tsan/two_states

$(two_states): spec/lua/two_states.c spec/check.h
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) -std=c11 -D_GNU_SOURCE -O1 -g $(warnings) -Ispec \
	  -fsanitize=thread $(shell pkg-config --cflags lua5.4) -o $@ $< \
	  $(shell pkg-config --libs lua5.4) -lpthread

tsan: $(two_states) build/certs/done  ## run what has threads under ThreadSanitizer
	@$(other) $(tsan_flags) all $(tsan_tests)
	@eval "$$($(MAKE) -s --no-print-directory $(tsan_flags) env)"; \
	  export TSAN_OPTIONS=halt_on_error=1 WS_CERTS=$(CURDIR)/build/certs; ok=0; \
	  for test in $(tsan_tests) $(two_states); do \
	    $(tally) timeout 300 $$test || ok=1; done; exit $$ok

# Tests that cannot pass under valgrind: it does not keep a limit of descriptors as
# set, looks for the NUL of a path that has none, and complains of impossible sizes.
# Then the exhaustive ones, which would take minutes.
valgrind_skips := no_descriptors_left a_descriptor_comes_back \
  accepting_that_cannot_be_resumed a_peer_whose_path_has_no_nul test_too_much
valgrind_long := test_every_three test_three_edges_at_every_place test_vectors \
  nobody_gets_in_when_one_allocation_fails nobody_gets_in_when_all_fail_from_there \
  test_avx2 without_memory_anywhere small_windows no_takeover \
  long_messages_at_every_level every_window_and_level publishing_without_memory

valgrind: $(c_test_programs) build/certs/done  ## run the C tests under memcheck; QUICK=1: without the longest
	@sh spec/tools/install.sh analysis
	@export WS_CERTS=$(CURDIR)/build/certs \
	    CHECK_SKIP="$(CHECK_SKIP) $(valgrind_skips) $(if $(QUICK),$(valgrind_long))"; \
	  printf '%s\n' $(c_test_programs) | xargs -P$(jobs) -n1 \
	  $(tally) timeout 600 valgrind -q --error-exitcode=9 --leak-check=full \
	    --errors-for-leak-kinds=definite,indirect

soak: all build/certs/done  ## put load on a server while connections come and go: MINUTES=5 COUNT=10000 SEED=1
	@$(run_env) $(tally) sh spec/soak/run.sh $(LUA) $(or $(MINUTES),5) \
	  $(or $(COUNT),10000) $(or $(SEED),1)
