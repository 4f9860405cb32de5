/* SPDX-License-Identifier: MIT */
/* Option tables -> the settings of sessions and connections. */
#pragma once
#include "connection/connection.h"
#include "connection/hub.h"
#include "lua/lua_compat.h"

/* Read a table, which may raise. Fields that it leaves out get the default that
 * lua/ws/meta/options.lua documents. */
ws_connection_config ws_lua_client_config(lua_State *L, int table,
                                          ws_hub *hub);
ws_connection_config ws_lua_server_config(lua_State *L, int table,
                                          ws_hub *hub);

/* A copy on the heap, with one reference, which is the caller's. NULL without
 * memory. Does not raise. */
ws_connection_config *ws_lua_keep_config(const ws_connection_config *filled);

/* Only the settings of a session; the pool is borrowed. */
ws_session_config ws_lua_session_config(lua_State *L, int table, bool server,
                                        ws_deflate_pool *pool);
