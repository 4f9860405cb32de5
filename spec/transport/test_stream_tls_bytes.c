/* SPDX-License-Identifier: MIT */
/* Bytes through TLS streams: slow pipes, sockets, cuts and failures below. */
#include "tls_pair.h"
#include "transport/socket.h"
#include "transport/stream_fault.h"
#include "transport/stream_tcp.h"

static ws_tls *client_tls, *server_tls; /* good ones, for most tests */

static void begin(tls_pair *pair) {
  pair_begin(pair, client_tls, server_tls, "ws.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(pair);
  CHECK_INT(pair->client_status, WS_OK);
  CHECK_INT(pair->server_status, WS_OK);
}

typedef struct flow {
  size_t sent, got;
  uint32_t write_seed, read_seed;
} flow;

static bool is_failure(int status) {
  return status < 0 && status != WS_EAGAIN;
}

static uint8_t next_byte(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return (uint8_t)(*seed >> 24);
}

/* Writes the next bytes of the flow, in two slices of odd sizes. */
static void flow_write(flow *f, ws_stream *stream, size_t whole) {
  static uint8_t bytes[50000];
  size_t len = whole - f->sent < sizeof bytes ? whole - f->sent
                                              : sizeof bytes;
  uint32_t seed = f->write_seed;
  for (size_t i = 0; i < len; i++) bytes[i] = next_byte(&seed);
  ws_slice slices[2] = {{(char *)bytes, len / 3},
                        {(char *)bytes + len / 3, len - len / 3}};
  ptrdiff_t took = len > 0 ? ws_stream_write(stream, slices, 2) : 0;
  for (ptrdiff_t i = 0; i < took; i++) (void)next_byte(&f->write_seed);
  if (took > 0) f->sent += (size_t)took;
  if (took < 0 && took != WS_EAGAIN) CHECK_INT(took, 0);
  (void)ws_stream_flush(stream);
}

static void flow_read(flow *f, ws_stream *stream) {
  size_t wrong = 0;
  static uint8_t *bytes;
  if (!bytes) bytes = check_guarded(5000);
  ptrdiff_t got = ws_stream_read(stream, bytes, 5000);
  for (ptrdiff_t i = 0; i < got; i++)
    wrong += bytes[i] != next_byte(&f->read_seed);
  if (got > 0) f->got += (size_t)got;
  if (wrong > 0 || (got < 0 && got != WS_EAGAIN)) CHECK_INT(got, 0);
}

TEST(a_mebibyte_each_way_through_a_slow_pipe) {
  enum { WHOLE = 1 << 20 };
  tls_pair pair;
  flow up = {.write_seed = 1, .read_seed = 1};
  flow down = {.write_seed = 2, .read_seed = 2};
  pair_begin(&pair, client_tls, server_tls, "ws.test", 3000, 777);
  pair_shake(&pair);
  size_t most = 0;
  for (int i = 0; i < 20000 && (up.got < WHOLE || down.got < WHOLE); i++) {
    flow_write(&up, pair.client, WHOLE);
    flow_write(&down, pair.server, WHOLE);
    if (up.sent - up.got > most) most = up.sent - up.got;
    flow_read(&up, pair.server);
    flow_read(&down, pair.client);
  }
  CHECK_INT(up.got, WHOLE);
  CHECK_INT(down.got, WHOLE);
  CHECK(most <= 3 * 16384 + 3000); /* what is on its way stays bounded */
  pair_end(&pair);
}

/* One call fills a reader's 64 KiB with all there is. */
TEST(reading_fills_the_buffer) {
  static uint8_t text[40000], got[65536];
  tls_pair pair;
  begin(&pair);
  memset(text, 'x', sizeof text);
  ws_slice slice = {(char *)text, sizeof text};
  CHECK_INT(ws_stream_write(pair.client, &slice, 1), sizeof text);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), sizeof text);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EAGAIN);
  CHECK(memcmp(text, got, sizeof text) == 0);
  pair_end(&pair);
}

/* With a buffer smaller than what has come, the rest comes with the next call,
 * though the descriptor no longer announces it. */
TEST(reading_in_small_pieces) {
  uint8_t got[4];
  tls_pair pair;
  begin(&pair);
  CHECK_INT(put(pair.client, "abcdefghij"), 10);
  CHECK_INT(ws_stream_read(pair.server, got, 4), 4);
  CHECK_INT(pair.to_server.len, 0);
  CHECK_INT(ws_stream_read(pair.server, got, 4), 4);
  CHECK_BYTES(got, 4, "efgh");
  CHECK_INT(ws_stream_read(pair.server, got, 4), 2);
  CHECK_INT(ws_stream_read(pair.server, got, 4), WS_EAGAIN);
  pair_end(&pair);
}

TEST(small_slices_become_one_record) {
  tls_pair pair;
  ws_slice slices[100];
  uint8_t got[1200];
  begin(&pair);
  for (size_t i = 0; i < 100; i++)
    slices[i] = i % 7 ? ws_slice_of("0123456789") : (ws_slice){NULL, 0};
  size_t before = pair.to_server.total, writes = pair.to_server.writes;
  CHECK_INT(ws_stream_write(pair.client, slices, 100), 850);
  CHECK_INT(pair.to_server.total - before, 850 + 22);
  CHECK_INT(pair.to_server.writes - writes, 1);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 850);
  CHECK(memcmp(got + 840, "0123456789", 10) == 0);
  CHECK_INT(ws_stream_write(pair.client, slices, 0), 0);
  CHECK_INT(ws_stream_write(pair.client, slices, 1), 0);
  pair_end(&pair);
}

/* All there is is read at once, not the head and body of each record. */
TEST(many_records_take_one_read) {
  tls_pair pair;
  uint8_t got[64];
  begin(&pair);
  for (int i = 0; i < 10; i++) CHECK_INT(put(pair.client, "text"), 4);
  size_t reads = pair.to_server.reads;
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 40);
  CHECK_INT(pair.to_server.reads - reads, 1);
  pair_end(&pair);
}

/* Slices that cross the end of a record: nothing is lost or repeated. */
TEST(slices_across_records) {
  static uint8_t text[16384 * 2 + 100], got[sizeof text];
  static const size_t cuts[] = {1, 16383, 16384, 16385, 32768, 100};
  uint32_t seed = 7;
  for (size_t i = 0; i < sizeof text; i++) text[i] = next_byte(&seed);
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    tls_pair pair;
    ws_slice slices[3] = {{(char *)text, cuts[i]},
                          {NULL, 0},
                          {(char *)text + cuts[i], sizeof text - cuts[i]}};
    begin(&pair);
    memset(got, 0, sizeof got);
    CHECK_INT(ws_stream_write(pair.server, slices, 3), sizeof text);
    CHECK_INT(ws_stream_read(pair.client, got, sizeof got), sizeof text);
    CHECK(memcmp(text, got, sizeof text) == 0);
    pair_end(&pair);
  }
}

/* ---- over sockets, with faults ---- */

static bool begin_over_sockets(tls_pair *pair, const ws_fault_plan *client,
                               const ws_fault_plan *server) {
  ws_fd fds[2];
  ws_slice none = {0};
  memset(pair, 0, sizeof *pair);
  if (ws_socket_pair(fds) != WS_OK) return false;
  ws_stream *below = ws_stream_fault_new(ws_stream_tcp_new(fds[0]), client);
  if (ws_stream_tls_new(below, client_tls, ws_slice_of("ws.test"), none,
                        &pair->client) != WS_OK)
    return false;
  below = ws_stream_fault_new(ws_stream_tcp_new(fds[1]), server);
  if (ws_stream_tls_new(below, server_tls, none, none, &pair->server) != WS_OK)
    return false;
  pair->client_status = pair->server_status = WS_EAGAIN;
  return true;
}

/* Opens both, sends a text each way and closes, as far as possible. The texts
 * arrive as they are or not at all. */
static bool whole_life(tls_pair *pair) {
  uint8_t up[16], down[16];
  ptrdiff_t went = 0, came = 0, put_up = WS_EAGAIN, put_down = WS_EAGAIN;
  int closed = WS_EAGAIN;
  for (int i = 0; i < 20000 && (came <= 0 || closed == WS_EAGAIN); i++) {
    if (!is_over(pair->client_status))
      pair->client_status = ws_stream_open(pair->client);
    if (!is_over(pair->server_status))
      pair->server_status = ws_stream_open(pair->server);
    (void)ws_stream_flush(pair->client);
    (void)ws_stream_flush(pair->server);
    if (put_up == WS_EAGAIN) put_up = put(pair->client, "upward");
    if (put_down == WS_EAGAIN) put_down = put(pair->server, "downward");
    if (went <= 0) went = ws_stream_read(pair->server, up, sizeof up);
    if (came <= 0) came = ws_stream_read(pair->client, down, sizeof down);
    if (went > 0 && put_down > 0 && closed == WS_EAGAIN)
      closed = ws_stream_close(pair->server);
    if (is_failure(pair->client_status) || is_failure(pair->server_status) ||
        is_failure((int)came) || is_failure((int)went))
      break;
  }
  if (went > 0) CHECK_BYTES(up, (size_t)went, "upward");
  if (came > 0) CHECK_BYTES(down, (size_t)came, "downward");
  return went > 0 && came > 0 && closed == WS_OK;
}

TEST(over_sockets_in_small_bites) {
  static const ws_fault_plan plans[] = {
      {0},
      {.read_most = 1, .write_most = 1},
      {.read_most = 1, .again_every = 2},
      {.write_most = 1, .again_every = 3},
      {.read_most = 1000, .write_most = 7, .again_every = 5},
  };
  uint8_t got[8];
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
    tls_pair pair;
    CHECK(begin_over_sockets(&pair, &plans[i], &plans[4 - i]));
    CHECK(whole_life(&pair));
    ptrdiff_t end = WS_EAGAIN;
    for (int k = 0; k < 1000 && end == WS_EAGAIN; k++)
      end = ws_stream_read(pair.client, got, sizeof got);
    CHECK_INT(end, WS_EOF);
    pair_end(&pair);
  }
}

/* The n-th read or write of either side fails, for each n until none does: the
 * result is exactly that failure, and no byte is wrong. */
TEST(over_sockets_with_each_call_failing) {
  for (int kind = 0; kind < 4; kind++) {
    bool whole = false;
    size_t nth = 0;
    while (!whole && nth < 200) {
      tls_pair pair;
      ws_fault_plan bad = {.read_most = 400, .status = WS_ECONNRESET};
      ws_fault_plan good = {.read_most = 400};
      *(kind % 2 ? &bad.fail_read : &bad.fail_write) = ++nth;
      CHECK(begin_over_sockets(&pair, kind < 2 ? &bad : &good,
                               kind < 2 ? &good : &bad));
      whole = whole_life(&pair);
      int status = kind < 2 ? pair.client_status : pair.server_status;
      CHECK(status == WS_OK || status == WS_ECONNRESET ||
            status == WS_EAGAIN);
      pair_end(&pair);
    }
    CHECK(whole && nth > 3);
  }
}

int main(void) {
  certs_begin();
  client_tls = tls_client("root.pem");
  server_tls = tls_server("server.pem", NULL);
  if (!client_tls || !server_tls) return 2;
  RUN(a_mebibyte_each_way_through_a_slow_pipe);
  RUN(reading_fills_the_buffer);
  RUN(reading_in_small_pieces);
  RUN(small_slices_become_one_record);
  RUN(many_records_take_one_read);
  RUN(slices_across_records);
  RUN(over_sockets_in_small_bites);
  RUN(over_sockets_with_each_call_failing);
  ws_tls_unref(client_tls);
  ws_tls_unref(server_tls);
  certs_end();
  if (ws_memory_live() != 0) {
    fprintf(stderr, "%zu blocks are left\n", ws_memory_live());
    return 1;
  }
  return check_done();
}
