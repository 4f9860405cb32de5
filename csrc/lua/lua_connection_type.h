/* SPDX-License-Identifier: MIT */
/* The Lua type ws.connection, whose objects users hold. */
#pragma once
#include "lua/lua_link.h"

/* Makes the type and pushes {methods=, getters=, setters=, internals=}. */
void ws_lua_open_connection(lua_State *L);

/* Pushes a new object that uses the handlers at the index `handlers`. It is not
 * tied yet, and has no connection. */
ws_link *ws_link_new(lua_State *L, ws_lua_loop *loop, int handlers);
