/* SPDX-License-Identifier: MIT */
/* The members of ws.connection that are written in C. The table to fill is on
 * top of the stack. */
#pragma once
#include "lua/lua_compat.h"

void ws_lua_fill_methods(lua_State *L);
void ws_lua_fill_getters(lua_State *L);

/* Functions that only lua/ws calls, with the object as their first argument.
 * They are not among the object's methods, so users do not see them. */
void ws_lua_fill_internals(lua_State *L);
