# SPDX-License-Identifier: MIT
# ws: WebSocket for Lua. `make help` lists what there is.
#
#   LUA=lua5.4        the interpreter to build for and run with
#   SANITIZE=1        build with AddressSanitizer and UBSan, in a folder of its own
#   tls=none          build without OpenSSL, in a folder of its own

LUA ?= lua5.4
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
DESTDIR ?=
tls ?= openssl

comma := ,
jobs := $(shell nproc 2>/dev/null || echo 2)
crypto := $(if $(filter none,$(tls)),,openssl)
build := build/$(LUA)$(if $(SANITIZE),-asan)$(if $(crypto),,-plain)
lua_pc := $(if $(filter luajit,$(LUA)),luajit,$(LUA))
lua_version = $(shell $(LUA) -e 'io.write((_VERSION:gsub("Lua ","")))')

warnings := -Wall -Wextra -Wshadow -Wconversion -Werror
sanitizers := $(if $(SANITIZE),-fsanitize=address$(comma)undefined \
  -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
asked = $(shell pkg-config $(1))$(if $(filter-out 0,$(.SHELLSTATUS)),\
  $(error pkg-config $(1) gives nothing: see Packaging in README.md))
lua_cflags = $(call asked,--cflags $(lua_pc))
lib_cflags = $(call asked,--cflags $(crypto) zlib)
libs = $(call asked,--libs $(crypto) zlib) -lpthread
all_cflags = -std=c11 -D_GNU_SOURCE -Icsrc $(CPPFLAGS) $(CFLAGS) $(warnings) \
  $(sanitizers) -fPIC -fvisibility=hidden

system := $(shell uname -s)
bsds := Darwin FreeBSD OpenBSD NetBSD DragonFly
poller := $(if $(filter Linux,$(system)),epoll poll,\
  $(if $(filter $(bsds),$(system)),kqueue poll,poll))
pollers := $(if $(filter Linux,$(system)),linux,\
  $(if $(filter $(bsds),$(system)),bsd,other))

# Files that only Windows has, and those that they replace there.
win32_files := $(wildcard csrc/*/*_win32.c)
posix_files := $(wildcard csrc/*/*_posix.c) csrc/transport/entropy.c \
  csrc/transport/system_error.c
exe := $(if $(filter Windows,$(system)),.exe)

# Files are chosen here, by name; no file asks which system it is on.
floor = $(filter-out $(addprefix csrc/$(1)/,$(2)),$(wildcard csrc/$(1)/*.c))
other_files := $(addprefix csrc/,loop/poller_epoll.c loop/poller_kqueue.c \
  loop/poller_poll.c loop/pollers_linux.c loop/pollers_bsd.c \
  loop/pollers_other.c protocol/deflate_none.c) \
  $(if $(filter Windows,$(system)),$(posix_files),$(win32_files)) $(if $(crypto),\
  csrc/transport/stream_tls_none.c,\
  $(wildcard csrc/transport/tls_*.c) csrc/transport/stream_tls_openssl.c)
chosen_files := $(patsubst %,csrc/loop/poller_%.c,$(poller)) \
  csrc/loop/pollers_$(strip $(pollers)).c
sources := $(filter-out $(other_files),$(wildcard csrc/bytes/*.c \
  csrc/protocol/*.c csrc/transport/*.c csrc/loop/*.c csrc/connection/*.c)) \
  $(chosen_files)
lua_sources := $(wildcard csrc/lua/*.c)
objects := $(sources:csrc/%.c=$(build)/obj/%.o)
lua_objects := $(lua_sources:csrc/%.c=$(build)/obj/%.o)
core := $(build)/ws/core$(if $(filter Windows,$(system)),.dll,.so)

# C tests that need IPv6; left out on Linux when the loopback interface has none.
ipv6_tests := talks_over_ipv6 nobody_waits connect_and_be_dropped_by_ipv6 \
  a_literal_needs_no_name a_dead_first_family all_refuse_the_first_says_why \
  families_take_turns
ipv6_is_absent := $(if $(filter Linux,$(system)),$(if $(shell \
  grep -s ' lo$$' /proc/net/if_inet6),,yes))
export CHECK_SKIP := $(CHECK_SKIP) $(if $(ipv6_is_absent),$(ipv6_tests))

# Debian keeps nginx where only root's shell looks.
export PATH := $(PATH):/usr/sbin:/sbin

every_c_test := $(wildcard spec/bytes/test_*.c spec/protocol/test_*.c \
  spec/transport/test_*.c spec/loop/test_*.c spec/connection/test_*.c)
c_tests := $(filter-out %_win32.c,$(every_c_test))
c_test_programs := $(c_tests:spec/%.c=$(build)/spec/%$(exe))
peer_programs := $(addprefix build/peers/,gorilla_peer nhooyr_peer \
  beast_peer lws_peer)

ld_shared := $(if $(filter Darwin,$(system)),-bundle -undefined dynamic_lookup,\
  -shared $(if $(filter Windows,$(system)),,-Wl$(comma)-z$(comma)nodelete))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all amalgamation amalgamation-test asan attacks bench bench-programs
.PHONY: c-test c-test-programs chat check clean demo docs docs-check env
.PHONY: examples exports faults faults-quick fuzz fuzz-replay headers help
.PHONY: install install-check instructions interop layers lint lua-test
.PHONY: growth luajit-core luas makefile-check
.PHONY: musl profile rock rockspecs rules test uninstall

all: $(core)  ## build in place, under build/

$(core): $(objects) $(lua_objects)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(ld_shared) $(sanitizers) $(LDFLAGS) -o $@ $^ $(libs)

$(build)/obj/lua/%.o: csrc/lua/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(all_cflags) $(lua_cflags) $(lib_cflags) -MMD -MP -c -o $@ $<

$(build)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(all_cflags) $(lib_cflags) -MMD -MP -c -o $@ $<

-include $(objects:.o=.d) $(lua_objects:.o=.d)

env:  ## print what puts the build on Lua's paths: eval "$$(make -s env)"
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;"'
	@echo 'export LUA_CPATH="$(CURDIR)/$(build)/?.so;;"'
	@echo 'export WS_BUILD="$(build)"'

# ------------------------------------------------------------------ tests

$(build)/libcore.a: $(objects)
	@rm -f $@
	@ar rcs $@ $^

$(build)/spec/%$(exe): spec/%.c $(build)/libcore.a
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(all_cflags) $(spec_cflags) -Ispec -MMD -MP -MT $@ \
	  -MF $@.d -o $@ $< $(build)/libcore.a $(libs)

-include $(wildcard $(build)/spec/*/*.d)

c-test-programs: $(c_test_programs)

tally := lua5.4 spec/tools/tally.lua
specs := sh spec/tools/specs.sh
run_env = eval "$$($(MAKE) -s --no-print-directory env)"; $(sanitized)
asan_lib = $(shell $(CC) -print-file-name=libasan.so)
sanitized = $(if $(SANITIZE),export LD_PRELOAD=$(asan_lib) \
  ASAN_OPTIONS=detect_leaks=0:abort_on_error=0;)

c-test: $(c_test_programs) build/certs/done  ## build and run the C tests
	@export WS_CERTS=$(CURDIR)/build/certs; ok=0; \
	  for test in $(c_test_programs); do $(tally) $$test || ok=1; done; exit $$ok

# Some specs run in Neovim and nginx, which embed LuaJIT.
luajit-core:  ## build for LuaJIT too, beside the other build
	@$(MAKE) --no-print-directory -s LUA=luajit SANITIZE= all

lua_test_needs := luajit-core build/certs/done build/peers/done $(peer_programs)

lua-test: all $(lua_test_needs)  ## run the Lua specs: ONLY=spec/ws
	@$(run_env) $(specs) $(LUA) $(if $(ONLY),$(ONLY),spec)

attacks: all luajit-core build/certs/done  ## try known attacks and CVEs, and list their tests
	@$(run_env) $(tally) lua5.4 spec/tools/attacks.lua $(LUA)

examples: all build/certs/done  ## run every example
	@$(run_env) $(tally) $(LUA) spec/tools/examples.lua

interop:  ## talk to real peers; print the table of README.md
	@{ sh spec/tools/install.sh test && $(MAKE) --no-print-directory -j$(jobs) \
	  all build/certs/done build/peers/done $(peer_programs); } >&2
	@$(run_env) lua5.4 spec/tools/interop.lua

layers:  ## check floors, circles, sizes, and that each file has a test
	@$(tally) lua5.4 spec/layers.lua

lint:  ## run luacheck over all Lua files
	@sh spec/tools/install.sh test
	luacheck -q lua spec examples rockspec/*.rockspec

rules:  ## list which rules of the standards have a test, and which have none
	@lua5.4 spec/tools/rules.lua

build/certs/done: spec/certs.sh
	sh spec/certs.sh build/certs >build/certs.log 2>&1 || { cat build/certs.log; exit 1; }
	@touch $@

# Peers that come from npm.
build/peers/done: spec/peers/package.json
	@mkdir -p $(@D)
	cp spec/peers/package.json $(@D)/
	npm install --prefix $(@D) --no-audit --no-fund --loglevel=error
	@touch $@

# Debian installs Go packages as sources under this GOPATH. From Debian 13 on, one of
# them has another owner.
go_path := /usr/share/gocode
nhooyr := $(if $(wildcard $(go_path)/src/github.com/coder),github.com/coder,nhooyr.io)

build/peers/%_peer: spec/peers/%_peer.go spec/peers/go_peer.go
	@mkdir -p $@.d
	@for source in $^; do sed 's,"nhooyr.io/,"$(nhooyr)/,' $$source \
	  >$@.d/$${source##*/} || exit 1; done
	@echo "  GO $@"; GOPATH=$(go_path) GO111MODULE=off GOFLAGS= \
	  GOCACHE=$(CURDIR)/build/peers/go-cache go build -o $@ $@.d/*.go

# Not optimized, because compiling is what takes long.
build/peers/%_peer: spec/peers/%_peer.cpp
	@mkdir -p $(@D)
	@echo "  CXX $@"; $(CXX) -std=c++17 -Wall -Wextra $(lib_cflags) -o $@ $< $(libs)

build/peers/lws_peer: spec/peers/lws_peer.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) -std=c11 -D_GNU_SOURCE $(warnings) -Wno-conversion -o $@ $< \
	  $$(pkg-config --cflags --libs libwebsockets)

test:  ## install what is missing, build, run all tests
	@sh spec/tools/install.sh test
	@rm -f build/tally
	@$(MAKE) --no-print-directory -j$(jobs) all c-test-programs \
	  $(peer_programs)
	@export WS_TALLY=$(CURDIR)/build/tally; ok=0; \
	  for part in layers c-test lua-test examples cost faults-quick; do \
	    $(MAKE) --no-print-directory $$part || ok=1; \
	  done; lua5.4 spec/tools/tally.lua --sum $$WS_TALLY || ok=1; exit $$ok

asan:  ## run the C and Lua tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory -j$(jobs) SANITIZE=1 all c-test-programs
	@$(MAKE) --no-print-directory SANITIZE=1 c-test lua-test

others ?= lua5.1 lua5.2 lua5.3 luajit

luas:  ## run the Lua tests on other Luas: all on LuaJIT, spec/lua and spec/ws on 5.1 to 5.3
	@sh spec/tools/install.sh luas
	@ok=0; for lua in $(others); do echo "-- $$lua"; \
	  case $$lua in luajit) only= more=examples ;; *) only="spec/lua spec/ws" more= ;; esac; \
	  $(MAKE) --no-print-directory -j$(jobs) LUA=$$lua all && \
	  $(MAKE) --no-print-directory LUA=$$lua ONLY="$$only" lua-test $$more || ok=1; \
	done; exit $$ok

rock:  ## make, pack and test the rocks, a release's too; use each from a clean tree
	@sh spec/tools/install.sh test
	@$(tally) lua5.4 spec/tools/rocks.lua $(LUA)

amalgamation:  ## write the library as three files to build in: build/ws.[ch], ws.lua
	@mkdir -p build
	@lua5.4 spec/tools/amalgamation.lua build

amalgamation-test: amalgamation build/certs/done  ## build these files into a program, in C and C++
	@$(tally) env CC="$(CC)" LUA_PC=$(lua_pc) sh spec/tools/amalgamation.sh

docs: all  ## write LuaLS definitions and LDoc pages: build/docs
	@sh spec/tools/install.sh docs
	@mkdir -p build/docs/ldoc
	@$(run_env) $(LUA) spec/tools/docs/run.lua build/docs
	@ldoc --fatalwarnings -q -d build/docs -p ws -t "ws for Lua" build/docs/ldoc/ws.lua
	@echo "build/docs/ws.meta.lua, build/docs/index.html"

docs-check: docs  ## check that everything public is described, typed, and written out
	@$(run_env) $(tally) $(LUA) /usr/bin/busted --pattern=_spec spec/ws/meta_spec.lua
	@$(run_env) $(tally) $(LUA) spec/tools/docs/check.lua build/docs

rockspecs:  ## write the release's rockspec: that of scm, with the release's version
	@lua5.4 spec/tools/release.lua

checks := lint layers headers musl exports rock install-check makefile-check \
  docs-check asan rules

check: $(checks)  ## run the long checks

musl:  ## compile the library with musl's headers (Alpine's libc)
	@sh spec/tools/install.sh musl
	@$(tally) sh spec/tools/musl.sh build/musl "$(lua_cflags)" $(sources) $(lua_sources)

headers:  ## compile every header alone
	@for header in csrc/*/*.h; do \
	  echo "#include \"$${header#csrc/}\"" | $(CC) -std=c11 -D_GNU_SOURCE \
	    -Icsrc $(lua_cflags) $(warnings) -fsyntax-only -x c - || exit 1; \
	done; echo "every header compiles alone"

# ------------------------------------------------------------------- faults

.PHONY: cost faults-growing

faulty_lua := $(build)/faults/faulty_lua
failing_calls := $(build)/faults/failing_calls.so
fault_flags = -std=c11 -D_GNU_SOURCE -Ispec $(CFLAGS) $(warnings) $(sanitizers)

$(faulty_lua): spec/faults/faulty_lua.c spec/faults/failing_calls.h
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(fault_flags) $(lua_cflags) $(lib_cflags) -o $@ $< \
	  $(shell pkg-config --libs $(lua_pc) openssl) -ldl

$(failing_calls): spec/faults/failing_calls.c spec/faults/failing_calls.h
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(fault_flags) -fPIC -fvisibility=hidden -shared -o $@ $< \
	  -ldl -lpthread

faults: all build/certs/done $(faulty_lua) $(failing_calls)  ## run scenarios that fail at every point: QUICK=1, FULL=1, ONLY="SCENARIO"
	@$(run_env) LD_PRELOAD="$(if $(SANITIZE),$(asan_lib):)$(CURDIR)/$(failing_calls)" \
	  timeout 3000 $(faulty_lua) spec/faults/run.lua $(if $(ONLY),"$(ONLY)")

faults-growing: all $(faulty_lua)
	@$(run_env) $(faulty_lua) spec/faults/growing.lua $(faulty_lua)

cost: all build/certs/done $(faulty_lua)  ## measure the bytes and turns that a connection costs
	@$(run_env) $(tally) $(faulty_lua) spec/faults/cost.lua

faults-quick:
	@$(tally) $(MAKE) --no-print-directory QUICK=1 faults
	@$(tally) $(MAKE) --no-print-directory faults-growing

# -------------------------------------------------------------------- bench

bench_flags := -std=c11 -D_GNU_SOURCE -O2 $(warnings)

build/bench/load: $(wildcard spec/bench/load*.[ch])
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(bench_flags) $(lib_cflags) -o $@ $(filter %.c,$^) $(libs)

tcp_server := $(wildcard spec/bench/tcp_server.[ch])

build/bench/floor: spec/bench/floor.c $(tcp_server)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(bench_flags) -o $@ $(filter %.c,$^)

build/bench/bare-$(LUA): spec/bench/bare.c $(tcp_server)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(bench_flags) $(lua_cflags) -o $@ $(filter %.c,$^) \
	  $(call asked,--libs $(lua_pc))

# Optional: without libwebsockets the bench leaves this peer out.
build/bench/peer_lws: spec/bench/peer_lws.c
	@mkdir -p $(@D)
	@! pkg-config --exists libwebsockets || $(CC) -std=c11 -D_GNU_SOURCE -O2 \
	  -o $@ $< $$(pkg-config --cflags --libs libwebsockets)

bench-programs: all build/bench/load build/bench/floor build/bench/bare-$(LUA) \
  build/bench/peer_lws build/certs/done build/peers/done
	@! { command -v luajit && pkg-config --exists luajit; } >/dev/null || \
	  $(MAKE) --no-print-directory LUA=luajit all

bench:  ## measure CPU time against the floor and the peers: build/bench; QUICK=1
	@sh spec/tools/install.sh bench
	@$(MAKE) --no-print-directory -j$(jobs) bench-programs
	@lua5.4 spec/bench/run.lua $(LUA)

build/bench/counted: spec/bench/counted.c $(build)/libcore.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(all_cflags) -o $@ $^ $(libs)

build/bench/still_clock.so: spec/bench/still_clock.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(all_cflags) -shared -o $@ $<

instructions: all build/bench/counted build/bench/still_clock.so  ## count instructions per message, against the kept counts: UPDATE=1 keeps new ones
	@sh spec/tools/install.sh instructions
	@UPDATE=$(UPDATE) $(tally) lua5.4 spec/bench/instructions.lua $(LUA) $(CC) "$(CFLAGS)"

growth: all build/bench/load  ## measure how CPU time per unit grows with their number: build/bench; ONLY="timers"
	@ONLY="$(ONLY)" lua5.4 spec/bench/growth.lua $(LUA)

profile: bench-programs  ## show where our echo's time goes: LOAD="echo -k 16 -s 125"
	@$(run_env) sh spec/bench/profile.sh $(LUA) $(LOAD)

# --------------------------------------------------------------------- fuzz

include spec/fuzz/fuzz.mk

# ------------------------------------------------------------------ network

include spec/net/net.mk

# ----------------------------------------------------------------- analysis

include spec/tools/analysis.mk

# ----------------------------------------------------------- foreign systems

include spec/kqueue/kqueue.mk
include spec/windows/windows.mk

exports: $(core)  ## check that luaopen_ws_core is all that the library exports
	@nm -D --defined-only $(core) | awk '{print $$3}' | grep -v '^_' | \
	  grep -vx luaopen_ws_core && { echo "more is exported"; exit 1; } || \
	  echo "luaopen_ws_core is all that is exported"

# ---------------------------------------------------------------- to see it

demo:  ## install what is missing, build, and show a server and a client talk
	@sh spec/tools/install.sh build
	@$(MAKE) --no-print-directory -j$(jobs) all
	@$(run_env) $(LUA) examples/demo.lua

chat: all  ## run a chat server; it prints the port on which its page is
	@$(run_env) $(LUA) examples/chat/server.lua $(PORT)

lua_modules := $(shell find lua/ws -name '*.lua')
installed_lua = "$(DESTDIR)$(PREFIX)/share/lua/$(lua_version)"
installed_core = "$(DESTDIR)$(PREFIX)/lib/lua/$(lua_version)/ws"

install: all  ## install into DESTDIR/PREFIX, for the Lua that LUA names
	@install -d $(installed_core)
	@for folder in $(sort $(patsubst lua/%,%,$(dir $(lua_modules)))); do \
	  install -d $(installed_lua)/$$folder || exit 1; done
	@for file in $(lua_modules:lua/%=%); do \
	  install -m 644 lua/$$file $(installed_lua)/$$file || exit 1; done
	install -m 755 $(core) $(installed_core)

uninstall:  ## remove what `make install` put there, and nothing else
	@for file in $(lua_modules:lua/%=%); do rm -f $(installed_lua)/$$file; done
	@for folder in $(patsubst lua/%/,%,$(dir $(lua_modules))); do \
	  echo "$$folder"; done | sort -ru | while read -r folder; do \
	  rmdir $(installed_lua)/$$folder 2>/dev/null || :; done
	rm -f $(installed_core)/core.so
	@rmdir $(installed_core) 2>/dev/null || :

install-check: all  ## install into a temporary DESTDIR, use it there, uninstall
	@$(tally) lua5.4 spec/tools/installed.lua $(LUA) $(tls)

makefile-check:  ## check this Makefile: nothing is built too late, and help lists all targets
	@$(tally) lua5.4 spec/tools/makefile.lua

clean:  ## remove everything that was built
	rm -rf build

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {gsub(/[$$][$$]/, "$$", $$2); \
	  printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
