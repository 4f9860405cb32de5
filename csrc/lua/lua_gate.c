/* SPDX-License-Identifier: MIT */
/* The protected way from the core into Lua. */
#include "lua/lua_gate.h"

#include <stdio.h>
#include <string.h>

/* The bottom of the gate's stack: LuaJIT allocates for a C function, so both
 * are there before anything can go wrong. */
#define AT_HANDLER 1
#define AT_ENTER 2
#define AT_REPORT 3
#define AT_FAILURE 4 /* what the error handler raised; the first one */

typedef struct passage {
  ws_gate_entry *entry;
  void *argument;
} passage;

static int enter(lua_State *L) {
  passage *p = lua_touserdata(L, 1);
  lua_settop(L, 0);
  p->entry(L, p->argument);
  return 0;
}

/* A table with the message and where it was raised. */
static int with_traceback(lua_State *L) {
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
  ws_traceback(L, L, text);
  lua_rawseti(L, -2, 2);
  return 1;
}

static void print_error(lua_State *L, int message, int traceback) {
  const char *text = lua_tostring(L, traceback);
  const char *what = lua_tostring(L, message);
  if (!what) fprintf(stderr, "ws: error object of type %s in a handler\n",
                     luaL_typename(L, message));
  if (text) fprintf(stderr, "%s\n", text);
  else if (what) fprintf(stderr, "%s\n", what);
}

/* [1] the complaint, [2] what was raised (with_traceback's table, or a bare
 * message when even that failed). */
static int report(lua_State *L) {
  ws_gate *gate = lua_touserdata(L, 1);
  if (lua_istable(L, 2)) { /* with_traceback's */
    lua_rawgeti(L, 2, 1);
    lua_rawgeti(L, 2, 2);
  } else { /* not even that could be made */
    lua_pushvalue(L, 2);
    lua_pushnil(L);
  }
  if (gate->on_error == LUA_NOREF) {
    print_error(L, 3, 4);
    return 0;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, gate->on_error);
  lua_insert(L, 3);
  lua_call(L, 2, 0);
  return 0;
}

static void on_failure(ws_gate *gate) {
  lua_State *L = gate->L;
  lua_pushvalue(L, AT_REPORT);
  lua_pushlightuserdata(L, gate);
  lua_pushvalue(L, -3);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK) {
    lua_pop(L, 1);
    return;
  }
  /* The handler itself raised: kept for ws.run() to raise. */
  if (gate->failed) lua_pop(L, 1);
  else lua_replace(L, AT_FAILURE);
  gate->failed = true;
  lua_pop(L, 1);
}

void ws_gate_init(ws_gate *gate, lua_State *L) {
  gate->on_error = LUA_NOREF;
  gate->failed = false;
  gate->L = lua_newthread(L);
  gate->thread = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_checkstack(gate->L, LUA_MINSTACK * 2);
  lua_pushcfunction(gate->L, with_traceback);
  lua_pushcfunction(gate->L, enter);
  lua_pushcfunction(gate->L, report);
  lua_pushnil(gate->L);
}

void ws_gate_deinit(ws_gate *gate, lua_State *L) {
  luaL_unref(L, LUA_REGISTRYINDEX, gate->on_error);
  luaL_unref(L, LUA_REGISTRYINDEX, gate->thread);
  gate->on_error = gate->thread = LUA_NOREF;
  gate->L = NULL;
}

bool ws_gate_enter(ws_gate *gate, ws_gate_entry *entry, void *argument) {
  lua_State *L = gate->L;
  passage p = {entry, argument};
  lua_pushvalue(L, AT_ENTER);
  lua_pushlightuserdata(L, &p);
  if (lua_pcall(L, 1, 0, AT_HANDLER) == LUA_OK) return true;
  on_failure(gate);
  return false;
}

void ws_gate_rethrow(ws_gate *gate, lua_State *L) {
  if (!gate->failed) return;
  gate->failed = false;
  lua_pushvalue(gate->L, AT_FAILURE);
  lua_pushnil(gate->L);
  lua_replace(gate->L, AT_FAILURE);
  lua_xmove(gate->L, L, 1);
  lua_error(L);
}
