/* SPDX-License-Identifier: MIT */
/* The Lua type ws.session: the protocol alone, for any other loop. */
#pragma once
#include "lua/lua_compat.h"

/* core.session{...} */
int ws_lua_new_session(lua_State *L);

void ws_lua_open_session(lua_State *L);
