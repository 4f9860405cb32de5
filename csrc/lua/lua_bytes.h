/* SPDX-License-Identifier: MIT */
/* Functions of the pure floors (bytes/ and protocol/) for Lua. */
#pragma once
#include "lua/lua_compat.h"

/* Adds them to the table on top of the stack. */
void ws_lua_open_bytes(lua_State *L);
