# SPDX-License-Identifier: MIT
# Bad networks: two namespaces and a link between them. Included by the Makefile.

.PHONY: lossy

link := build/net/link
netns := $(build)/net/netns.so
net_flags := -std=c11 -D_GNU_SOURCE -O2 -g $(warnings)

$(link): $(addprefix spec/net/,link.c direction.c namespace.c direction.h namespace.h)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(net_flags) -o $@ $(filter %.c,$^)

$(netns): spec/net/lua_netns.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(net_flags) -fPIC -shared $(lua_cflags) -o $@ $<

lossy:  ## test networks that lose, delay, reorder and break: SEED=1 MIB=100
	@sh spec/tools/install.sh lossy
	@$(MAKE) -s --no-print-directory -j$(jobs) all $(link) $(netns) build/certs/done \
	  build/peers/done
	@$(run_env) MIB=$(MIB) sh spec/net/run.sh $(link) $(LUA) $(SEED)
