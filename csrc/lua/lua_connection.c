/* SPDX-License-Identifier: MIT */
/* What Lua may do with a connection: the methods and getters of ws.connection
 * that are written in C, except those that send. Lua code puts the browser's
 * interface over them. */
#include "lua/lua_connection.h"

#include "bytes/status.h"
#include "connection/server.h"
#include "lua/lua_link.h"
#include "lua/lua_request.h"
#include "lua/lua_send.h"
#include "lua/lua_util.h"

#include <string.h>

/* ------------------------------------------------------------ closing */

static int l_raw_close(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  unsigned code = ws_lua_code(L, 2, 0);
  ws_slice reason = {"", 0};
  if (!lua_isnoneornil(L, 3)) reason = ws_lua_slice(L, 3);
  ws_connection_close(link->connection, code, reason.data, reason.len);
  return 0;
}

static int l_terminate(lua_State *L) {
  ws_connection_terminate(ws_link_self(L, "terminate")->connection);
  return 0;
}

/* -------------------------------------------------------- backpressure */

static int l_pause(lua_State *L) {
  ws_link *link = ws_link_self(L, "pause");
  ws_connection_pause(link->connection, WS_PAUSE_USER, true);
  return 0;
}

static int l_resume(lua_State *L) {
  ws_link *link = ws_link_self(L, "resume");
  ws_connection_pause(link->connection, WS_PAUSE_USER, false);
  return 0;
}

static int l_hold(lua_State *L) {
  ws_connection_pause(ws_link_check(L, 1)->connection, WS_PAUSE_QUEUE,
                      lua_toboolean(L, 2));
  return 0;
}

/* ------------------------------------------------------------- topics */

static ws_topics *topics_of(lua_State *L, const ws_link *link,
                            const char *method) {
  ws_server *server = ws_server_of(link->connection);
  if (!server && !link->of_server)
    ws_lua_raise(L, "TypeError", "%s: topics are for a server's sockets",
                 method);
  return server ? ws_server_topics(server) : NULL;
}

static int l_subscribe(lua_State *L) {
  ws_link *link = ws_link_self(L, "subscribe");
  ws_slice name = ws_lua_slice_of(L, 2, "subscribe: the topic");
  ws_topics *topics = topics_of(L, link, "subscribe");
  if (topics && ws_connection_state(link->connection) == WS_OPEN &&
      ws_topics_subscribe(topics, link->connection, name) != WS_OK)
    return luaL_error(L, "not enough memory");
  return 0;
}

static int l_unsubscribe(lua_State *L) {
  ws_link *link = ws_link_self(L, "unsubscribe");
  ws_slice name = ws_lua_slice_of(L, 2, "unsubscribe: the topic");
  ws_topics *topics = topics_of(L, link, "unsubscribe");
  lua_pushboolean(
      L, topics && ws_topics_unsubscribe(topics, link->connection, name));
  return 1;
}

/* A finalizer may run wherever Lua allocates (before Lua 5.3 even in
 * lua_pushlstring, before it copies), and may end the server or a subscription.
 * So each name is looked up again, and copied at once. */
static bool find_topic(lua_State *L, const ws_link *link, int n,
                       ws_slice *name) {
  ws_topics *topics = topics_of(L, link, "topics");
  return topics && ws_topics_of(topics, link->connection, (size_t)n, name);
}

static int l_topics(lua_State *L) {
  const ws_link *link = ws_link_self(L, "topics");
  size_t room = 256;
  ws_slice name;
  lua_settop(L, 1);
  lua_newtable(L);
  char *copy = lua_newuserdatauv(L, room, 0);
  for (int n = 0; find_topic(L, link, n, &name);) {
    if (name.len > room) {
      room = name.len;
      lua_settop(L, 2);
      copy = lua_newuserdatauv(L, room, 0);
      continue;
    }
    memcpy(copy, name.data, name.len);
    lua_pushlstring(L, copy, name.len);
    lua_rawseti(L, 2, ++n);
  }
  lua_settop(L, 2);
  return 1;
}

static ws_topics *topics_to_publish(lua_State *L) {
  return topics_of(L, ws_link_self(L, "publish"), "publish");
}

/* sock:publish(topic, data [, opcode]): to everyone but itself. */
static int l_publish(lua_State *L) {
  const ws_link *link = ws_link_self(L, "publish");
  return ws_lua_publish(L, topics_to_publish, link->connection);
}

/* ------------------------------------------------------- for the Lua floor */

static int l_set_handlers(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  ws_handlers *handlers = ws_handlers_use(L, 2);
  ws_handlers *before = link->handlers;
  link->version++;
  if (before) link->handlers = handlers;
  else ws_handlers_unuse(handlers, L); /* closed: only tag() uses them */
  if (before) ws_handlers_unuse(before, L);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, 2);
  return 0;
}

static int l_tag(lua_State *L) {
  ws_link_check(L, 1);
  lua_getiuservalue(L, 1, 2);
  ws_handlers_push_tag(L, lua_gettop(L));
  return 1;
}

static int l_state(lua_State *L) {
  ws_link_check(L, 1);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

static int l_set_state(lua_State *L) {
  ws_link_check(L, 1);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

/* The close event's code and reason, once the state is CLOSED. */
static int l_ended(lua_State *L) {
  ws_slice reason;
  unsigned code = ws_connection_end(ws_link_check(L, 1)->connection, &reason);
  lua_pushinteger(L, (lua_Integer)code);
  ws_lua_push_slice(L, reason);
  return 2;
}

static int l_is_server(lua_State *L) {
  lua_pushboolean(L, ws_link_check(L, 1)->of_server);
  return 1;
}

void ws_lua_fill_methods(lua_State *L) {
  static const luaL_Reg methods[] = {{"terminate", l_terminate},
                                     {"pause", l_pause},
                                     {"resume", l_resume},
                                     {"subscribe", l_subscribe},
                                     {"unsubscribe", l_unsubscribe},
                                     {"topics", l_topics},
                                     {"publish", l_publish},
                                     {NULL, NULL}};
  ws_setfuncs(L, methods);
  ws_lua_fill_senders(L);
}

void ws_lua_fill_internals(lua_State *L) {
  static const luaL_Reg internals[] = {{"rawClose", l_raw_close},
                                       {"hold", l_hold},
                                       {"setHandlers", l_set_handlers},
                                       {"tag", l_tag},
                                       {"state", l_state},
                                       {"setState", l_set_state},
                                       {"ended", l_ended},
                                       {"isServer", l_is_server},
                                       {"accept", ws_lua_accept},
                                       {"refuse", ws_lua_refuse},
                                       {"openEnded", ws_lua_open_ended},
                                       {"writeRaw", ws_lua_write_raw},
                                       {"finishRaw", ws_lua_finish_raw},
                                       {NULL, NULL}};
  ws_setfuncs(L, internals);
}

/* ------------------------------------------------------------ getters */

static int g_ready_state(lua_State *L) {
  lua_pushinteger(L, ws_link_state(ws_link_check(L, 1)));
  return 1;
}

static int g_buffered(lua_State *L) {
  ws_push_count(L, ws_connection_buffered(ws_link_check(L, 1)->connection));
  return 1;
}

static int g_url(lua_State *L) {
  lua_pushstring(L, ws_link_check(L, 1)->url); /* nil for a server's */
  return 1;
}

static int g_protocol(lua_State *L) {
  ws_lua_push_slice(L, ws_connection_protocol(ws_link_check(L, 1)->connection));
  return 1;
}

static int g_extensions(lua_State *L) {
  ws_lua_push_slice(L,
                    ws_connection_extensions(ws_link_check(L, 1)->connection));
  return 1;
}

static void push_port(lua_State *L, bool known, const ws_address *address) {
  if (known && ws_address_family(address) != 0)
    lua_pushinteger(L, ws_address_port(address));
  else
    lua_pushnil(L);
}

static int g_remote_address(lua_State *L) {
  ws_address address;
  bool known = ws_connection_peer(ws_link_check(L, 1)->connection, &address);
  ws_lua_push_address(L, known ? &address : NULL);
  return 1;
}

static int g_remote_port(lua_State *L) {
  ws_address address;
  bool known = ws_connection_peer(ws_link_check(L, 1)->connection, &address);
  push_port(L, known, &address);
  return 1;
}

static int g_local_address(lua_State *L) {
  ws_address address;
  bool known = ws_connection_local(ws_link_check(L, 1)->connection, &address);
  ws_lua_push_address(L, known ? &address : NULL);
  return 1;
}

static int g_local_port(lua_State *L) {
  ws_address address;
  bool known = ws_connection_local(ws_link_check(L, 1)->connection, &address);
  push_port(L, known, &address);
  return 1;
}

static int g_tls(lua_State *L) {
  ws_stream *stream = ws_connection_stream(ws_link_check(L, 1)->connection);
  ws_tls_info info;
  if (!stream || !ws_stream_tls_info(stream, &info)) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, 0, 5);
  lua_pushstring(L, info.version);
  lua_setfield(L, -2, "version");
  lua_pushstring(L, info.cipher);
  lua_setfield(L, -2, "cipher");
  lua_pushstring(L, info.peer);
  lua_setfield(L, -2, "peer");
  lua_pushboolean(L, info.verified);
  lua_setfield(L, -2, "verified");
  lua_pushboolean(L, info.resumed);
  lua_setfield(L, -2, "resumed");
  return 1;
}

static int g_latency(lua_State *L) {
  double ms = ws_connection_latency(ws_link_check(L, 1)->connection);
  if (ms < 0) lua_pushnil(L);
  else lua_pushnumber(L, ms);
  return 1;
}

void ws_lua_fill_getters(lua_State *L) {
  static const luaL_Reg getters[] = {{"readyState", g_ready_state},
                                     {"bufferedAmount", g_buffered},
                                     {"url", g_url},
                                     {"protocol", g_protocol},
                                     {"extensions", g_extensions},
                                     {"remoteAddress", g_remote_address},
                                     {"remotePort", g_remote_port},
                                     {"localAddress", g_local_address},
                                     {"localPort", g_local_port},
                                     {"tls", g_tls},
                                     {"latency", g_latency},
                                     {NULL, NULL}};
  ws_setfuncs(L, getters);
}
