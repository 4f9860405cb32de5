/* SPDX-License-Identifier: MIT */
/* The Lua type ws.timer: a function called later, once or again and again. A
 * timer that runs anchors itself and keeps the loop alive. */
#include "lua/lua_loop.h"

#include "bytes/status.h"
#include "lua/lua_util.h"

#define TYPE "ws.timer"

typedef struct ws_lua_timer {
  ws_timer timer;
  ws_task task; /* for a posted function */
  ws_lua_loop *loop;
  ws_tie tie;   /* while it runs */
  uint64_t ms;
  int function; /* in the registry while it runs */
  bool repeats;
} ws_lua_timer;

static void stop(ws_lua_timer *t, lua_State *L) {
  int function = t->function;
  t->function = LUA_NOREF;
  luaL_unref(L, LUA_REGISTRYINDEX, function);
  if (t->tie.anchor == LUA_NOREF) return;
  ws_loop_stop_timer(t->loop->loop, &t->timer);
  ws_loop_cancel(t->loop->loop, &t->task);
  ws_loop_release(t->loop->loop);
  ws_tie_drop(L, t->loop, &t->tie);
}

static void cut(ws_tie *tie, lua_State *L) { stop(tie->owner, L); }

static void call(lua_State *L, void *argument) {
  const int *function = argument;
  lua_rawgeti(L, LUA_REGISTRYINDEX, *function);
  lua_call(L, 0, 0);
}

/* One that does not repeat lets go before the call, which memory may run out
 * for: else it would keep the loop alive for ever. */
static void fire(void *owner) {
  ws_lua_timer *t = owner;
  ws_gate *gate = &t->loop->gate;
  int function = t->function;
  if (t->repeats) {
    ws_loop_start_timer(t->loop->loop, &t->timer, t->ms);
    ws_gate_enter(gate, call, &function);
    return;
  }
  t->function = LUA_NOREF; /* `t` may be collected from here on */
  stop(t, gate->L);
  ws_gate_enter(gate, call, &function);
  luaL_unref(gate->L, LUA_REGISTRYINDEX, function);
}

static ws_lua_timer *new_timer(lua_State *L, int function) {
  ws_lua_loop *loop = ws_lua_check_loop(L, 1);
  luaL_checktype(L, function, LUA_TFUNCTION);
  ws_lua_timer *t = ws_lua_object(L, TYPE, sizeof *t, 0);
  ws_tie_init(&t->tie, t, cut);
  t->function = LUA_NOREF;
  t->loop = loop;
  t->timer.fire = t->task.run = fire;
  t->timer.owner = t->task.owner = t;
  t->function = ws_lua_ref_function(L, function, "timer");
  ws_tie_make(L, loop, &t->tie, -1);
  ws_loop_hold(loop->loop);
  return t;
}

int ws_lua_new_timer(lua_State *L) {
  ws_lua_check_loop(L, 1);
  lua_Number ms = luaL_checknumber(L, 2);
  ws_lua_timer *t = new_timer(L, 4);
  t->ms = ms > 0 ? (ms < 1e15 ? (uint64_t)ms : (uint64_t)1e15) : 0;
  t->repeats = lua_toboolean(L, 3);
  if (ws_loop_start_timer(t->loop->loop, &t->timer, t->ms) != WS_OK) {
    stop(t, L);
    return luaL_error(L, "not enough memory");
  }
  return 1;
}

int ws_lua_post(lua_State *L) {
  ws_lua_timer *t = new_timer(L, 2);
  ws_loop_post(t->loop->loop, &t->task);
  return 1;
}

static int l_stop(lua_State *L) {
  stop(ws_lua_check(L, 1, TYPE), L);
  return 0;
}

static int l_collect(lua_State *L) {
  /* A running timer is anchored: then this is the end of the Lua state. */
  stop(ws_lua_check(L, 1, TYPE), L);
  return 0;
}

void ws_lua_open_timer(lua_State *L) {
  static const luaL_Reg methods[] = {{"stop", l_stop}, {NULL, NULL}};
  ws_lua_type(L, TYPE, methods, l_collect);
  lua_pop(L, 1);
}
