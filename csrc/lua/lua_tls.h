/* SPDX-License-Identifier: MIT */
/* The Lua type ws.tls: a TLS context. */
#pragma once
#include "lua/lua_compat.h"
#include "transport/stream_tls.h"

#include <stdbool.h>

/* core.tls{...}: the context, or nil, message, code. */
int ws_lua_new_tls(lua_State *L);

/* The context at `index`, borrowed. Raises if there is none, or if it is for
 * the other side, as a handshake with that would wait for ever. */
ws_tls *ws_lua_check_tls(lua_State *L, int index, bool server);

/* The context in the field "tls" of a table, or NULL. Borrowed. */
ws_tls *ws_lua_field_tls(lua_State *L, int table, bool server);

void ws_lua_open_tls(lua_State *L);
