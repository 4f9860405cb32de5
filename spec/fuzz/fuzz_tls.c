/* SPDX-License-Identifier: MIT */
/* TLS around a session: one side of TLS gets any bytes; or both sides, with
 * sessions on top, are joined by pipes in memory, and the input is the
 * schedule. Such a pair begins with a handshake, or is one that earlier inputs
 * left open, as fifty inputs take the time of one handshake.
 * WS_CERTS names the folder of certificates, by default build/certs. */
#include "fuzz.h"

#include "protocol/session.h"
#include "transport/tls_pair.h"

typedef struct end {
  ws_stream *stream;
  ws_session session;
  ws_buffer out;
  uint64_t sent[64];
  size_t sent_count, got_count;
  struct end *other;
  struct both *both;
  memory_pipe *pipe; /* what it writes to */
  int status;        /* of opening, later of the first failure */
  bool failed;       /* whether the session failed */
} end;

typedef struct both {
  tls_pair pair;
  end client, server;
  size_t plaintext; /* bytes read by both */
  unsigned inputs;  /* how many it has served; 0: it is not open */
  bool faithful;    /* nothing was corrupted or cut off */
} both;

static ws_tls *server_tls, *client_tls;

static const ws_session_config client_config = {.resize = fuzz_resize,
                                                .random = fuzz_random};
static const ws_session_config server_config = {.limits = {.masked = true},
                                                .resize = fuzz_resize,
                                                .random = fuzz_random};

static void start(void) {
  setenv("WS_CERTS", "build/certs", 0);
  certs_begin();
  server_tls = tls_server("server.pem", NULL);
  client_tls = tls_client("root.pem");
  if (!server_tls || !client_tls) exit(2);
}

/* ------------------------------------------------------ against any bytes */

static void check_status(ptrdiff_t status) {
  PROMISE(status >= 0 || status == WS_EAGAIN || status == WS_EOF ||
          status == WS_ETLS || status == WS_ETRUNCATED ||
          status == WS_EPIPE || status == WS_ENOMEM);
}

/* A peer without keys never gets a byte of plaintext through. */
static void run_alone(ws_stream *stream, memory_pipe *in, memory_pipe *out,
                      fuzz_input bytes, fuzz_cuts cuts) {
  static uint8_t data[512];
  int status = ws_stream_open(stream);
  while (bytes.len > 0 && status == WS_EAGAIN) {
    ws_slice part = fuzz_run(&bytes, fuzz_cut(&cuts, bytes.len));
    if (part.len > in->room - in->len) part.len = in->room - in->len;
    memcpy(pipe_data(in) + in->len, part.data, part.len);
    in->len += part.len;
    status = ws_stream_open(stream);
    (void)ws_stream_flush(stream);
    check_status(status);
    out->len = 0;
  }
  PROMISE(status != WS_OK);
  if (status != WS_EAGAIN) {
    PROMISE(ws_stream_open(stream) == status);
    PROMISE(ws_stream_why(stream) != NULL);
  }
  PROMISE(ws_stream_read(stream, data, sizeof data) < 0);
  in->ended = true;
  status = ws_stream_open(stream);
  check_status(status);
  PROMISE(status < 0 && status != WS_EAGAIN);
}

static void check_alone(fuzz_input in, bool as_server) {
  static tls_pair pair;
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  pair_pipes(&pair, PIPE_ROOM, PIPE_ROOM);
  ws_stream *below = memory_end_new(&pair.to_server, &pair.to_client);
  ws_stream *stream;
  ws_slice none = {0};
  PROMISE(ws_stream_tls_new(below, as_server ? server_tls : client_tls,
                            ws_slice_of(as_server ? "" : "localhost"), none,
                            &stream) == WS_OK);
  run_alone(stream, &pair.to_server, &pair.to_client, in, cuts);
  ws_stream_free(stream);
}

/* ------------------------------------------------------------- both sides */

static void take_event(end *it, const ws_event *event) {
  ws_slice none = {NULL, 0};
  if (event->type == WS_EVENT_REQUEST)
    (void)ws_session_accept(&it->session, none, NULL, 0, &it->out);
  if (event->type == WS_EVENT_FAIL) it->failed = true;
  if (event->type != WS_EVENT_MESSAGE) return;
  fuzz_log log = {0};
  fuzz_log_bytes(&log, event->data, event->len);
  PROMISE(it->got_count < it->other->sent_count);
  PROMISE(it->other->sent[it->got_count++] == log.sum);
}

static void feed(end *it, uint8_t *data, size_t len) {
  ws_event event;
  size_t used = 0;
  do {
    used += ws_session_feed(&it->session, data + used, len - used, &it->out,
                            &event);
    if (event.type != WS_EVENT_NONE) take_event(it, &event);
  } while (event.type != WS_EVENT_NONE && !it->failed);
}

/* A corrupted record leads to the end, never to different plaintext. */
static void note_status(end *it, ptrdiff_t status) {
  check_status(status);
  if (status >= 0 || status == WS_EAGAIN) return;
  if (it->status == WS_OK) it->status = (int)status;
  PROMISE(!it->both->faithful || status == WS_EOF);
}

static void read_some(end *it, size_t most) {
  uint8_t *data = fuzz_piece(NULL, 0) - most;
  ptrdiff_t got = ws_stream_read(it->stream, data, most);
  note_status(it, got);
  PROMISE(got <= (ptrdiff_t)most);
  if (got > 0) it->both->plaintext += (size_t)got;
  if (got > 0 && !it->failed) feed(it, data, (size_t)got);
}

static void write_some(end *it) {
  ws_slice part = fuzz_text(&it->out);
  if (part.len == 0) return;
  ptrdiff_t took = ws_stream_write(it->stream, &part, 1);
  note_status(it, took);
  PROMISE(took <= (ptrdiff_t)part.len);
  if (took > 0) ws_buffer_consume(&it->out, (size_t)took);
}

/* One turn of a connection: handshake, reading, writing, flushing. */
static void turn(end *it, size_t most) {
  if (it->status == WS_EAGAIN) {
    it->status = ws_stream_open(it->stream);
    (void)ws_stream_flush(it->stream);
    check_status(it->status);
    if (it->status < 0 && it->status != WS_EAGAIN)
      PROMISE(!it->both->faithful);
  }
  if (it->status != WS_OK) return;
  if (most > 0) read_some(it, most);
  if (it->status == WS_OK) write_some(it);
  if (it->status == WS_OK) (void)ws_stream_flush(it->stream);
}

static void send_message(end *it, uint8_t kind, size_t len) {
  static uint8_t block[32768];
  fuzz_log log = {0};
  if (it->sent_count == 64 || it->out.len > 1 << 18) return;
  memset(block, kind, len);
  if (ws_session_send(&it->session, WS_BINARY, block, len, &it->out) != WS_OK)
    return;
  fuzz_log_bytes(&log, block, len);
  it->sent[it->sent_count++] = log.sum;
}

static void step(end *it, unsigned what, fuzz_input *in) {
  size_t number = fuzz_byte(in);
  switch (what) {
    case 0: turn(it, 4096); break;
    case 1: turn(it, number); break;
    case 2: send_message(it, (uint8_t)number, fuzz_byte(in)); break;
    case 3: /* some records */
      send_message(it, (uint8_t)number, (size_t)(fuzz_byte(in) & 127) << 8);
      break;
    case 4: it->pipe->bite = number + 1; break;
    case 5: it->pipe->bite = PIPE_ROOM; break;
    case 6:
      it->pipe->room = it->pipe->len + number + 1;
      if (it->pipe->room > PIPE_ROOM) it->pipe->room = PIPE_ROOM;
      break;
    case 7:
      if (it->pipe->len == 0) break;
      pipe_data(it->pipe)[number % it->pipe->len] ^= fuzz_byte(in) | 1;
      it->both->faithful = false;
      break;
    case 8:
      it->pipe->ended = true;
      it->both->faithful = false;
      break;
    default:
      if (ws_session_state(&it->session) != WS_OPEN) break;
      (void)ws_session_close(&it->session, 1000, NULL, 0, &it->out);
      break;
  }
}

static void settle(both *b) {
  b->pair.to_server.room = b->pair.to_client.room = PIPE_ROOM;
  b->pair.to_server.bite = b->pair.to_client.bite = PIPE_ROOM;
  size_t moves;
  do {
    moves = pair_moves(&b->pair) + b->plaintext;
    turn(&b->client, 65536);
    turn(&b->server, 65536);
  } while (moves != pair_moves(&b->pair) + b->plaintext);
}

static void check_end(const end *it) {
  PROMISE(it->status == WS_OK && !it->failed);
  PROMISE(it->out.len == 0);
  PROMISE(ws_session_state(&it->session) == WS_OPEN ||
          ws_session_clean(&it->session));
  if (ws_session_state(&it->session) == WS_OPEN)
    PROMISE(it->got_count == it->other->sent_count);
}

static void begin_end(both *b, end *it, end *other, ws_stream *stream,
                      memory_pipe *pipe) {
  *it = (end){.stream = stream, .other = other, .both = b, .pipe = pipe,
              .status = WS_EAGAIN};
  ws_buffer_init(&it->out, fuzz_resize, 0);
}

static void finish_end(end *it) {
  ws_stream_free(it->stream);
  ws_session_deinit(&it->session);
  ws_buffer_deinit(&it->out);
}

static void begin(both *b) {
  const ws_handshake_request request = {.target = {"/", 1}, .host = {"h", 1}};
  b->faithful = true;
  pair_begin(&b->pair, client_tls, server_tls, "localhost", PIPE_ROOM,
             PIPE_ROOM);
  begin_end(b, &b->client, &b->server, b->pair.client, &b->pair.to_server);
  begin_end(b, &b->server, &b->client, b->pair.server, &b->pair.to_client);
  PROMISE(ws_session_init_client(&b->client.session, &client_config, &request,
                                 &b->client.out) == WS_OK);
  ws_session_init_server(&b->server.session, &server_config);
}

static void finish(both *b) {
  finish_end(&b->client);
  finish_end(&b->server);
}

/* Runs the schedule, using only the first `kinds` kinds of steps. */
static void run(both *b, fuzz_input in, unsigned kinds) {
  for (int i = 0; i < 200 && in.len > 0; i++) {
    uint8_t op = fuzz_byte(&in);
    step(op & 1 ? &b->client : &b->server, (op >> 1) % kinds, &in);
  }
  settle(b);
  if (b->faithful) check_end(&b->client);
  if (b->faithful) check_end(&b->server);
}

static void check_fresh(fuzz_input in) {
  static both fresh;
  begin(&fresh);
  run(&fresh, in, 10);
  finish(&fresh);
}

/* Runs without the steps that corrupt or end it. True while it stays open. */
static bool check_kept(fuzz_input in) {
  static both kept;
  if (kept.inputs++ == 0) begin(&kept);
  kept.client.sent_count = kept.client.got_count = 0;
  kept.server.sent_count = kept.server.got_count = 0;
  run(&kept, in, 7);
  if (kept.inputs < 1000) return true;
  finish(&kept);
  kept.inputs = 0;
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static bool keeps;
  fuzz_input in = {data, len};
  if (!server_tls) start();
  uint8_t mode = fuzz_byte(&in) % 16;
  if (mode < 3)
    check_alone(in, mode > 0);
  else if (mode == 3)
    check_fresh(in);
  else
    keeps = check_kept(in);
  if (!keeps) fuzz_memory_done();
  return 0;
}
