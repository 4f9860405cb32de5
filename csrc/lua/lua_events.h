/* SPDX-License-Identifier: MIT */
/* What the core tells of a connection, on its way to the object's handlers. */
#pragma once
#include "lua/lua_link.h"

/* The owner is a ws_link. */
extern const ws_connection_events ws_link_events;

/* After the last event no Lua value is held any more: a handler that refers to
 * the connection would keep it alive for ever. Harmless when called again. */
void ws_link_let_go(ws_link *link, lua_State *L);
