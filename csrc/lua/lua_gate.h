/* SPDX-License-Identifier: MIT */
/* The only way from C into Lua. An error's longjmp must not leave a callback of
 * the core, and almost any call of the Lua API can raise; so everything that a
 * callback does with Lua, even pushing arguments, happens in here. */
#pragma once
#include "lua/lua_view.h"

#include <stdbool.h>

/* What is done inside: run with the gate's stack, which is empty. */
typedef void ws_gate_entry(lua_State *L, void *argument);

/* Values that most messages need. An entry runs in a function that has them as
 * upvalues, at these indices. */
enum {
  WS_GATE_SELF = lua_upvalueindex(1), /* private */
  WS_GATE_TEXT = lua_upvalueindex(2), /* "text" */
  WS_GATE_BINARY = lua_upvalueindex(3),
  WS_GATE_DATA = lua_upvalueindex(4),
  WS_GATE_OPCODE = lua_upvalueindex(5),
  WS_GATE_TARGET = lua_upvalueindex(6),
  WS_GATE_VIEW = lua_upvalueindex(7) /* the metatable of views */
};

/* Where handlers run, and what happens to their errors. */
typedef struct ws_gate {
  lua_State *L;  /* a thread of its own, which outlives any coroutine. Its stack
                  * is empty between callbacks: user code that gets hold of it
                  * can no more resume or damage it than a dead coroutine */
  int thread;    /* its reference in the registry, as are all that follow */
  int traceback, enter, report; /* functions of lua_gate.c, made in advance:
                                 * LuaJIT allocates for a C function */
  int on_error;  /* the user's handler, or LUA_NOREF */
  int failure;   /* a table: [1] the first value that this handler raised */
  bool failed;   /* it did raise */
  ws_gate_entry *entry; /* what goes through */
  void *argument;
  /* What the running handler was called with, anchored on the thread's stack.
   * NULL while no handler runs. */
  const char *told; /* text that is known to be UTF-8 */
  ws_view *lent;    /* a view, which is invalid afterwards */
  const void *event; /* the address of an event's table */
} ws_gate;

/* Raises if memory runs out; ws_gate_deinit is due even then. */
void ws_gate_init(ws_gate *gate, lua_State *L);

/* Frees the references, once; `L` is any thread of the same Lua state. */
void ws_gate_deinit(ws_gate *gate, lua_State *L);

/* Runs entry(L, argument) in protected mode, on the gate's thread with an empty
 * stack of its own. An error goes to the user's handler with a traceback, or to
 * stderr. True if there was none. Never called inside an entry: only the
 * loop's turn delivers events. */
bool ws_gate_enter(ws_gate *gate, ws_gate_entry *entry, void *argument);

/* The handler has returned: what it was called with is no longer valid. */
static inline void ws_gate_end_telling(ws_gate *gate) {
  gate->told = NULL;
  if (gate->lent) gate->lent->data = NULL;
  gate->lent = NULL;
  gate->event = NULL;
}

/* To be called before L raises, if entries may have run: LuaJIT goes on in the
 * thread that ran last, which otherwise is the gate's. */
void ws_gate_prepare_raise(ws_gate *gate, lua_State *L);

/* Raises what the error handler has raised since the last call, if anything. */
void ws_gate_rethrow(ws_gate *gate, lua_State *L);
