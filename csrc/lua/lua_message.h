/* SPDX-License-Identifier: MIT */
/* How a message reaches Lua. A connection's message handler is called with the
 * object, the data (a string; a view where the handlers want views) and its
 * opcode's name. Handlers with `event` are for objects whose state has
 * `listeners`: while listeners[1] is a function, that is called instead, with
 * an event: a table {data=, opcode=, target=} of that metatable. */
#pragma once
#include "lua/lua_link.h"

/* Tells a message, and those that lie behind it in what was read. */
void ws_message_tell(ws_link *link, unsigned opcode, const uint8_t *data,
                     size_t len);

/* core.isTold(event): whether it is being told at this moment, by such a
 * call. */
int ws_lua_is_told(lua_State *L);
