/* SPDX-License-Identifier: MIT */
/* The object of a connection, and the core's events for it. Every event goes
 * through the gate, and its arguments are pushed inside. */
#include "lua/lua_link.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "lua/lua_message.h"
#include "lua/lua_request.h"
#include "lua/lua_util.h"

#define TYPE "ws.connection"
#define MAGIC 0x77735f31u

/* ------------------------------------------------------------- object */

/* After the last event no Lua value is held any more: a handler that refers to
 * the connection would keep it alive for ever. */
static void let_go(ws_link *link, lua_State *L) {
  ws_handlers *handlers = link->handlers;
  link->handlers = NULL;
  ws_request_free(link, L);
  if (handlers) ws_handlers_unuse(handlers, L);
  ws_tie_drop(L, link->loop, &link->tie);
}

static void cut(ws_tie *tie, lua_State *L) { let_go(tie->owner, L); }

ws_link *ws_link_new(lua_State *L, ws_lua_loop *loop, int handlers) {
  lua_pushvalue(L, handlers);
  ws_link *link = ws_lua_object(L, TYPE, sizeof *link, 2);
  link->magic = MAGIC;
  link->loop = loop;
  ws_tie_init(&link->tie, link, cut);
  link->handlers = ws_handlers_use(L, lua_gettop(L) - 1);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 2);
  return link;
}

void ws_link_push(lua_State *L, const ws_link *link) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, link->tie.anchor);
}

ws_state ws_link_state(const ws_link *link) {
  return link->handlers ? ws_connection_state(link->connection) : WS_CLOSED;
}

ws_link *ws_link_at(lua_State *L, int index) {
  ws_link *link = lua_touserdata(L, index);
  bool ours = link && lua_rawlen(L, index) == sizeof *link &&
              link->magic == MAGIC && link->connection;
  return ours ? link : NULL;
}

ws_link *ws_link_check(lua_State *L, int index) {
  ws_link *link = ws_link_at(L, index);
  if (!link)
    ws_lua_raise(L, "TypeError", "a WebSocket expected, got %s",
                 luaL_typename(L, index));
  return link;
}

ws_link *ws_link_self(lua_State *L, const char *method) {
  ws_link *link = ws_link_at(L, 1);
  if (!link)
    ws_lua_raise(L, "TypeError",
                 "%s: a WebSocket expected, got %s (call it as sock:%s)",
                 method, luaL_typename(L, 1), method);
  return link;
}

static int collect(lua_State *L) {
  ws_link *link = lua_touserdata(L, 1);
  if (!link || lua_rawlen(L, 1) != sizeof *link || link->magic != MAGIC)
    return 0;
  ws_connection *connection = link->connection;
  link->connection = NULL;
  if (connection) {
    /* Alive: this is the end of the state, S185, and of the turn it is in. */
    ws_connection_close(connection, 1001, NULL, 0);
    ws_connection_flush(connection);
    ws_connection_release(connection);
  }
  let_go(link, L);
  ws_memory_free(link->url);
  link->url = NULL;
  link->magic = 0;
  return 0;
}

/* ------------------------------------------------------------- events */

/* An event on its way to a handler. */
typedef struct telling {
  ws_link *link;
  ws_handler handler;
  unsigned opcode; /* or close code */
  int status;
  const void *data;
  size_t len;
  bool clean;
} telling;

bool ws_link_wants(const ws_link *link, ws_handler handler) {
  return link->handlers && link->handlers->functions[handler] != LUA_NOREF;
}

bool ws_link_push_handler(lua_State *L, const ws_link *link,
                          ws_handler handler) {
  int function = link->handlers->functions[handler];
  if (function == LUA_NOREF) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  ws_link_push(L, link);
  return true;
}

static bool push_handler(lua_State *L, const telling *t) {
  return ws_link_push_handler(L, t->link, t->handler);
}

static void tell(ws_link *link, ws_gate_entry *entry, telling *t) {
  t->link = link;
  if (ws_link_wants(link, t->handler))
    ws_gate_enter(&link->loop->gate, entry, t);
}

static void on_message(void *owner, unsigned opcode, const uint8_t *data,
                       size_t len) {
  ws_message_tell(owner, opcode, data, len);
}

static void enter_control(lua_State *L, void *argument) {
  const telling *t = argument;
  if (!push_handler(L, t)) return;
  lua_pushlstring(L, t->data ? t->data : "", t->len);
  lua_call(L, 2, 0);
}

static void on_ping(void *owner, const uint8_t *data, size_t len) {
  telling t = {.handler = WS_HANDLER_PING, .data = data, .len = len};
  tell(owner, enter_control, &t);
}

static void on_pong(void *owner, const uint8_t *data, size_t len) {
  telling t = {.handler = WS_HANDLER_PONG, .data = data, .len = len};
  tell(owner, enter_control, &t);
}

static void enter_drain(lua_State *L, void *argument) {
  if (push_handler(L, argument)) lua_call(L, 1, 0);
}

static void on_drain(void *owner) {
  telling t = {.handler = WS_HANDLER_DRAIN};
  tell(owner, enter_drain, &t);
}

static void enter_open(lua_State *L, void *argument) {
  const telling *t = argument;
  ws_request_push_table(L, t->link); /* before the handler: it may be gone */
  ws_request_free(t->link, L);
  if (!push_handler(L, t)) return;
  lua_pushvalue(L, 1);
  lua_call(L, 2, 0);
}

static void on_open(void *owner) {
  telling t = {.handler = WS_HANDLER_OPEN};
  tell(owner, enter_open, &t);
}

static void enter_error(lua_State *L, void *argument) {
  const telling *t = argument;
  if (!push_handler(L, t)) return;
  lua_pushstring(L, t->data);
  lua_pushstring(L, ws_status_name(t->status));
  lua_call(L, 3, 0);
}

static void on_error(void *owner, int status, const char *message) {
  telling t = {.handler = WS_HANDLER_ERROR, .status = status,
               .data = message};
  tell(owner, enter_error, &t);
}

static void enter_close(lua_State *L, void *argument) {
  const telling *t = argument;
  if (!push_handler(L, t)) return;
  lua_pushinteger(L, (lua_Integer)t->opcode);
  lua_pushlstring(L, t->data ? t->data : "", t->len);
  lua_pushboolean(L, t->clean);
  lua_call(L, 4, 0);
}

static void on_close(void *owner, unsigned code, const uint8_t *reason,
                     size_t len, bool clean) {
  ws_link *link = owner;
  telling t = {.handler = WS_HANDLER_CLOSE, .opcode = code, .data = reason,
               .len = len, .clean = clean};
  tell(link, enter_close, &t);
  let_go(link, link->loop->gate.L);
}

static void on_gone(void *owner) {
  ws_link *link = owner;
  ws_request_gone(link);
  let_go(link, link->loop->gate.L);
}

const ws_connection_events ws_link_events = {
    .on_open = on_open,
    .on_request = ws_request_arrived,
    .on_body = ws_request_body,
    .on_body_end = ws_request_complete,
    .on_message = on_message,
    .on_ping = on_ping,
    .on_pong = on_pong,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_close = on_close,
    .on_gone = on_gone,
};

/* --------------------------------------------------------------- type */

/* Upvalues: methods, getters. */
static int index(lua_State *L) {
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  if (lua_toboolean(L, 3)) return 1;
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(2));
  if (lua_isnil(L, -1)) return 1;
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* Upvalue: setters. */
static int new_index(lua_State *L) {
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  if (lua_isnil(L, -1)) {
    const char *name =
        lua_isstring(L, 2) ? lua_tostring(L, 2) : luaL_typename(L, 2);
    return ws_lua_raise(L, "TypeError", "cannot assign to '%s'", name);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_call(L, 2, 0);
  return 0;
}

static int to_string(lua_State *L) {
  static const char *const states[] = {"CONNECTING", "OPEN", "CLOSING",
                                       "CLOSED"};
  ws_link *link = ws_link_check(L, 1);
  const char *state = states[ws_link_state(link)];
  lua_pushfstring(L, "WebSocket (%s) %s", state,
                  link->url ? link->url : "of a server");
  return 1;
}

void ws_lua_open_connection(lua_State *L) {
  lua_newtable(L); /* what is returned */
  lua_newtable(L);
  ws_lua_fill_methods(L);
  lua_setfield(L, -2, "methods");
  lua_newtable(L);
  ws_lua_fill_getters(L);
  lua_setfield(L, -2, "getters");
  lua_newtable(L);
  lua_setfield(L, -2, "setters");
  lua_newtable(L);
  ws_lua_fill_internals(L);
  lua_setfield(L, -2, "internals");
  static const luaL_Reg none[] = {{NULL, NULL}};
  ws_lua_type(L, TYPE, none, collect);
  lua_getfield(L, -2, "methods");
  lua_getfield(L, -3, "getters");
  lua_pushcclosure(L, index, 2);
  lua_setfield(L, -2, "__index");
  lua_getfield(L, -2, "setters");
  lua_pushcclosure(L, new_index, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, to_string);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
