# SPDX-License-Identifier: MIT
# What looks at the core from the side: coverage. Included by the Makefile.
# Each builds in a folder of its own, by this Makefile with other flags.

.PHONY: coverage

other = $(MAKE) --no-print-directory -j$(jobs)
busted = timeout 900 lua5.4 /usr/bin/busted --pattern=_spec

coverage_flags := build=build/coverage CFLAGS="-O0 -g --coverage" LDFLAGS=--coverage

coverage:  ## lines and branches of the core that the tests run, and which not
	@sh spec/tools/install.sh analysis
	@sh spec/tools/install.sh test
	@$(other) $(coverage_flags) all c-test-programs build/certs/done
	@find build/coverage -name '*.gcda' -delete
	@unset WS_TALLY; $(MAKE) -s $(coverage_flags) c-test && \
	  eval "$$($(MAKE) -s --no-print-directory $(coverage_flags) env)" && \
	  $(tally) $(busted) --exclude-pattern=neovim spec/lua spec/ws
	@$(tally) lua5.4 spec/tools/coverage.lua build/coverage/obj 98 92
