/* SPDX-License-Identifier: MIT */
/* Option tables -> the settings of connections. */
#pragma once
#include "connection/connection.h"
#include "connection/hub.h"
#include "lua/lua_compat.h"

/* Reading the table may raise, keeping what was read does not. The defaults
 * are those of API.md sections 1 and 4. */
ws_connection_config ws_lua_client_config(lua_State *L, int table,
                                          ws_hub *hub);
ws_connection_config ws_lua_server_config(lua_State *L, int table,
                                          ws_hub *hub);

/* With one reference, the caller's. NULL without memory. */
ws_connection_config *ws_lua_keep_config(const ws_connection_config *filled);

/* The field `deflate`: nil (off), or a table with all that was checked. */
void ws_lua_field_deflate(lua_State *L, int table,
                          ws_deflate_options *options);
