/* SPDX-License-Identifier: MIT */
/* Messages on their way into Lua: all that came with one read go through the
 * gate at once. What is the same for all of them stays on the stack. */
#include "lua/lua_message.h"

#include "lua/lua_view.h"

typedef struct telling {
  ws_link *link;
  const ws_event *message;
} telling;

/* What is on the stack below every message; the last two only for
 * listeners. */
enum { AT_HANDLER = 1, AT_OBJECT, AT_CLASS, AT_LISTENERS };

static void push_listeners(lua_State *L) {
  lua_getiuservalue(L, AT_OBJECT, 2);
  ws_handlers_push_event_class(L, AT_CLASS);
  lua_replace(L, AT_CLASS);
  lua_getiuservalue(L, AT_OBJECT, 1);
  if (lua_istable(L, AT_LISTENERS)) {
    lua_getfield(L, AT_LISTENERS, "listeners");
    lua_replace(L, AT_LISTENERS);
  }
}

/* Pushes what stays below every message; false if there is no handler any
 * more. */
static bool push_party(lua_State *L, const ws_link *link) {
  if (!ws_link_wants(link, WS_HANDLER_MESSAGE)) return false;
  ws_link_push_handler(L, link, WS_HANDLER_MESSAGE);
  if (link->handlers->events) push_listeners(L);
  return true;
}

static int at_opcode(const ws_event *message) {
  return message->opcode == WS_TEXT ? WS_GATE_TEXT : WS_GATE_BINARY;
}

/* ----------------------------------------------------------- handlers */

/* Handler, object and data are on the top. */
static void call_handler(lua_State *L, const ws_event *message) {
  lua_pushvalue(L, at_opcode(message));
  lua_call(L, 3, 0);
}

/* The data on the top stays on the stack until the handler has returned. */
static void call_with_kept(lua_State *L, ws_gate *gate,
                           const ws_event *message) {
  lua_pushvalue(L, AT_HANDLER);
  lua_pushvalue(L, AT_OBJECT);
  lua_pushvalue(L, -3);
  call_handler(L, message);
  ws_gate_end_telling(gate);
  lua_pop(L, 1);
}

static void tell_handler(lua_State *L, const ws_link *link,
                         const ws_event *message) {
  ws_gate *gate = &link->loop->gate;
  if (link->handlers->views) {
    gate->lent = ws_view_push(L, WS_GATE_VIEW, message->opcode,
                              (const char *)message->data, message->len);
    call_with_kept(L, gate, message);
  } else if (message->opcode == WS_TEXT) {
    /* Known to be UTF-8: if the handler sends it on, it is not validated again.
     * It is recognized by its address, where nothing else can be meanwhile. */
    gate->told = ws_push_copy(L, (const char *)message->data, message->len);
    call_with_kept(L, gate, message);
  } else {
    lua_pushvalue(L, AT_HANDLER);
    lua_pushvalue(L, AT_OBJECT);
    lua_pushlstring(L, (const char *)message->data, message->len);
    call_handler(L, message);
  }
}

/* ------------------------------------------------------------- events */

static void set_event_field(lua_State *L, int key, int value) {
  lua_pushvalue(L, key);
  lua_pushvalue(L, value);
  lua_rawset(L, -3);
}

/* The message's data is at the index `data`. */
static void push_event(lua_State *L, const ws_event *message, int data) {
  lua_createtable(L, 0, 3);
  set_event_field(L, WS_GATE_DATA, data);
  set_event_field(L, WS_GATE_OPCODE, at_opcode(message));
  set_event_field(L, WS_GATE_TARGET, AT_OBJECT);
  lua_pushvalue(L, AT_CLASS);
  lua_setmetatable(L, -2);
}

/* Calls the listener with an event; false unless a single function listens. */
static bool tell_listener(lua_State *L, const ws_link *link,
                          const ws_event *message) {
  ws_gate *gate = &link->loop->gate;
  int top = lua_gettop(L);
  if (!lua_istable(L, AT_LISTENERS)) return false;
  if (lua_rawgeti(L, AT_LISTENERS, 1) != LUA_TFUNCTION) {
    lua_pop(L, 1);
    return false;
  }
  const char *data =
      ws_push_copy(L, (const char *)message->data, message->len);
  if (message->opcode == WS_TEXT) gate->told = data;
  push_event(L, message, top + 2);
  gate->event = lua_topointer(L, -1);
  lua_pushvalue(L, top + 1);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  ws_gate_end_telling(gate);
  lua_settop(L, top);
  return true;
}

int ws_lua_is_told(lua_State *L) {
  lua_settop(L, 1);
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

static void tell_message(lua_State *L, const ws_link *link,
                         const ws_event *message) {
  if (link->handlers->events && tell_listener(L, link, message)) return;
  tell_handler(L, link, message);
}

/* Takes the next messages too, while there are any: each passage through the
 * gate has its price. */
static void enter(lua_State *L, void *argument) {
  const telling *t = argument;
  const ws_link *link = t->link;
  const ws_event *message = t->message;
  unsigned version = link->version;
  if (!push_party(L, link)) return;
  while (message) {
    tell_message(L, link, message);
    if (link->version != version) {
      version = link->version;
      lua_settop(L, 0);
      if (!push_party(L, link)) return;
    }
    message = ws_connection_next_message(link->connection);
  }
}

void ws_message_tell(ws_link *link, unsigned opcode, const uint8_t *data,
                     size_t len) {
  const ws_event message = {.opcode = (uint8_t)opcode, .data = data,
                            .len = len};
  telling t = {link, &message};
  if (ws_link_wants(link, WS_HANDLER_MESSAGE))
    ws_gate_enter(&link->loop->gate, enter, &t);
}
