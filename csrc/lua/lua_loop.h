/* SPDX-License-Identifier: MIT */
/* The Lua type ws.loop: a loop, its hub, and the gate its handlers run
 * through. */
#pragma once
#include "connection/hub.h"
#include "lua/lua_compat.h"
#include "lua/lua_gate.h"

typedef struct ws_lua_loop {
  ws_loop *loop; /* NULL once closed */
  ws_hub hub;
  ws_gate gate;
  struct ws_lua_timer *timers; /* those that run, for the end of the loop */
} ws_lua_loop;

/* core.loop([name]) */
int ws_lua_new_loop(lua_State *L);

/* The open loop at `index`, or raises. */
ws_lua_loop *ws_lua_check_loop(lua_State *L, int index);

void ws_lua_open_loop(lua_State *L);

/* In lua_timer.c: loop:timer(ms, repeats, fn), loop:post(fn), and the end of
 * all that run. */
int ws_lua_new_timer(lua_State *L);
int ws_lua_post(lua_State *L);
void ws_lua_stop_timers(ws_lua_loop *loop, lua_State *L);
void ws_lua_open_timer(lua_State *L);

/* In lua_client.c and lua_server.c: loop:connect{...}, loop:listen{...}. */
int ws_lua_connect(lua_State *L);
int ws_lua_listen(lua_State *L);
