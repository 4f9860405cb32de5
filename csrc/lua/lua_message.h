/* SPDX-License-Identifier: MIT */
/* How a message reaches Lua. A connection's message handler is called with the
 * object, the data (a string, or a view if the handlers want views) and the
 * name of its opcode. Handlers with an `event` metatable are for objects whose
 * state has `listeners`: while listeners[1] is a function, that is called
 * instead, with an event: a table {data=, opcode=, target=} with that
 * metatable. */
#pragma once
#include "lua/lua_link.h"

/* Delivers a message, and those that follow it in what was read. */
void ws_message_tell(ws_link *link, unsigned opcode, const uint8_t *data,
                     size_t len);

/* core.isTold(event): whether a listener is being called with this event now,
 * in that way. */
int ws_lua_is_told(lua_State *L);
