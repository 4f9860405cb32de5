# SPDX-License-Identifier: MIT
# Builds the files that a BSD or a Mac would choose, over a stand-in for kqueue and
# without what only Linux has. Included by the Makefile.

.PHONY: kqueue

kqueue_object := build/kqueue/kqueue_on_epoll.o
kqueue_flags = build=build/kqueue poller='kqueue poll' pollers=bsd \
  lib_cflags='-Ispec/kqueue -Ispec/kqueue/plain -U__linux__ $(lib_cflags)' \
  spec_cflags=-Ispec/kqueue libs='$(kqueue_object) $(libs)'
kqueue_tests := $(patsubst spec/%.c,build/kqueue/spec/%,spec/kqueue/test_kqueue.c \
  $(wildcard spec/loop/test_*.c spec/connection/test_*.c) \
  $(addprefix spec/transport/test_,socket.c stream_tcp.c))

$(kqueue_object): spec/kqueue/kqueue_on_epoll.c spec/kqueue/sys/event.h
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(all_cflags) -Ispec/kqueue -c -o $@ $<

# The first command only compiles, with the field types of NetBSD's kevent.
kqueue: $(kqueue_object) build/certs/done  ## test the kqueue poller on a stand-in: loop, connections, Lua
	@$(CC) $(all_cflags) -Ispec/kqueue -DWS_KEVENT_WIDE -fsyntax-only \
	  csrc/loop/poller_kqueue.c spec/kqueue/test_kqueue.c -Ispec
	@$(MAKE) --no-print-directory -j$(jobs) $(kqueue_flags) all $(kqueue_tests)
	@eval "$$($(MAKE) -s --no-print-directory $(kqueue_flags) env)"; \
	  export WS_CERTS=$(CURDIR)/build/certs; ok=0; \
	  for test in $(kqueue_tests); do $(tally) timeout 120 $$test || ok=1; done; \
	  $(specs) lua5.4 spec/lua spec/ws/*_spec.lua || ok=1; exit $$ok
