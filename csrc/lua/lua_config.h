/* SPDX-License-Identifier: MIT */
/* Option tables -> the settings of sessions and connections. */
#pragma once
#include "connection/connection.h"
#include "connection/hub.h"
#include "lua/lua_compat.h"

/* Reading the table may raise, keeping what was read does not. What a table
 * leaves out gets the default that lua/ws/meta/options.lua tells. */
ws_connection_config ws_lua_client_config(lua_State *L, int table,
                                          ws_hub *hub);
ws_connection_config ws_lua_server_config(lua_State *L, int table,
                                          ws_hub *hub);

/* With one reference, the caller's. NULL without memory. */
ws_connection_config *ws_lua_keep_config(const ws_connection_config *filled);

/* The part of it that a session takes; the pool is borrowed. */
ws_session_config ws_lua_session_config(lua_State *L, int table, bool server,
                                        ws_deflate_pool *pool);
