/* SPDX-License-Identifier: MIT */
/* HTTP requests to a server: the core's callbacks, the table that handlers get,
 * and the answers. */
#pragma once
#include "lua/lua_link.h"

/* Callbacks of the core; the owner is a ws_link. */
void ws_request_arrived(void *owner, const ws_http_head *head,
                        const ws_handshake_verdict *verdict);
void ws_request_body(void *owner, const uint8_t *data, size_t len);
void ws_request_complete(void *owner);

/* The connection has ended without becoming a WebSocket. */
void ws_request_gone(ws_link *link);

/* Pushes the request's table, or nil when there is none. */
void ws_request_push_table(lua_State *L, const ws_link *link);

/* Pushes the table of a head: everything except remoteAddress and body. */
void ws_lua_push_head(lua_State *L, const ws_http_head *head, bool upgrade);

/* Forgets the request. */
void ws_request_free(ws_link *link, lua_State *L);

/* conn:accept(protocol, headers), conn:refuse(status, body, headers),
 * conn:openEnded(), conn:writeRaw(bytes), conn:finishRaw([bytes]) */
int ws_lua_accept(lua_State *L);
int ws_lua_refuse(lua_State *L);
int ws_lua_open_ended(lua_State *L);
int ws_lua_write_raw(lua_State *L);
int ws_lua_finish_raw(lua_State *L);
