/* SPDX-License-Identifier: MIT */
/* The C program whose instructions `make instructions` counts: one side of a
 * session, in memory.
 *   counted read|send masked|plain KIND SIZE MESSAGES
 * KIND is binary, text, utf8 or deflate. Fails unless every message came. */
#include "bytes/memory.h"
#include "bytes/status.h"
#include "protocol/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what) {
  fprintf(stderr, "counted: %s\n", what);
  exit(1);
}

/* The same bytes in every run. */
static int fixed_random(void *data, size_t len) {
  static uint32_t state = 1;
  uint8_t *bytes = data;
  for (size_t i = 0; i < len; i++) {
    state = state * 1664525u + 1013904223u;
    bytes[i] = (uint8_t)(state >> 24);
  }
  return WS_OK;
}

static ws_deflate_pool pool;
static ws_session_config configs[2]; /* a client's, a server's */

typedef struct side {
  ws_session session;
  ws_buffer out;
  size_t messages; /* how many it got */
} side;

static void take(side *to, uint8_t *data, size_t len) {
  ws_event event;
  size_t used = 0;
  do {
    used += ws_session_feed(&to->session, data + used, len - used, &to->out,
                            &event);
    if (event.type == WS_EVENT_REQUEST &&
        ws_session_accept(&to->session, (ws_slice){"", 0}, NULL, 0,
                          &to->out) != WS_OK)
      die("not accepted");
    if (event.type == WS_EVENT_FAIL) die("failed");
    if (event.type == WS_EVENT_MESSAGE) to->messages++;
  } while (event.type != WS_EVENT_NONE);
}

static void pass(side *from, side *to) {
  take(to, from->out.data, from->out.len);
  ws_buffer_consume(&from->out, from->out.len);
}

static void open_pair(side *client, side *server) {
  ws_slice word = {"h", 1};
  ws_handshake_request request = {.target = {"/", 1}, .host = word};
  ws_buffer_init(&client->out, ws_memory_resize, 0);
  ws_buffer_init(&server->out, ws_memory_resize, 0);
  ws_session_init_server(&server->session, &configs[1]);
  if (ws_session_init_client(&client->session, &configs[0], &request,
                             &client->out) != WS_OK)
    die("no client");
  pass(client, server);
  pass(server, client);
  if (ws_session_state(&client->session) != WS_OPEN) die("not open");
}

static void configure(bool deflate) {
  ws_deflate_pool_init(&pool, ws_memory_resize);
  for (int i = 0; i < 2; i++)
    configs[i] = (ws_session_config){
        .limits = {.masked = i == 1},
        .resize = ws_memory_resize,
        .random = fixed_random,
        .deflate = {.enabled = deflate, .level = 6, .client_no_context = true,
                    .server_no_context = true},
        .pool = &pool};
}

/* A payload of that kind and size. */
static uint8_t *make_payload(const char *kind, size_t size) {
  static const char *const json =
      "{\"id\":1042,\"name\":\"Ann\",\"at\":[12.25,-3.5],\"tags\":[\"tea\"]},";
  const char *unit = strcmp(kind, "utf8") == 0      ? "\xc3\xa9"
                     : strcmp(kind, "deflate") == 0 ? json
                                                    : "x";
  uint8_t *payload = malloc(size);
  if (!payload) die("no memory");
  for (size_t i = 0; i < size; i++)
    payload[i] = (uint8_t)unit[i % strlen(unit)];
  return payload;
}

static void send_one(side *from, unsigned opcode, const uint8_t *payload,
                     size_t size) {
  if (ws_session_send(&from->session, opcode, payload, size, &from->out) !=
      WS_OK)
    die("not sent");
}

static void count_sends(side *from, unsigned opcode, const uint8_t *payload,
                        size_t size, size_t messages) {
  for (size_t i = 0; i < messages; i++) {
    send_one(from, opcode, payload, size);
    ws_buffer_consume(&from->out, from->out.len);
  }
}

/* Each round copies the frame first, because unmasking changes it in place. */
static void count_reads(side *from, side *to, unsigned opcode,
                        const uint8_t *payload, size_t size,
                        size_t messages) {
  send_one(from, opcode, payload, size);
  size_t len = from->out.len;
  uint8_t *input = malloc(len);
  if (!input) die("no memory");
  for (size_t i = 0; i < messages; i++) {
    memcpy(input, from->out.data, len);
    take(to, input, len);
  }
  free(input);
  if (to->messages != messages) die("messages are missing");
}

int main(int argc, char **argv) {
  if (argc != 6) die("read|send masked|plain KIND SIZE MESSAGES");
  static side client, server;
  bool masked = strcmp(argv[2], "masked") == 0;
  side *from = masked ? &client : &server, *to = masked ? &server : &client;
  size_t size = strtoull(argv[4], NULL, 10);
  size_t messages = strtoull(argv[5], NULL, 10);
  unsigned opcode = strcmp(argv[3], "binary") == 0 ? WS_BINARY : WS_TEXT;
  configure(strcmp(argv[3], "deflate") == 0);
  uint8_t *payload = make_payload(argv[3], size);
  open_pair(&client, &server);
  if (strcmp(argv[1], "read") == 0)
    count_reads(from, to, opcode, payload, size, messages);
  else
    count_sends(from, opcode, payload, size, messages);
  free(payload);
  return 0;
}
