/* SPDX-License-Identifier: MIT */
/* The Lua type ws.connection: the object that users hold. A link ties a
 * userdata to a connection of the core. While the connection lives, the link
 * anchors the userdata; afterwards that belongs to the garbage collector. User
 * values of the object: [1] the state kept in Lua, [2] its set of handlers. */
#pragma once
#include "connection/connection.h"
#include "lua/lua_handlers.h"
#include "lua/lua_loop.h"

struct ws_lua_server;

typedef struct ws_link {
  uint32_t magic;   /* guards against forged objects */
  ws_connection *connection; /* NULL before it is made */
  ws_lua_loop *loop;
  ws_tie tie;
  ws_handlers *handlers; /* used, until the last event: then NULL */
  unsigned version; /* how often `handlers` was replaced */
  struct ws_lua_server *server; /* NULL: a client's, or the server is gone */
  struct ws_lua_request *request; /* in lua_request.c, while one waits */
  char *url;        /* a client's; zero-terminated, owned by the link */
  bool of_server;
} ws_link;

extern const ws_connection_events ws_link_events;

/* Pushes a new object that uses the handlers at `handlers`; not tied yet, and
 * without a connection. */
ws_link *ws_link_new(lua_State *L, ws_lua_loop *loop, int handlers);

/* Pushes the object of a living link. */
void ws_link_push(lua_State *L, const ws_link *link);

/* Its readyState. CLOSED also once the connection was released: the end of the
 * loop does that to connections whose end was not told yet. */
ws_state ws_link_state(const ws_link *link);

/* The link at `index`; NULL for anything else. */
ws_link *ws_link_at(lua_State *L, int index);

/* The same, but raises TypeError. */
ws_link *ws_link_check(lua_State *L, int index);

/* The link a method was called on, or raises TypeError naming the method. */
ws_link *ws_link_self(lua_State *L, const char *method);

/* True if it still has handlers, and this one among them. */
bool ws_link_wants(const ws_link *link, ws_handler handler);

/* Pushes the handler and the object; nothing, and false, without a handler. */
bool ws_link_push_handler(lua_State *L, const ws_link *link,
                          ws_handler handler);

/* lua_connection.c: the methods and getters written in C. The table to fill is
 * on top of the stack. */
void ws_lua_fill_methods(lua_State *L);
void ws_lua_fill_getters(lua_State *L);

/* The same for functions that only lua/ws calls, with the object as their first
 * argument: users do not see them in it. */
void ws_lua_fill_internals(lua_State *L);

/* lua_send.c: the same for the methods that send. */
void ws_lua_fill_senders(lua_State *L);

/* Makes the type and pushes {methods=, getters=, setters=, internals=}. */
void ws_lua_open_connection(lua_State *L);
