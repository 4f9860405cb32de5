/* SPDX-License-Identifier: MIT */
/* The Lua type ws.server. It anchors itself until it is closed and its last
 * connection is gone; connections point to it, never the other way. */
#include "lua/lua_server.h"

#include "bytes/status.h"
#include "lua/lua_config.h"
#include "lua/lua_connection_type.h"
#include "lua/lua_events.h"
#include "lua/lua_send.h"
#include "lua/lua_tls.h"
#include "lua/lua_util.h"

#include <limits.h>

#define TYPE "ws.server"

static ws_lua_server *check(lua_State *L) {
  ws_lua_server *self = ws_lua_check(L, 1, TYPE);
  if (!self->server) luaL_error(L, "the server is gone");
  return self;
}

static void forget(lua_State *L, int *function) {
  luaL_unref(L, LUA_REGISTRYINDEX, *function);
  *function = LUA_NOREF;
}

/* Forgets the handlers that the object keeps for new connections. */
static void forget_handlers(lua_State *L, int anchor) {
  if (anchor == LUA_NOREF) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, anchor);
  lua_pushnil(L);
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
}

/* Lets go of all Lua values after the last event, because a handler that refers
 * to the server would keep it alive for ever. */
static void let_go(ws_lua_server *self, lua_State *L) {
  forget(L, &self->judge);
  forget(L, &self->http_closed);
  forget(L, &self->closed);
  if (self->handlers) ws_handlers_unuse(self->handlers, L);
  self->handlers = NULL;
  forget_handlers(L, self->tie.anchor);
  ws_tie_drop(L, self->loop, &self->tie);
}

static void cut(ws_tie *tie, lua_State *L) { let_go(tie->owner, L); }

/* ------------------------------------------------------------- events */

typedef struct coming {
  ws_lua_server *server;
  ws_connection *connection;
  ws_link *link;
} coming;

static void enter_accept(lua_State *L, void *argument) {
  coming *in = argument;
  ws_lua_server *server = in->server;
  lua_rawgeti(L, LUA_REGISTRYINDEX, server->tie.anchor);
  lua_getiuservalue(L, -1, 1);
  ws_link *link = ws_link_new(L, server->loop, lua_gettop(L));
  ws_tie_make(L, server->loop, &link->tie, lua_gettop(L));
  link->of_server = true;
  link->server = server;
  link->connection = in->connection;
  in->link = link;
}

static void *on_accept(void *owner, ws_connection *connection) {
  coming in = {owner, connection, NULL};
  ws_gate_enter(&in.server->loop->gate, enter_accept, &in);
  return in.link;
}

static void enter_closed(lua_State *L, void *argument) {
  const ws_lua_server *server = argument;
  lua_rawgeti(L, LUA_REGISTRYINDEX, server->closed);
  lua_call(L, 0, 0);
}

static void on_closed(void *owner) {
  ws_lua_server *server = owner;
  if (server->closed != LUA_NOREF)
    ws_gate_enter(&server->loop->gate, enter_closed, server);
  let_go(server, server->loop->gate.L);
}

static const ws_server_events server_events = {on_accept, on_closed};

/* ------------------------------------------------------------ listening */

static void fill_options(lua_State *L, ws_server_options *options) {
  options->host = ws_lua_field_slice(L, 2, "host");
  uint64_t port = ws_lua_field_size(L, 2, "port", 0);
  if (port > UINT16_MAX)
    ws_lua_raise(L, "TypeError", "option 'port': 0 to 65535 expected");
  options->port = (uint16_t)port;
  options->path = ws_lua_field_slice(L, 2, "path");
  options->tls = ws_lua_field_tls(L, 2, true);
  options->max_connections = ws_lua_field_count(L, 2, "maxConnections", 0);
  uint64_t backlog = ws_lua_field_size(L, 2, "backlog", 0);
  options->backlog = backlog < INT_MAX ? (int)backlog : INT_MAX;
  options->reuse_port = ws_lua_field_bool(L, 2, "reusePort", false);
}

/* The server is at [3]. */
static void take_functions(lua_State *L, ws_lua_server *server) {
  lua_getfield(L, 2, "handlers");
  server->handlers = ws_handlers_use(L, 4);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, 3, 1);
  lua_getfield(L, 2, "judge");
  server->judge = ws_lua_ref_function(L, -1, "judge");
  lua_getfield(L, 2, "httpClosed");
  server->http_closed = ws_lua_ref_function(L, -1, "httpClosed");
  lua_getfield(L, 2, "closed");
  server->closed = ws_lua_ref_function(L, -1, "closed");
  server->plain = ws_lua_field_bool(L, 2, "plain", false);
  lua_pop(L, 4);
}

int ws_lua_listen(lua_State *L) {
  ws_lua_loop *loop = ws_lua_check_loop(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  ws_server_options options = {0};
  fill_options(L, &options);
  ws_lua_server *self = ws_lua_object(L, TYPE, sizeof *self, 1);
  ws_tie_init(&self->tie, self, cut);
  self->loop = loop;
  self->judge = self->http_closed = self->closed = LUA_NOREF;
  take_functions(L, self);
  ws_connection_config settings = ws_lua_server_config(L, 2, &loop->hub);
  ws_tie_make(L, loop, &self->tie, 3);
  /* Nothing raises from here on until the tie is dropped again. */
  ws_connection_config *config = ws_lua_keep_config(&settings);
  char why[256] = "";
  int status = WS_ENOMEM;
  if (config)
    status = ws_server_listen(&loop->hub, config, &options, &ws_link_events,
                              &server_events, self, &self->server, why,
                              sizeof why);
  ws_connection_config_unref(config);
  lua_settop(L, 3);
  if (status == WS_OK) return 1;
  ws_tie_drop(L, loop, &self->tie);
  return ws_lua_failure(L, status, why[0] ? why : NULL);
}

/* ------------------------------------------------------------- methods */

static int l_port(lua_State *L) {
  lua_pushinteger(L, ws_address_port(ws_server_address(check(L)->server)));
  return 1;
}

static int l_host(lua_State *L) {
  char text[WS_ADDRESS_TEXT];
  ws_address_text(ws_server_address(check(L)->server), text);
  lua_pushstring(L, text);
  return 1;
}

static int l_connections(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ws_server_count(check(L)->server));
  return 1;
}

static int l_clients(lua_State *L) {
  ws_lua_server *self = check(L);
  lua_newtable(L);
  int n = 0;
  for (ws_connection *c = ws_server_first(self->server); c;
       c = ws_server_next(c)) {
    const ws_link *link = ws_connection_owner(c);
    if (ws_connection_state(c) != WS_OPEN || !link) continue;
    ws_link_push(L, link);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static ws_topics *topics_of(lua_State *L) {
  return ws_server_topics(check(L)->server);
}

static int l_publish(lua_State *L) {
  return ws_lua_publish(L, topics_of, NULL);
}

static int l_close(lua_State *L) {
  ws_lua_server *self = check(L);
  ws_server_close(self->server, ws_lua_code(L, 2, 1001));
  return 0;
}

static int l_set_tls(lua_State *L) {
  ws_server_set_tls(check(L)->server, ws_lua_check_tls(L, 2, true));
  return 0;
}

/* Connections that outlive the object must not find it. */
static void disown(const ws_lua_server *self) {
  for (ws_connection *c = ws_server_first(self->server); c;
       c = ws_server_next(c)) {
    ws_link *link = ws_connection_owner(c);
    if (link) link->server = NULL;
  }
}

static int l_collect(lua_State *L) {
  ws_lua_server *self = ws_lua_check(L, 1, TYPE);
  if (self->server) {
    disown(self);
    ws_server_release(self->server);
  }
  self->server = NULL;
  let_go(self, L);
  return 0;
}

void ws_lua_open_server(lua_State *L) {
  static const luaL_Reg methods[] = {{"port", l_port},
                                     {"host", l_host},
                                     {"connections", l_connections},
                                     {"clients", l_clients},
                                     {"publish", l_publish},
                                     {"close", l_close},
                                     {"setTLS", l_set_tls},
                                     {NULL, NULL}};
  ws_lua_type(L, TYPE, methods, l_collect);
  lua_pop(L, 1);
}
