/* SPDX-License-Identifier: MIT */
/* Sending from Lua. */
#pragma once
#include "connection/topics.h"
#include "lua/lua_compat.h"

/* The methods send, ping and pong, into the table on top of the stack. */
void ws_lua_fill_senders(lua_State *L);

/* publish(self, topic, data [, opcode]) for servers and their sockets.
 * topics_of(L) returns the topics of the object at 1, or NULL if there are none
 * to publish to. It is called after the arguments were converted: that may run
 * a finalizer which ends the server. */
int ws_lua_publish(lua_State *L, ws_topics *(*topics_of)(lua_State *L),
                   const ws_connection *except);
