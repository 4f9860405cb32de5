/* SPDX-License-Identifier: MIT */
/* Passes the core's events to an object. Each goes through the gate, and its
 * arguments are pushed inside. */
#include "lua/lua_events.h"

#include "bytes/status.h"
#include "lua/lua_message.h"
#include "lua/lua_request.h"
#include "lua/lua_util.h"

void ws_link_let_go(ws_link *link, lua_State *L) {
  ws_handlers *handlers = link->handlers;
  link->handlers = NULL;
  link->version++;
  ws_request_free(link, L);
  if (handlers) ws_handlers_unuse(handlers, L);
  ws_tie_drop(L, link->loop, &link->tie);
}

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
  ws_request_push_table(L, t->link); /* first: it is freed in any case */
  ws_request_free(t->link, L);
  if (!push_handler(L, t)) return;
  lua_pushvalue(L, 1);
  lua_call(L, 2, 0);
}

static void on_open(void *owner) {
  ws_link *link = owner;
  telling t = {.handler = WS_HANDLER_OPEN};
  tell(link, enter_open, &t);
  ws_request_free(link, link->loop->gate.L); /* if there is no handler */
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
  ws_link_let_go(link, link->loop->gate.L);
}

static void on_gone(void *owner) {
  ws_link *link = owner;
  ws_request_gone(link);
  ws_link_let_go(link, link->loop->gate.L);
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
