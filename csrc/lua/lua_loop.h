/* SPDX-License-Identifier: MIT */
/* The Lua type ws.loop: a loop, its hub, and the gate its handlers run
 * through. */
#pragma once
#include "connection/hub.h"
#include "lua/lua_compat.h"
#include "lua/lua_gate.h"

/* Ties an object to its loop as long as the loop may call it: meanwhile the
 * object is anchored in the registry. Embedded in the object. */
typedef struct ws_tie {
  struct ws_tie *next, *previous; /* private to lua_loop.c */
  void (*cut)(struct ws_tie *tie, lua_State *L);
  void *owner;
  int anchor; /* LUA_NOREF: not tied */
} ws_tie;

typedef struct ws_lua_loop {
  ws_loop *loop; /* NULL once closed */
  ws_hub hub;
  ws_gate gate;
  ws_tie *ties;
} ws_lua_loop;

/* `cut` is called if the loop ends first; it has to drop the tie. */
void ws_tie_init(ws_tie *tie, void *owner,
                 void (*cut)(ws_tie *tie, lua_State *L));

/* Ties the object at `index`, in which `tie` is embedded. */
void ws_tie_make(lua_State *L, ws_lua_loop *loop, ws_tie *tie, int index);

/* From now on the object belongs to the garbage collector. Idempotent. */
void ws_tie_drop(lua_State *L, ws_lua_loop *loop, ws_tie *tie);

/* core.loop([name]) */
int ws_lua_new_loop(lua_State *L);

/* The open loop at `index`, or raises. */
ws_lua_loop *ws_lua_check_loop(lua_State *L, int index);

void ws_lua_open_loop(lua_State *L);

/* In lua_timer.c: loop:timer(ms, repeats, fn), loop:post(fn). */
int ws_lua_new_timer(lua_State *L);
int ws_lua_post(lua_State *L);
void ws_lua_open_timer(lua_State *L);

/* In lua_client.c and lua_server.c: loop:connect{...}, loop:listen{...}. */
int ws_lua_connect(lua_State *L);
int ws_lua_listen(lua_State *L);
