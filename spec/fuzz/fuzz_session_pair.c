/* SPDX-License-Identifier: MIT */
/* A client's and a server's session, joined by two pipes in memory. The input
 * is the schedule: what moves when and in which pieces, what the owners send,
 * and what they do inside their events. When the pipes lose, corrupt or cut
 * off bytes, only safety is promised. */
#include "bytes/memory.h"
#include "fuzz.h"
#include "protocol/session.h"

enum { SENT_MOST = 256, PIPE_MOST = 1 << 15, MADE_MOST = 16384 };

typedef struct end {
  ws_session session;
  ws_session_config config;
  ws_buffer out;     /* the pipe to the other end */
  struct end *other;
  uint64_t sent[SENT_MOST]; /* sums of messages, in order */
  size_t sent_count, got_count;
  uint8_t reaction;
  bool ended, failed, closed, we_closed;
} end;

static end client, server;
static ws_deflate_pool pool;
static bool faithful; /* so far, the pipes lost nothing and memory sufficed */

static uint64_t sum_of(unsigned opcode, const void *data, size_t len) {
  fuzz_log log = {0};
  fuzz_log_number(&log, opcode);
  fuzz_log_bytes(&log, data, len);
  return log.sum;
}

/* --------------------------------------------------------------- sending */

static void send_message(end *it, unsigned opcode, const void *data,
                         size_t len, bool plain) {
  if (it->sent_count == SENT_MOST || it->out.len > PIPE_MOST) return;
  bool open = ws_session_state(&it->session) == WS_OPEN;
  int status = (plain ? ws_session_send_plain : ws_session_send)(
      &it->session, opcode, data, len, &it->out);
  PROMISE(open || status == WS_EINVAL);
  if (faithful) PROMISE(open == (status == WS_OK));
  if (status == WS_OK) it->sent[it->sent_count++] = sum_of(opcode, data, len);
}

static uint8_t repeating[MADE_MOST], noise[2 * MADE_MOST];

static void make_texts(void) {
  for (size_t i = 0; i < sizeof repeating; i++)
    repeating[i] = (uint8_t)("websocket "[i % 10]);
  for (size_t i = 0; i < sizeof noise; i++)
    noise[i] = (uint8_t)(fuzz_random_next() & 0x7f);
}

/* Sends text that repeats itself, or noise that does not compress. */
static void send_made(end *it, uint8_t kind, size_t len) {
  if (len > MADE_MOST) len = MADE_MOST;
  const uint8_t *text = repeating;
  if (!(kind & 1)) text = noise + fuzz_random_next() % MADE_MOST;
  send_message(it, kind & 2 ? WS_TEXT : WS_BINARY, text, len, kind & 4);
}

static void close_end(end *it, unsigned code) {
  int status = ws_session_close(&it->session, code, "why", code ? 3 : 0,
                                &it->out);
  if (status == WS_OK) it->we_closed = true;
}

/* Two ends that send something for whatever comes would never be done: the pipe
 * limits them. */
static void send_ping(end *it) {
  if (it->out.len > PIPE_MOST) return;
  (void)ws_session_control(&it->session, WS_PING, "p", 1, &it->out);
}

static void react(end *it, const ws_event *event) {
  switch (it->reaction & 7) {
    case 1: send_message(it, WS_BINARY, event->data, event->len, false); break;
    case 2: close_end(it, 4000); break;
    case 3: send_ping(it); break;
    case 4: (void)ws_session_hold_pong(&it->session, true, &it->out); break;
    case 5: send_made(it, it->reaction >> 3, event->len + 1); break;
    default: break;
  }
}

/* -------------------------------------------------------------- events */

static void take_message(end *it, const ws_event *event) {
  PROMISE(!it->closed && !it->we_closed);
  PROMISE(ws_session_state(&it->session) == WS_OPEN);
  size_t nth = it->got_count++;
  if (!faithful) return;
  PROMISE(nth < it->other->sent_count);
  PROMISE(it->other->sent[nth] ==
          sum_of(event->opcode, event->data, event->len));
}

static void answer(end *it) {
  const ws_handshake_verdict *verdict = ws_session_verdict(&it->session);
  ws_slice none = {NULL, 0};
  if (faithful) PROMISE(verdict->kind == WS_REQUEST_UPGRADE);
  if (verdict->kind == WS_REQUEST_UPGRADE)
    (void)ws_session_accept(&it->session, none, NULL, 0, &it->out);
  else
    ws_session_finish(&it->session);
}

static void take_event(end *it, const ws_event *event) {
  PROMISE(!it->failed);
  switch (event->type) {
    case WS_EVENT_MESSAGE: take_message(it, event); break;
    case WS_EVENT_REQUEST: answer(it); break;
    case WS_EVENT_CLOSE:
      PROMISE(!it->closed);
      it->closed = true;
      break;
    case WS_EVENT_FAIL:
      it->failed = true;
      PROMISE(!faithful);
      break;
    default: break;
  }
  if (event->type != WS_EVENT_FAIL) react(it, event);
}

static void feed(end *it, uint8_t *piece, size_t len) {
  size_t used = 0;
  ws_event event;
  do {
    size_t took = ws_session_feed(&it->session, piece + used, len - used,
                                  &it->out, &event);
    PROMISE(took <= len - used);
    used += took;
    if (event.type != WS_EVENT_NONE) take_event(it, &event);
  } while (event.type != WS_EVENT_NONE && !it->failed);
  if (faithful) PROMISE(used == len || ws_session_over(&it->session));
}

/* Moves bytes from one end's pipe to the other end, in pieces; more than a
 * thousand pieces would show nothing new. */
static void move(end *from, size_t most, size_t piece) {
  end *to = from->other;
  size_t left = from->out.len < most ? from->out.len : most;
  if (piece > 0 && piece < left >> 10) piece = left >> 10;
  while (left > 0 && !to->ended) {
    size_t part = piece && piece < left ? piece : left;
    if (part > FUZZ_PIECE_MOST) part = FUZZ_PIECE_MOST;
    uint8_t *bytes = fuzz_piece(from->out.data, part);
    ws_buffer_consume(&from->out, part);
    feed(to, bytes, part);
    left -= part;
  }
}

static void cut_short(end *from) {
  ws_event event;
  end *to = from->other;
  if (to->ended) return;
  to->ended = true;
  ws_buffer_consume(&from->out, from->out.len);
  faithful = false;
  ws_session_end(&to->session, &event);
  if (event.type != WS_EVENT_NONE) take_event(to, &event);
}

/* ------------------------------------------------------------- schedule */

static void step(end *it, unsigned what, fuzz_input *in) {
  size_t number = fuzz_byte(in);
  switch (what) {
    case 0: move(it, SIZE_MAX, number); break;
    case 1: move(it, number, fuzz_byte(in)); break;
    case 2: send_made(it, (uint8_t)number, fuzz_byte(in)); break;
    case 3: send_made(it, (uint8_t)number, (size_t)fuzz_byte(in) << 6); break;
    case 4: {
      ws_slice text = fuzz_run(in, number);
      send_message(it, WS_BINARY, text.data, text.len, false);
      break;
    }
    case 5:
      (void)ws_session_control(&it->session, number & 1 ? WS_PING : WS_PONG,
                               "ping", 4, &it->out);
      break;
    case 6: close_end(it, (unsigned)(number ? 900 + number * 8 : 0)); break;
    case 7: it->reaction = (uint8_t)number; break;
    case 8:
      (void)ws_session_hold_pong(&it->session, number & 1, &it->out);
      break;
    case 9:
      if (it->out.len > 0) {
        it->out.data[number % it->out.len] ^= fuzz_byte(in);
        faithful = false;
      }
      break;
    case 10: cut_short(it); break;
    case 11:
      fuzz_memory.fail_at = (unsigned)number;
      if (number) faithful = false;
      break;
    default: break;
  }
}

/* Moves bytes until both are quiet. A faithful pair soon is, as its reactions
 * are switched off. */
static void settle(void) {
  client.reaction = server.reaction = 0;
  (void)ws_session_hold_pong(&client.session, false, &client.out);
  (void)ws_session_hold_pong(&server.session, false, &server.out);
  for (int i = 0; i < 16 && client.out.len + server.out.len > 0; i++) {
    move(&client, SIZE_MAX, 0);
    move(&server, SIZE_MAX, 0);
  }
}

/* Everything that was sent has arrived, unless the receiver closed first. */
static void check_end(const end *it) {
  bool clean = ws_session_clean(&it->session);
  PROMISE(clean == ws_session_clean(&it->other->session));
  PROMISE(clean == (client.closed && server.closed));
  PROMISE(it->out.len == 0);
  if (!it->we_closed && !it->closed)
    PROMISE(it->got_count == it->other->sent_count);
}

static void prepare(end *it, end *other, bool masked, uint8_t flags) {
  it->other = other;
  it->sent_count = it->got_count = 0;
  it->reaction = 0;
  it->ended = it->failed = it->closed = it->we_closed = false;
  it->config = (ws_session_config){
      .limits = {.max_payload = 1 << 20, .masked = masked},
      .resize = fuzz_resize,
      .random = fuzz_random,
      .deflate = {.enabled = flags & 1,
                  .server_no_context = flags & 2,
                  .client_no_context = flags & 4,
                  .server_bits = (uint8_t)(flags & 8 ? 10 : 0),
                  .client_bits = (uint8_t)(flags & 16 ? 9 : 0),
                  .level = 1,
                  .threshold = flags & 32 ? 64 : 0},
      .pool = &pool};
  ws_buffer_init(&it->out, fuzz_resize, 0);
}

static void finish(end *it) {
  ws_session_deinit(&it->session);
  ws_buffer_deinit(&it->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  const ws_handshake_request request = {.target = {"/", 1}, .host = {"h", 1}};
  fuzz_input in = {data, len};
  uint8_t flags = fuzz_byte(&in);
  if (!pool.resize) {
    ws_deflate_pool_init(&pool, ws_memory_resize);
    make_texts();
  }
  faithful = true;
  fuzz_random_state = flags;
  prepare(&client, &server, false, flags);
  prepare(&server, &client, true, flags ^ fuzz_byte(&in));
  PROMISE(ws_session_init_client(&client.session, &client.config, &request,
                                 &client.out) == WS_OK);
  ws_session_init_server(&server.session, &server.config);
  if (flags & 128) settle();
  for (int i = 0; i < 400 && in.len > 0; i++) {
    uint8_t op = fuzz_byte(&in);
    step(op & 1 ? &client : &server, (op >> 1) % 12, &in);
  }
  settle();
  if (faithful) check_end(&client);
  if (faithful) check_end(&server);
  finish(&client);
  finish(&server);
  fuzz_memory_done();
  return 0;
}
