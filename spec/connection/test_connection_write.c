/* SPDX-License-Identifier: MIT */
/* Output: bufferedAmount, drain, slow readers, order, how long kept payloads
 * are kept, and peers that go away in the middle. */
#include "connection/raw.h"

/* ------------------------------------------------------ bufferedAmount */

TEST(what_is_buffered) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  CHECK_INT(ws_connection_send(s->connection, WS_TEXT, "hello", 5, NULL),
            WS_OK);
  CHECK_INT(ws_connection_buffered(s->connection), 5); /* S98 */
  PARTY_UNTIL(&p, s->messages, 1);
  CHECK_INT(ws_connection_buffered(s->connection), 0);
  ws_connection_close(s->connection, 0, NULL, 0);
  ws_connection_send(s->connection, WS_TEXT, "late", 4, NULL);
  CHECK_INT(ws_connection_buffered(s->connection), 4); /* S103 */
  closed_with(s, 1005, true);
  ws_connection_send(s->connection, WS_TEXT, "later", 5, NULL);
  CHECK_INT(ws_connection_buffered(s->connection), 9); /* never falls */
  CHECK_INT(other->messages, 1);
  party_end(&p);
}

/* S98: what is gathered in a cork counts, too. */
TEST(small_messages_are_buffered) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p);
  ws_connection_pause(party_other(&p)->connection, WS_PAUSE_USER, true);
  static const char text[1000] = {0};
  uint64_t waiting = 0;
  for (int i = 0; i < 200 && waiting == 0; i++) {
    for (int j = 0; j < 100; j++)
      CHECK_INT(ws_connection_send(s->connection, WS_BINARY, text, sizeof text,
                                   NULL),
                WS_OK);
    ws_loop_turn(p.loop, 0);
    waiting = ws_connection_buffered(s->connection);
  }
  CHECK(waiting > 0 && waiting <= 200 * 100 * sizeof text);
  party_end(&p);
}

TEST(drain_comes_when_it_was_asked_for) {
  party p;
  party_begin(&p);
  party_listen(&p);
  p.echo = false;
  side *s = party_open(&p);
  char *block = calloc(1, 1 << 20);
  CHECK(ws_connection_writable(s->connection));
  ws_connection_send(s->connection, WS_BINARY, block, 1 << 20, NULL);
  CHECK(!ws_connection_writable(s->connection));
  PARTY_UNTIL(&p, s->drains, 1);
  CHECK(ws_connection_buffered(s->connection) <= p.client_config->low_water);
  PARTY_UNTIL(&p, party_other(&p)->messages, 1);
  CHECK_INT(s->drains, 1);
  free(block);
  party_end(&p);
}

/* -------------------------------------------------------- slow readers */

/* A peer that does not read: only its connection ends, with 1013. What it has
 * not got stays counted, except what the system still takes of the frame that
 * had begun. */
TEST(too_slow_a_reader) {
  party p;
  party_begin(&p);
  p.server_config->max_backpressure = 1 << 20;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  char *block = calloc(1, 1 << 18);
  uint64_t waiting = 0;
  for (int i = 0; i < 400 && s->closes == 0; i++) {
    ws_connection_send(s->connection, WS_BINARY, block, 1 << 18, NULL);
    waiting = ws_connection_buffered(s->connection);
    CHECK(ws_connection_buffered(s->connection) < (4u << 20) || i > 4);
    ws_loop_turn(p.loop, 0);
  }
  PARTY_UNTIL(&p, s->closes, 1);
  CHECK_INT(s->status, WS_EBACKPRESSURE);
  CHECK_INT(s->code, 1013);
  CHECK(ws_connection_buffered(s->connection) + (1 << 18) >= waiting);
  party_pass(&p, 999);
  CHECK(p.hub.first != NULL); /* it lingers */
  party_pass(&p, 2 * 1000); /* the system may yet have taken some more */
  CHECK(p.hub.first == NULL);
  CHECK(ws_connection_buffered(s->connection) + (1 << 18) >= waiting);
  free(block);
  raw_end(&r);
  party_end(&p);
}

/* A message longer than the limit still goes to a peer that reads. */
TEST(the_limit_is_for_what_is_not_taken) {
  party p;
  party_begin(&p);
  p.server_config->max_backpressure = 1000;
  p.client_config->max_backpressure = 1000;
  party_listen(&p);
  side *s = party_open(&p);
  static char text[30000];
  for (unsigned i = 1; i <= 3; i++) {
    ws_connection_send(s->connection, WS_BINARY, text, sizeof text, NULL);
    PARTY_UNTIL(&p, s->messages, i);
  }
  CHECK_INT(s->errors, 0);
  party_end(&p);
}

/* The frame that the peer began to get comes whole, then a Close that says
 * why. */
TEST(a_slow_reader_is_told) {
  party p;
  party_begin(&p);
  p.server_config->max_backpressure = 1 << 20;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  static char block[1000];
  for (int i = 0; i < 40000 && s->closes == 0; i++) {
    ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
    if (i % 64 == 0) ws_loop_turn(p.loop, 0);
  }
  closed_with(s, 1013, false);
  CHECK_INT(s->errors, 1);
  size_t frames = 0, got = 0;
  uint8_t end[16];
  memset(end, 0, sizeof end);
  while (!r.ended) {
    r.len = 0;
    raw_read(&p, &r, 1);
    got += r.len;
    size_t tail = r.len < sizeof end ? r.len : sizeof end;
    memmove(end, end + tail, sizeof end - tail);
    memcpy(end + sizeof end - tail, r.data + r.len - tail, tail);
  }
  CHECK(got > 12);
  frames = (got - 12) / 1004;
  CHECK_INT(frames * 1004 + 12, got); /* no frame is cut */
  CHECK_BYTES(end + 4, 12, "\x88\x0a\x03\xf5too slow");
  raw_end(&r);
  party_end(&p);
}

/* Sends until the system takes no more. */
static void fill_the_way(party *p, side *s) {
  static char block[1 << 20];
  for (int i = 0; i < 20; i++)
    ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
  ws_loop_turn(p->loop, 0);
}

/* Memory is in proportion to the bytes that wait, however small the messages
 * are. */
TEST(what_waits_is_packed) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  fill_the_way(&p, s);
  uint64_t waiting = ws_connection_buffered(s->connection);
  CHECK(waiting > 0);
  size_t live = ws_memory_live();
  for (int i = 0; i < 100000; i++)
    ws_connection_send(s->connection, WS_BINARY, "8 bytes!", 8, NULL);
  CHECK_INT(ws_connection_buffered(s->connection), waiting + 800000);
  CHECK(ws_memory_live() - live < 300); /* 1000000 bytes in blocks of 4000 */
  ws_connection_terminate(s->connection);
  closed_with(s, TERMINATED, false);
  CHECK_INT(ws_connection_buffered(s->connection), waiting + 800000); /* S106 */
  raw_end(&r);
  party_end(&p);
}

static size_t corked_by_all(const party *p) {
  size_t bytes = 0;
  for (int i = 0; i < WS_CORKS; i++) bytes += p->hub.corks.all[i].bytes.len;
  return bytes;
}

/* Many frames of one turn, for a peer that does not read, do not gather in
 * the memory that all connections share. */
static void send_many(side *s, const char *event) {
  static char block[10000];
  if (strcmp(event, "message") != 0) return;
  CHECK(ws_loop_turning(s->party->loop));
  for (int i = 0; i < 100; i++) {
    ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
    CHECK(corked_by_all(s->party) < WS_CORK_FULL + sizeof block);
  }
}

TEST(what_waits_is_not_corked) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  fill_the_way(&p, s);
  s->react = send_many;
  raw_frame(&p, &r, 0x81, "go");
  PARTY_UNTIL(&p, s->messages, 1);
  CHECK(ws_connection_buffered(s->connection) > 1000000);
  ws_connection_terminate(s->connection);
  closed_with(s, TERMINATED, false);
  raw_end(&r);
  party_end(&p);
}

/* S155: a peer that pings and does not read gets only the latest pong. */
TEST(pings_of_someone_who_does_not_read) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  static char block[1 << 20];
  for (int i = 0; i < 20; i++)
    ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
  ws_loop_turn(p.loop, 0);
  size_t live = ws_memory_live();
  static char ping[126] = "................................................."
                          "first";
  for (int i = 0; i < 2000; i++) raw_frame(&p, &r, 0x89, ping);
  raw_frame(&p, &r, 0x89, "last");
  PARTY_UNTIL(&p, s->pings, 2001);
  CHECK(ws_memory_live() <= live + 4);
  size_t firsts = 0;
  bool last = false;
  time_t until = real_seconds() + PATIENCE;
  while (!last && !r.ended && real_seconds() < until) {
    r.len = 0;
    raw_read(&p, &r, 1);
    last = raw_has(&r, "\x8a\x04last");
    firsts += raw_has(&r, ping);
  }
  CHECK(last);
  CHECK(firsts <= 2);
  raw_end(&r);
  party_end(&p);
}

/* If a pong cannot be sent, the connection fails, also if it was held back. */
TEST(no_random_bytes_for_a_pong) {
  for (int held = 0; held <= 1; held++) {
    party p;
    party_begin(&p);
    p.echo = false;
    party_listen(&p);
    side *s = party_open(&p), *other = party_other(&p);
    ws_connection_pause(other->connection, WS_PAUSE_USER, true);
    if (held) fill_the_way(&p, s);
    else ws_entropy_fail(1);
    CHECK_INT(ws_connection_ping(other->connection, WS_PING, "", 0), WS_OK);
    if (held) PARTY_UNTIL(&p, s->pings, 1);
    ws_entropy_fail(1);
    ws_connection_pause(other->connection, WS_PAUSE_USER, false);
    closed_with(s, 1006, false);
    CHECK_INT(s->status, WS_ERANDOM);
    ws_entropy_fail(0);
    party_end(&p);
  }
}

/* --------------------------------------------------------------- order */

/* Small, long and kept messages, corked or not, come in the order in which they
 * were sent, and the Close after them. S110 */
static int kept_now, kept_ever;
static void *keep_it(void *lender) {
  kept_now++;
  kept_ever++;
  return lender;
}
static void let_go(void *keeper) {
  (void)keeper;
  kept_now--;
}

static uint32_t expected;
static void check_order(side *s, const char *event) {
  if (!s->client || strcmp(event, "message") != 0) return;
  uint32_t number;
  memcpy(&number, s->last, sizeof number);
  if (number != expected) CHECK_INT(number, expected);
  expected++;
}

TEST(all_in_order) {
  static const size_t lengths[] = {4, 20000, 100, 16384, 16383, 70000, 5, 6};
  static char text[70000];
  party p;
  party_begin(&p);
  p.react = check_order;
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  expected = 0;
  kept_now = kept_ever = 0;
  ws_send_how how = {.keep = keep_it, .release = let_go, .lender = text};
  static char *copies[80]; /* kept ones must stay as they are */
  for (uint32_t i = 0; i < 80; i++) {
    size_t len = lengths[i % 8];
    copies[i] = calloc(1, len);
    memcpy(copies[i], &i, sizeof i);
    ws_connection_send(other->connection, WS_BINARY, copies[i], len,
                       i % 3 ? &how : NULL);
    if (i % 11 == 0) ws_loop_turn(p.loop, 0);
  }
  ws_connection_close(other->connection, 3000, NULL, 0);
  closed_with(s, 3000, true);
  CHECK_INT(s->messages, 80);
  CHECK_INT(expected, 80);
  CHECK(kept_ever > 10);
  closed_with(other, 3000, true);
  CHECK_INT(kept_now, 0);
  for (int i = 0; i < 80; i++) free(copies[i]);
  party_end(&p);
}

/* ----------------------------------------------------- kept, then the end */

/* However the connection ends, what was kept is released exactly once. */
TEST(kept_until_written_or_dropped) {
  static char block[1 << 20];
  for (int way = 0; way < 5; way++) {
    party p;
    party_begin(&p);
    if (way == 4) p.server_config->max_backpressure = 8 << 20;
    party_listen(&p);
    raw r = raw_open(&p);
    side *s = party_other(&p);
    kept_now = kept_ever = 0;
    ws_send_how how = {.keep = keep_it, .release = let_go, .lender = block};
    for (int i = 0; i < 20; i++)
      ws_connection_send(s->connection, WS_BINARY, block, sizeof block, &how);
    CHECK(kept_now > 0 && kept_now <= kept_ever);
    switch (way) {
      case 0: ws_connection_terminate(s->connection); break;
      case 1: ws_connection_fail(s->connection, WS_EPROTOCOL, NULL); break;
      case 2: ws_connection_release(s->connection), s->connection = NULL; break;
      case 3: ws_socket_reset_on_close(r.fd), raw_end(&r); break;
      default: break; /* over its limit by itself */
    }
    if (s->connection) PARTY_UNTIL(&p, s->closes, 1);
    if (r.fd != WS_FD_NONE) raw_end(&r);
    PARTY_UNTIL_THAT(&p, kept_now == 0);
    party_end(&p);
    CHECK_INT(kept_now, 0);
  }
}

static void *keep_and_close(void *lender) {
  ws_connection_close(lender, 1000, NULL, 0);
  return keep_it(lender);
}

static void *keep_and_terminate(void *lender) {
  ws_connection_terminate(lender);
  return keep_it(lender);
}

/* Keeping a payload may end the connection; then it is not sent. */
TEST(ended_while_it_is_kept) {
  static char block[30000];
  for (int way = 0; way < 2; way++) {
    party p;
    party_begin(&p);
    party_listen(&p);
    side *s = party_open(&p), *other = party_other(&p);
    kept_now = kept_ever = 0;
    ws_send_how how = {.keep = way ? keep_and_terminate : keep_and_close,
                       .release = let_go,
                       .lender = other->connection};
    CHECK_INT(ws_connection_send(other->connection, WS_BINARY, block,
                                 sizeof block, &how),
              WS_OK);
    CHECK_INT(kept_now, 0);
    CHECK_INT(kept_ever, 1);
    CHECK_INT(ws_connection_buffered(other->connection), sizeof block);
    closed_with(s, way ? TERMINATED : 1000, way == 0);
    closed_with(other, way ? TERMINATED : 1000, way == 0);
    CHECK_INT(s->messages, 0);
    CHECK_INT(ws_connection_buffered(other->connection), sizeof block);
    party_end(&p);
  }
}

/* ------------------------------------------------- peers that go away */

/* RST while sending: one error, one close; what could not be sent stays
 * counted (S106); sending on is harmless. */
TEST(reset_while_sending) {
  static char block[1 << 18];
  for (int inside = 0; inside <= 1; inside++) {
    party p;
    party_begin(&p);
    party_listen(&p);
    raw r = raw_open(&p);
    side *s = party_other(&p);
    for (int i = 0; i < 40; i++)
      ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
    ws_loop_turn(p.loop, 0);
    ws_socket_reset_on_close(r.fd);
    raw_end(&r);
    if (inside) /* its own write is the first to notice */
      ws_connection_send(s->connection, WS_BINARY, "x", 1, NULL);
    uint64_t counted = ws_connection_buffered(s->connection);
    CHECK(counted > 0);
    closed_with(s, TERMINATED, false);
    CHECK_INT(s->errors, 1);
    CHECK(s->status == WS_ECONNRESET || s->status == WS_EPIPE);
    CHECK_INT(ws_connection_buffered(s->connection), counted);
    ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
    CHECK_INT(ws_connection_buffered(s->connection), counted + sizeof block);
    for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
    CHECK_INT(s->errors + s->closes, 2);
    party_end(&p);
  }
}

/* The peer's Close had come before our write failed: the end is clean. */
TEST(its_close_counts_though_writing_failed) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  uint8_t bytes[20];
  size_t len = raw_put(bytes, 0x88, "\x03\xe9" "bye", 5);
  ws_slice all = {(const char *)bytes, len};
  CHECK_INT(ws_socket_write(r.fd, &all, 1), (ptrdiff_t)len);
  raw_end(&r);
  ws_connection_send(s->connection, WS_TEXT, "one", 3, NULL);
  ws_connection_send(s->connection, WS_TEXT, "two", 3, NULL);
  closed_with(s, 1001, true);
  CHECK(strcmp(s->reason, "bye") == 0);
  CHECK_INT(s->errors, 0);
  party_end(&p);
}

static bool stuck;
static ptrdiff_t write_unless_stuck(ws_stream *stream, const ws_slice *slices,
                                    size_t count) {
  if (stuck) return WS_EAGAIN;
  return ws_stream_write(stream->below, slices, count);
}

/* As many bytes as max_backpressure allows. */
#define FULL 102

/* A connection of the server for which that much waits, until it is no longer
 * stuck. */
static side *with_a_full_queue(party *p, raw *r) {
  static const ws_fault_plan none = {0};
  static ws_stream_kind sticky;
  static const char text[FULL - 2];
  p->server_config->max_backpressure = FULL;
  side *s = on_faulty(p, r, &none);
  raw_say(p, r, RAW_REQUEST);
  raw_read_until(p, r, "\r\n\r\n");
  r->len = 0;
  PARTY_UNTIL(p, s->opens, 1);
  ws_stream *stream = ws_connection_stream(s->connection);
  sticky = *stream->kind;
  sticky.write = write_unless_stuck;
  stream->kind = &sticky;
  stuck = true;
  ws_connection_send(s->connection, WS_BINARY, text, sizeof text, NULL);
  return s;
}

/* Where the peer closes, or sends what it must not. */
TEST(our_close_may_exceed_the_limit) {
  for (int bad = 0; bad <= 1; bad++) {
    party p;
    raw r;
    party_begin(&p);
    side *s = with_a_full_queue(&p, &r);
    uint8_t bytes[20];
    size_t len = raw_put(bytes, bad ? 0x87 : 0x88, "\x03\xea", 2);
    ws_slice all = {(const char *)bytes, len};
    CHECK_INT(ws_socket_write(r.fd, &all, 1), len);
    party_serve(&p);
    stuck = false;
    raw_read_to_end(&p, &r);
    CHECK_INT(r.len, FULL + 4);
    CHECK_BYTES(r.data + FULL, 4, "\x88\x02\x03\xea");
    closed_with(s, bad ? 1006 : 1002, !bad);
    CHECK_INT(s->status, bad ? WS_EPROTOCOL : WS_OK);
    raw_end(&r);
    party_end(&p);
  }
}

/* Nobody has sent too much. */
TEST(an_automatic_ping_may_exceed_the_limit) {
  party p;
  raw r;
  party_begin(&p);
  p.server_config->ping_interval = 20;
  p.server_config->ping_timeout = 1000;
  side *s = with_a_full_queue(&p, &r);
  virtual_clock += 20;
  party_serve(&p);
  stuck = false;
  raw_read(&p, &r, FULL + 10);
  CHECK_BYTES(r.data + FULL, 2, "\x89\x08");
  CHECK_INT(s->closes, 0);
  raw_end(&r);
  party_end(&p);
}

/* S108: no memory for a message: that connection ends, with one error. */
TEST(no_memory_to_send) {
  static char block[20000];
  for (int size = 0; size < 2; size++) {
    for (uint64_t n = 1; n <= 3; n++) {
      party p;
      party_begin(&p);
      party_listen(&p);
      side *s = party_open(&p), *other = party_other(&p);
      ws_memory_fail(n, 0);
      CHECK_INT(ws_connection_send(s->connection, WS_BINARY, block,
                                   size ? sizeof block : 10, NULL),
                WS_OK);
      CHECK_INT(s->errors + s->closes, 0); /* not inside the call */
      ws_loop_turn(p.loop, 0);
      ws_memory_fail(0, 0);
      PARTY_UNTIL_THAT(&p, s->messages + s->closes > 0);
      CHECK_INT(s->errors, s->closes);
      if (s->closes) PARTY_UNTIL(&p, other->closes, 1);
      if (s->closes) /* the side whose allocation failed has the error */
        CHECK((s->status == WS_ENOMEM) != (other->status == WS_ENOMEM));
      party_end(&p);
    }
  }
}

int main(void) {
  RUN(what_is_buffered);
  RUN(small_messages_are_buffered);
  RUN(drain_comes_when_it_was_asked_for);
  RUN(too_slow_a_reader);
  RUN(the_limit_is_for_what_is_not_taken);
  RUN(a_slow_reader_is_told);
  RUN(what_waits_is_packed);
  RUN(what_waits_is_not_corked);
  RUN(pings_of_someone_who_does_not_read);
  RUN(no_random_bytes_for_a_pong);
  RUN(all_in_order);
  RUN(kept_until_written_or_dropped);
  RUN(ended_while_it_is_kept);
  RUN(reset_while_sending);
  RUN(its_close_counts_though_writing_failed);
  RUN(our_close_may_exceed_the_limit);
  RUN(an_automatic_ping_may_exceed_the_limit);
  RUN(no_memory_to_send);
  return check_done();
}
