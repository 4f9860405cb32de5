/* SPDX-License-Identifier: MIT */
/* The object of a connection, which users hold. A link ties a userdata to a
 * connection of the core. While the connection lives, the link anchors the
 * userdata, which then belongs to the garbage collector. User values of the
 * object: [1] the state kept in Lua, [2] its set of handlers. */
#pragma once
#include "connection/connection.h"
#include "lua/lua_handlers.h"
#include "lua/lua_loop.h"

struct ws_lua_server;

#define WS_LINK_MAGIC 0x77735f31u

typedef struct ws_link {
  uint32_t magic;   /* WS_LINK_MAGIC: guards against forged objects */
  ws_connection *connection; /* NULL before it is made */
  ws_lua_loop *loop;
  ws_tie tie;
  ws_handlers *handlers; /* in use; NULL after the last event */
  unsigned version; /* how often `handlers` has changed */
  struct ws_lua_server *server; /* NULL: a client's, or the server is gone */
  struct ws_lua_request *request; /* in lua_request.c, while one waits */
  char *url;        /* a client's; zero-terminated, owned by the link */
  bool of_server;
} ws_link;

/* Pushes the object of a living link. */
void ws_link_push(lua_State *L, const ws_link *link);

/* Its readyState. Also CLOSED if the loop was closed before the connection's
 * end was told. */
ws_state ws_link_state(const ws_link *link);

/* The link at `index`; NULL for anything else. */
ws_link *ws_link_at(lua_State *L, int index);

/* The same, but raises TypeError. */
ws_link *ws_link_check(lua_State *L, int index);

/* The link a method was called on, or raises TypeError naming the method. */
ws_link *ws_link_self(lua_State *L, const char *method);

/* True if it still has handlers, and this one among them. */
static inline bool ws_link_wants(const ws_link *link, ws_handler handler) {
  return link->handlers && link->handlers->functions[handler] != LUA_NOREF;
}

/* Pushes the handler and the object; nothing, and false, without a handler. */
bool ws_link_push_handler(lua_State *L, const ws_link *link,
                          ws_handler handler);
