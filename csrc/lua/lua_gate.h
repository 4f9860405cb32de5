/* SPDX-License-Identifier: MIT */
/* The one way into Lua. The core's callbacks must not be left by an error's
 * long jump, and almost any call of the Lua API can raise: so everything a
 * callback does with Lua, pushing its arguments too, happens in here. */
#pragma once
#include "lua/lua_view.h"

#include <stdbool.h>

/* Where handlers run and what becomes of their errors. */
typedef struct ws_gate {
  lua_State *L;  /* a thread of its own: no coroutine's end matters. Its stack
                  * is empty between callbacks: like a coroutine that ended,
                  * it cannot be resumed or broken by who gets hold of it */
  int thread;    /* its anchor in the registry, as all that follow */
  int traceback, enter, report; /* functions of lua_gate.c, made beforehand:
                                 * LuaJIT allocates for a C function */
  int on_error;  /* the user's handler, or LUA_NOREF */
  int failure;   /* a table: [1] what that handler raised, the first one */
  bool failed;   /* it did */
  /* What the handler that runs is told, anchored on the thread's stack; NULL
   * otherwise. An error ends them, too. */
  const char *told; /* text that is known to be UTF-8 */
  ws_view *lent;    /* a view, whose time is over afterwards */
  const void *event; /* the address of an event's table */
} ws_gate;

/* Raises without memory: then it is to be deinited all the same. */
void ws_gate_init(ws_gate *gate, lua_State *L);

/* Gives the references back, once; `L` is any state of the same universe. */
void ws_gate_deinit(ws_gate *gate, lua_State *L);

/* Runs entry(L, argument) protected, on the gate's thread with an empty stack
 * of its own. An error goes to the user's handler with a traceback, or to
 * stderr. True when there was none. Never from inside an entry: events are told
 * by the loop's turn alone. */
typedef void ws_gate_entry(lua_State *L, void *argument);
bool ws_gate_enter(ws_gate *gate, ws_gate_entry *entry, void *argument);

/* The handler that was told something has returned. */
static inline void ws_gate_end_telling(ws_gate *gate) {
  gate->told = NULL;
  if (gate->lent) gate->lent->data = NULL;
  gate->lent = NULL;
  gate->event = NULL;
}

/* Where something was entered, before L raises: LuaJIT goes on as the thread
 * that ran last, which otherwise is the gate's. */
void ws_gate_prepare_raise(ws_gate *gate, lua_State *L);

/* Raises what the error handler raised since the last call, if it did. */
void ws_gate_rethrow(ws_gate *gate, lua_State *L);
