/* SPDX-License-Identifier: MIT */
/* The events of a connection, on their way to the object's handlers. */
#pragma once
#include "lua/lua_link.h"

/* The owner is a ws_link. */
extern const ws_connection_events ws_link_events;

/* Lets go of all Lua values after the last event, because a handler that refers
 * to the connection would keep it alive for ever. Idempotent. */
void ws_link_let_go(ws_link *link, lua_State *L);
