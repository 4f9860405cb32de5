/* SPDX-License-Identifier: MIT */
/* The protected way from the core into Lua. */
#include "lua/lua_gate.h"

#include <assert.h>
#include <stdio.h>

static void do_nothing(lua_State *L, void *argument) {
  (void)L;
  (void)argument;
}

static int enter(lua_State *L) {
  ws_gate *gate = lua_touserdata(L, WS_GATE_SELF);
  ws_gate_entry *entry = gate->entry;
  gate->entry = do_nothing; /* for prepare_raise: before its call gets here, a
                             * finalizer may have set another in a turn */
  entry(L, gate->argument);
  return 0;
}

/* Pushes them in the order of their indices; returns how many there are. */
static int push_upvalues(lua_State *L, ws_gate *gate) {
  lua_pushlightuserdata(L, gate);
  lua_pushliteral(L, "text");
  lua_pushliteral(L, "binary");
  lua_pushliteral(L, "data");
  lua_pushliteral(L, "opcode");
  lua_pushliteral(L, "target");
  ws_view_push_type(L);
  return 7;
}

static int call_tostring(lua_State *L) {
  return luaL_callmeta(L, 1, "__tostring");
}

/* Pushes what was raised as text for people. */
static void push_text(lua_State *L, int raised) {
  if (lua_isstring(L, raised)) {
    lua_pushvalue(L, raised);
    return;
  }
  lua_pushcfunction(L, call_tostring);
  lua_pushvalue(L, raised);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_isstring(L, -1)) return;
  lua_pop(L, 1); /* nothing, or an error of its own */
  lua_pushfstring(L, "error object of type %s", luaL_typename(L, raised));
}

/* A table with the message and where it was raised. */
static int with_traceback(lua_State *L) {
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, 2, 1);
  push_text(L, 1);
  ws_traceback(L, L, lua_tostring(L, 3));
  lua_rawseti(L, 2, 2);
  lua_settop(L, 2);
  return 1;
}

static void print_error(lua_State *L, int message, int traceback) {
  const char *text = lua_tostring(L, traceback);
  const char *what = lua_tostring(L, message);
  if (text || what) fprintf(stderr, "%s\n", text ? text : what);
  else fprintf(stderr, "ws: error object of type %s in a handler\n",
               luaL_typename(L, message));
}

/* [1] the complaint, [2] what was raised (with_traceback's table, or a plain
 * message if even that failed). */
static int report(lua_State *L) {
  ws_gate *gate = lua_touserdata(L, 1);
  if (lua_istable(L, 2)) { /* with_traceback's */
    lua_rawgeti(L, 2, 1);
    lua_rawgeti(L, 2, 2);
  } else { /* with_traceback failed */
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

/* Pops what the error handler itself raised, and keeps it for loop:turn to
 * raise, or prints it if something is kept already. Needs no memory. */
static void on_failed_handler(ws_gate *gate) {
  lua_State *L = gate->L;
  if (gate->failed) {
    bool text = lua_type(L, -1) == LUA_TSTRING;
    fprintf(stderr, "ws: raised by the error handler, too: %s\n",
            text ? lua_tostring(L, -1) : luaL_typename(L, -1));
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, gate->failure);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1); /* does not allocate: the slot exists */
    lua_pop(L, 1);
  }
  gate->failed = true;
  lua_pop(L, 1);
}

/* What was raised is on the top of the stack, and is popped. */
static void on_failure(ws_gate *gate) {
  lua_State *L = gate->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, gate->report);
  lua_pushlightuserdata(L, gate);
  lua_pushvalue(L, -3);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) on_failed_handler(gate);
  lua_pop(L, 1);
}

static int keep_function(lua_State *L, lua_CFunction function, int upvalues) {
  lua_pushcclosure(L, function, upvalues);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Before Lua 5.4.3, luaL_unref may have to allocate for the head of its list of
 * free references, and so raise where nothing catches it. That head, [0] in the
 * registry, vanishes with the last free reference, unless a 0 ends the list,
 * which means the same as nil. */
static void end_free_list(lua_State *L) {
  int last, next = 0;
  do {
    last = next;
    lua_rawgeti(L, LUA_REGISTRYINDEX, last);
    next = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  } while (next != 0);
  lua_pushinteger(L, 0);
  lua_rawseti(L, LUA_REGISTRYINDEX, last);
}

void ws_gate_init(ws_gate *gate, lua_State *L) {
  *gate = (ws_gate){.on_error = LUA_NOREF,
                    .traceback = LUA_NOREF,
                    .enter = LUA_NOREF,
                    .report = LUA_NOREF,
                    .failure = LUA_NOREF,
                    .thread = LUA_NOREF};
  end_free_list(L);
  gate->traceback = keep_function(L, with_traceback, 0);
  gate->report = keep_function(L, report, 0);
  gate->enter = keep_function(L, enter, push_upvalues(L, gate));
  lua_createtable(L, 1, 0);
  gate->failure = luaL_ref(L, LUA_REGISTRYINDEX);
  gate->L = lua_newthread(L);
  gate->thread = luaL_ref(L, LUA_REGISTRYINDEX);
}

void ws_gate_deinit(ws_gate *gate, lua_State *L) {
  luaL_unref(L, LUA_REGISTRYINDEX, gate->on_error);
  luaL_unref(L, LUA_REGISTRYINDEX, gate->traceback);
  luaL_unref(L, LUA_REGISTRYINDEX, gate->enter);
  luaL_unref(L, LUA_REGISTRYINDEX, gate->report);
  luaL_unref(L, LUA_REGISTRYINDEX, gate->failure);
  luaL_unref(L, LUA_REGISTRYINDEX, gate->thread);
  gate->on_error = gate->traceback = gate->enter = LUA_NOREF;
  gate->report = gate->failure = gate->thread = LUA_NOREF;
  gate->L = NULL;
}

bool ws_gate_enter(ws_gate *gate, ws_gate_entry *entry, void *argument) {
  lua_State *L = gate->L;
  gate->entry = entry;
  gate->argument = argument;
  assert(lua_gettop(L) == 0); /* only a turn enters, and turns do not nest */
  lua_rawgeti(L, LUA_REGISTRYINDEX, gate->traceback);
  lua_rawgeti(L, LUA_REGISTRYINDEX, gate->enter);
  bool good = lua_pcall(L, 0, 0, -2) == LUA_OK;
  ws_gate_end_telling(gate); /* before any other Lua code runs */
  if (!good) on_failure(gate);
  lua_pop(L, 1);
  return good;
}

void ws_gate_prepare_raise(ws_gate *gate, lua_State *L) {
  gate->entry = do_nothing;
  lua_rawgeti(L, LUA_REGISTRYINDEX, gate->enter);
  lua_call(L, 0, 0);
}

void ws_gate_rethrow(ws_gate *gate, lua_State *L) {
  if (!gate->failed) return;
  ws_gate_prepare_raise(gate, L); /* if this raises, the failure is kept */
  gate->failed = false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, gate->failure);
  lua_rawgeti(L, -1, 1);
  lua_pushnil(L);
  lua_rawseti(L, -3, 1);
  lua_error(L);
}
