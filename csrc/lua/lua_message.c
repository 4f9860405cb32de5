/* SPDX-License-Identifier: MIT */
/* Messages on their way into Lua: all that came with one read go through the
 * gate at once. What is the same for all of them stays on the stack. */
#include "lua/lua_message.h"

#include "lua/lua_view.h"

typedef struct telling {
  ws_link *link;
  unsigned opcode;
  const char *data;
  size_t len;
} telling;

/* What is on the stack below every message; the last four only for
 * listeners. */
enum {
  AT_HANDLER = 1,
  AT_OBJECT,
  AT_TEXT,
  AT_BINARY,
  AT_CLASS, /* of views or events, where there are any */
  AT_LISTENERS,
  AT_DATA_KEY,
  AT_OPCODE_KEY,
  AT_TARGET_KEY
};

static void push_listeners(lua_State *L) {
  lua_getiuservalue(L, AT_OBJECT, 2);
  ws_handlers_push_event_class(L, AT_CLASS);
  lua_replace(L, AT_CLASS);
  lua_getiuservalue(L, AT_OBJECT, 1);
  if (lua_istable(L, AT_LISTENERS)) {
    lua_getfield(L, AT_LISTENERS, "listeners");
    lua_replace(L, AT_LISTENERS);
  }
  lua_pushliteral(L, "data");
  lua_pushliteral(L, "opcode");
  lua_pushliteral(L, "target");
}

static bool push_party(lua_State *L, const telling *t) {
  const ws_lua_loop *loop = t->link->loop;
  lua_settop(L, 0);
  if (!ws_link_push_handler(L, t->link, WS_HANDLER_MESSAGE)) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, loop->text);
  lua_rawgeti(L, LUA_REGISTRYINDEX, loop->binary);
  if (t->link->handlers->events) push_listeners(L);
  else if (t->link->handlers->views) ws_view_push_type(L);
  return true;
}

static int at_opcode(const telling *t) {
  return t->opcode == WS_TEXT ? AT_TEXT : AT_BINARY;
}

/* ----------------------------------------------------------- handlers */

/* Handler, object and data are on the top. */
static void call_handler(lua_State *L, const telling *t) {
  lua_pushvalue(L, at_opcode(t));
  lua_call(L, 3, 0);
}

/* The data on the top stays on the stack until the handler has returned. */
static void call_with_kept(lua_State *L, const telling *t) {
  int data = lua_gettop(L);
  lua_pushvalue(L, AT_HANDLER);
  lua_pushvalue(L, AT_OBJECT);
  lua_pushvalue(L, data);
  call_handler(L, t);
  ws_gate_end_telling(&t->link->loop->gate);
  lua_settop(L, data - 1);
}

static void tell_handler(lua_State *L, const telling *t) {
  ws_gate *gate = &t->link->loop->gate;
  if (t->link->handlers->views) {
    gate->lent = ws_view_push(L, AT_CLASS, t->opcode, t->data, t->len);
    call_with_kept(L, t);
  } else if (t->opcode == WS_TEXT) {
    /* Known to be UTF-8: if the handler sends it on, it is not validated again.
     * Nothing else can be at this address meanwhile. */
    lua_pushlstring(L, t->data, t->len);
    gate->told = lua_tostring(L, -1);
    call_with_kept(L, t);
  } else {
    lua_pushvalue(L, AT_HANDLER);
    lua_pushvalue(L, AT_OBJECT);
    lua_pushlstring(L, t->data, t->len);
    call_handler(L, t);
  }
}

/* ------------------------------------------------------------- events */

static void set_event_field(lua_State *L, int key, int value) {
  lua_pushvalue(L, key);
  lua_pushvalue(L, value);
  lua_rawset(L, -3);
}

/* The data is on the top, and stays below the event. */
static void push_event(lua_State *L, const telling *t) {
  int data = lua_gettop(L);
  lua_createtable(L, 0, 3);
  set_event_field(L, AT_DATA_KEY, data);
  set_event_field(L, AT_OPCODE_KEY, at_opcode(t));
  set_event_field(L, AT_TARGET_KEY, AT_OBJECT);
  lua_pushvalue(L, AT_CLASS);
  lua_setmetatable(L, -2);
}

/* False when no function alone listens. */
static bool tell_listener(lua_State *L, const telling *t) {
  ws_gate *gate = &t->link->loop->gate;
  int top = lua_gettop(L);
  if (!lua_istable(L, AT_LISTENERS)) return false;
  lua_rawgeti(L, AT_LISTENERS, 1);
  if (!lua_isfunction(L, -1)) {
    lua_pop(L, 1);
    return false;
  }
  lua_pushlstring(L, t->data, t->len);
  if (t->opcode == WS_TEXT) gate->told = lua_tostring(L, -1);
  push_event(L, t);
  gate->event = lua_topointer(L, -1);
  lua_pushvalue(L, top + 1);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  ws_gate_end_telling(gate);
  lua_settop(L, top);
  return true;
}

int ws_lua_is_told(lua_State *L) {
  if (lua_istable(L, 1)) {
    lua_pushliteral(L, "target");
    lua_rawget(L, 1);
  }
  const ws_link *link = ws_link_at(L, -1);
  lua_pushboolean(L, link && link->handlers &&
                         link->loop->gate.event == lua_topointer(L, 1));
  return 1;
}

/* ------------------------------------------------------------ the way */

static void tell_message(lua_State *L, const telling *t) {
  if (t->link->handlers->events && tell_listener(L, t)) return;
  tell_handler(L, t);
}

/* Takes the next messages too, while there are any: each passage through the
 * gate has its price. */
static void enter(lua_State *L, void *argument) {
  telling *t = argument;
  ws_link *link = t->link;
  ws_event next;
  if (!push_party(L, t)) return;
  for (;;) {
    unsigned version = link->version;
    tell_message(L, t);
    if (!ws_link_wants(link, WS_HANDLER_MESSAGE)) return;
    if (link->version != version && !push_party(L, t)) return;
    if (!ws_connection_next_message(link->connection, &next)) return;
    *t = (telling){link, next.opcode, next.data ? (const char *)next.data : "",
                   next.len};
  }
}

void ws_message_tell(ws_link *link, unsigned opcode, const uint8_t *data,
                     size_t len) {
  telling t = {link, opcode, data ? (const char *)data : "", len};
  if (ws_link_wants(link, WS_HANDLER_MESSAGE))
    ws_gate_enter(&link->loop->gate, enter, &t);
}
