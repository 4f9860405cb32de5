/* SPDX-License-Identifier: MIT */
/* The Lua type ws.loop. */
#include "lua/lua_loop.h"

#include "bytes/status.h"
#include "connection/connection.h"
#include "lua/lua_util.h"

#include <limits.h>
#include <string.h>

#define TYPE "ws.loop"

/* --------------------------------------------------------------- ties */

void ws_tie_init(ws_tie *tie, void *owner,
                 void (*cut)(ws_tie *tie, lua_State *L)) {
  tie->next = tie->previous = NULL;
  tie->cut = cut;
  tie->owner = owner;
  tie->anchor = LUA_NOREF;
}

void ws_tie_make(lua_State *L, ws_lua_loop *loop, ws_tie *tie, int index) {
  lua_pushvalue(L, index);
  tie->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
  tie->next = loop->ties;
  if (tie->next) tie->next->previous = tie;
  loop->ties = tie;
}

void ws_tie_drop(lua_State *L, ws_lua_loop *loop, ws_tie *tie) {
  int anchor = tie->anchor;
  if (anchor == LUA_NOREF) return;
  if (tie->previous) tie->previous->next = tie->next;
  else loop->ties = tie->next;
  if (tie->next) tie->next->previous = tie->previous;
  tie->next = tie->previous = NULL;
  tie->anchor = LUA_NOREF;
  luaL_unref(L, LUA_REGISTRYINDEX, anchor);
}

/* --------------------------------------------------------------- life */

ws_lua_loop *ws_lua_check_loop(lua_State *L, int index) {
  ws_lua_loop *self = ws_lua_check(L, index, TYPE);
  if (!self->loop) luaL_error(L, "the loop is closed");
  return self;
}

/* Sends 1001 to every peer, as far as the system takes it at once. */
static void say_goodbye(ws_lua_loop *self) {
  ws_connection *next;
  for (ws_connection *c = self->hub.first; c; c = next) {
    next = ws_connection_next(c);
    ws_connection_close(c, 1001, NULL, 0);
  }
}

static void shut(ws_lua_loop *self, lua_State *L) {
  if (!self->loop || ws_loop_turning(self->loop)) return;
  say_goodbye(self);
  ws_hub_deinit(&self->hub);
  while (self->ties) self->ties->cut(self->ties, L);
  ws_loop_free(self->loop);
  self->loop = NULL;
  ws_gate_deinit(&self->gate, L);
}

static int l_collect(lua_State *L) {
  ws_lua_loop *self = ws_lua_check(L, 1, TYPE);
  shut(self, L);
  if (!self->loop) ws_gate_deinit(&self->gate, L); /* making it failed */
  return 0;
}

static int l_close(lua_State *L) {
  ws_lua_loop *self = ws_lua_check(L, 1, TYPE);
  if (self->loop && ws_loop_turning(self->loop))
    return luaL_error(L, "the loop is running");
  shut(self, L);
  return 0;
}

/* loop:turn([ms [, most]]) */
static int l_turn(lua_State *L) {
  ws_lua_loop *self = ws_lua_check_loop(L, 1);
  int ms = -1;
  if (!lua_isnoneornil(L, 2)) {
    lua_Number given = luaL_checknumber(L, 2);
    ms = given > 0 ? (given < 2e9 ? (int)given : 2000000000) : 0;
  }
  lua_Number most = luaL_optnumber(L, 3, INT_MAX);
  luaL_argcheck(L, most >= 1, 3, "at least 1 expected");
  int served = ws_loop_turn_some(self->loop, ms,
                                 most < INT_MAX ? (int)most : INT_MAX);
  if (served == WS_EINVAL)
    return luaL_error(L, "the loop is already running");
  ws_gate_rethrow(&self->gate, L);
  if (served < 0) {
    ws_gate_prepare_raise(&self->gate, L);
    return luaL_error(L, "%s", ws_status_text(served));
  }
  lua_pushinteger(L, served);
  return 1;
}

static int l_turning(lua_State *L) {
  lua_pushboolean(L, ws_loop_turning(ws_lua_check_loop(L, 1)->loop));
  return 1;
}

/* The coroutine in which handlers run. */
static int l_thread(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, ws_lua_check_loop(L, 1)->gate.thread);
  return 1;
}

static int l_alive(lua_State *L) {
  lua_pushboolean(L, ws_loop_alive(ws_lua_check_loop(L, 1)->loop));
  return 1;
}

static int l_timeout(lua_State *L) {
  int ms = ws_loop_timeout(ws_lua_check_loop(L, 1)->loop);
  if (ms < 0) lua_pushnil(L);
  else lua_pushinteger(L, ms);
  return 1;
}

static int l_fd(lua_State *L) {
  ws_fd fd = ws_loop_fd(ws_lua_check_loop(L, 1)->loop);
  if (fd == WS_FD_NONE) lua_pushnil(L);
  else lua_pushinteger(L, (lua_Integer)fd);
  return 1;
}

static int l_poller(lua_State *L) {
  lua_pushstring(L, ws_loop_poller_name(ws_lua_check_loop(L, 1)->loop));
  return 1;
}

static int l_on_error(lua_State *L) {
  ws_lua_loop *self = ws_lua_check_loop(L, 1);
  int function = ws_lua_ref_function(L, 2, "onerror");
  luaL_unref(L, LUA_REGISTRYINDEX, self->gate.on_error);
  self->gate.on_error = function;
  return 0;
}

static const ws_poller_kind *find_poller(const char *name) {
  for (size_t i = 0; ws_pollers[i]; i++)
    if (strcmp(ws_pollers[i]->name, name) == 0) return ws_pollers[i];
  return NULL;
}

/* The collector judges by Lua's objects how much memory the program has. With a
 * loop that is too little: a new collection would begin every few messages, and
 * take a quarter of a long message's time. So the loop has an object as large
 * as its buffers. Nobody writes to it, so the system never provides its pages.
 * If it were larger still, garbage would leave the CPU's caches before it is
 * reused: short messages would pay for long ones. */
static int add_weight(lua_State *L) {
  lua_newuserdatauv(L, WS_HUB_BUFFERS, 0);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

/* If Lua's memory is too limited for that object, the loop does without. */
static void tell_collector(lua_State *L) {
  lua_pushcfunction(L, add_weight);
  lua_pushvalue(L, -2);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

int ws_lua_new_loop(lua_State *L) {
  const char *name = luaL_optstring(L, 1, NULL);
  const ws_poller_kind *kind = name ? find_poller(name) : NULL;
  if (name && !kind)
    return ws_lua_failure(L, WS_EUNSUPPORTED, "no such poller here");
  ws_lua_loop *self = ws_lua_object(L, TYPE, sizeof *self, 1);
  ws_gate_init(&self->gate, L);
  ws_loop *loop = NULL;
  int status = ws_loop_new(kind, &loop);
  if (status != WS_OK) return ws_lua_failure(L, status, NULL);
  ws_hub_init(&self->hub, loop);
  self->loop = loop;
  tell_collector(L);
  return 1;
}

void ws_lua_open_loop(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"turn", l_turn},         {"turning", l_turning},
      {"thread", l_thread},     {"alive", l_alive},
      {"timeout", l_timeout},   {"fd", l_fd},
      {"poller", l_poller},     {"onError", l_on_error},
      {"close", l_close},
      {"timer", ws_lua_new_timer}, {"post", ws_lua_post},
      {"connect", ws_lua_connect}, {"listen", ws_lua_listen},
      {NULL, NULL}};
  ws_lua_type(L, TYPE, methods, l_collect);
  lua_pop(L, 1);
}
