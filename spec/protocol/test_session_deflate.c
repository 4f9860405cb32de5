/* SPDX-License-Identifier: MIT */
/* permessage-deflate in the whole life of a session: what the handshake agrees
 * on, messages both ways with every combination of parameters, and failures
 * (S161-S181, R37-R53). */
#include "protocol/session.h"

#include "deflate_peer.h"
#include "session_side.h"

#define ALL ((size_t)100000)
#define PMD "permessage-deflate"
#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\0"
#define AGAIN "\xf2\0\x11\0\0"

/* ------------------------------------------------------------- the pair */

static ws_deflate_pool client_pool, server_pool;
static side client, server;

static const ws_deflate_options off, on = {.enabled = true, .level = 6};

static void use(const ws_deflate_options *ours,
                const ws_deflate_options *theirs) {
  client_config.deflate = *ours;
  server_config.deflate = *theirs;
  client_config.pool = &client_pool;
  server_config.pool = &server_pool;
  ws_deflate_pool_init(&client_pool, wire_resize);
  ws_deflate_pool_init(&server_pool, wire_resize);
}

static void start(const ws_deflate_options *ours,
                  const ws_deflate_options *theirs) {
  use(ours, theirs);
  open_pair(&client, &server, ALL);
}

static void stop(void) {
  side_free(&client);
  side_free(&server);
  ws_deflate_pool_deinit(&client_pool);
  ws_deflate_pool_deinit(&server_pool);
  client_config.limits.max_payload = server_config.limits.max_payload = 0;
  CHECK_INT(wire_memory.blocks, 0);
}

static int say(side *it, const void *text, size_t len) {
  return ws_session_send(&it->session, WS_TEXT, text, len, &it->out);
}

static int say_hello(side *it) { return say(it, "Hello", 5); }

static bool agreed_is(const side *it, const char *expected) {
  ws_slice text = ws_session_extensions(&it->session);
  bool same = ws_slice_equal(text, ws_slice_of(expected));
  if (!same)
    fprintf(stderr, "agreed: %.*s\nnot:    %s\n", (int)text.len,
            text.data ? text.data : "", expected);
  return same;
}

/* Feeds a frame of a peer whose behaviour the test decides. */
static void peer_says(side *it, unsigned first, const void *data,
                      size_t len) {
  wire bytes = {0};
  wire_frame(&bytes, first, data, len, it == &server);
  (void)side_feed(it, bytes.data, bytes.len);
  wire_free(&bytes);
}

#define PEER_SAYS(it, first, literal) \
  peer_says(it, first, literal, sizeof(literal) - 1)

/* ------------------------------------------------------------ handshake */

TEST(what_is_agreed) {
  ws_deflate_options wish = on;
  start(&on, &on);
  CHECK(agreed_is(&client, PMD));
  CHECK(agreed_is(&server, PMD));
  stop();
  wish.server_no_context = true;
  wish.client_bits = 10;
  wish.server_bits = 12;
  start(&wish, &on);
  CHECK(agreed_is(&client, PMD "; server_no_context_takeover"
                               "; server_max_window_bits=12"
                               "; client_max_window_bits=10"));
  CHECK(ws_slice_equal(ws_session_extensions(&client.session),
                       ws_session_extensions(&server.session)));
  stop();
  start(&on, &wish);
  CHECK(agreed_is(&server, PMD "; server_no_context_takeover"
                               "; server_max_window_bits=12"
                               "; client_max_window_bits=10"));
  CHECK(ws_slice_equal(ws_session_extensions(&client.session),
                       ws_session_extensions(&server.session)));
  stop();
}

/* S163, R53: if one side does not want it, everything works without. */
TEST(nothing_is_agreed) {
  for (int way = 0; way < 3; way++) {
    start(way == 0 ? &on : &off, way == 1 ? &on : &off);
    CHECK(agreed_is(&client, ""));
    CHECK(agreed_is(&server, ""));
    CHECK(!ws_session_compresses(&client.session, 1000));
    CHECK(!ws_session_compresses(&server.session, 1000));
    CHECK_INT(say_hello(&server), WS_OK);
    SENT(&server, "\x81\5Hello");
    PEER_SAYS(&client, 0xc1, HELLO);
    EVENTS(&client, "fail EPROTOCOL ");
    PEER_SAYS(&server, 0xc1, HELLO);
    EVENTS(&server, "fail EPROTOCOL ");
    SENT(&server, "\x88\2\x03\xea"); /* 1002 */
    stop();
  }
}

/* A server's answer with this value of the header. */
static void answer(const char *value) {
  wire bytes = {0};
  char line[300];
  use(&on, &off);
  server_start(&server);
  CHECK_INT(client_start(&client, NULL, 0), WS_OK);
  side_move(&client, &server, ALL);
  EVENTS(&server, "request ");
  CHECK_INT(ws_session_accept(&server.session, (ws_slice){NULL, 0}, NULL, 0,
                              &server.out),
            WS_OK);
  wire_add(&bytes, server.out.data, server.out.len - 2);
  int len = snprintf(line, sizeof line,
                     "Sec-WebSocket-Extensions: %s\r\n\r\n", value);
  wire_add(&bytes, line, (size_t)len);
  (void)side_feed(&client, bytes.data, bytes.len);
  wire_free(&bytes);
}

TEST(answers_that_fail) { /* S164-S169: during the handshake, no Close */
  static const char *const values[] = {
      "permessage-foo", PMD "; unknown", PMD ", " PMD,
      PMD "; server_no_context_takeover=1", PMD "; client_max_window_bits",
      PMD "; server_max_window_bits=16", PMD "; client_max_window_bits=08"};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    answer(values[i]);
    EVENTS(&client, "fail EHANDSHAKE ");
    CHECK(strlen(client.why) > 10);
    CHECK_INT(client.out.len, 0);
    CHECK_INT(ws_session_state(&client.session), WS_CLOSED);
    CHECK(!ws_session_compresses(&client.session, 1000));
    stop();
  }
  answer(PMD "; server_max_window_bits = \"9\"");
  EVENTS(&client, "open ");
  CHECK(agreed_is(&client, PMD "; server_max_window_bits = \"9\""));
  PEER_SAYS(&client, 0xc1, HELLO);
  EVENTS(&client, "text(Hello) ");
  stop();
}

/* After an accept with bad arguments, a second one agrees on the same. */
TEST(accepting_twice) {
  ws_header bad = {text_slice("Bad Name"), text_slice("x")};
  use(&on, &on);
  server_start(&server);
  CHECK_INT(client_start(&client, NULL, 0), WS_OK);
  side_move(&client, &server, ALL);
  EVENTS(&server, "request ");
  CHECK_INT(ws_session_accept(&server.session, (ws_slice){NULL, 0}, &bad, 1,
                              &server.out),
            WS_EINVAL);
  CHECK(agreed_is(&server, ""));
  CHECK(!ws_session_compresses(&server.session, 1000));
  CHECK_INT(ws_session_accept(&server.session, (ws_slice){NULL, 0}, NULL, 0,
                              &server.out),
            WS_OK);
  CHECK(agreed_is(&server, PMD));
  side_move(&server, &client, 1);
  EVENTS(&client, "open ");
  CHECK(agreed_is(&client, PMD));
  stop();
}

/* ------------------------------------------------------------- messages */

TEST(hello_on_the_wire) { /* S171 */
  start(&on, &on);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(say_hello(&server), WS_OK);
    if (i == 0) SENT(&server, "\xc1\7" HELLO);
    else SENT(&server, "\xc1\5" AGAIN);
    CHECK_INT(say_hello(&client), WS_OK);
    CHECK_INT(client.out.data[0], 0xc1);
    CHECK_INT(client.out.data[1], 0x80 | (i == 0 ? 7 : 5));
    side_move(&client, &server, 1);
    EVENTS(&server, "text(Hello) ");
  }
  /* S162: Close, ping and pong are never compressed. */
  CHECK_INT(ws_session_control(&server.session, WS_PING, "p", 1, &server.out),
            WS_OK);
  CHECK_INT(ws_session_close(&server.session, 1000, "", 0, &server.out),
            WS_OK);
  SENT(&server, "\x89\1p\x88\2\x03\xe8");
  stop();
}

TEST(no_takeover_on_the_wire) { /* S165, S166, R43, R44 */
  ws_deflate_options wish = on;
  wish.server_no_context = true;
  start(&wish, &on);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(say_hello(&server), WS_OK);
    SENT(&server, "\xc1\7" HELLO);
    PEER_SAYS(&client, 0xc1, HELLO);
    EVENTS(&client, "text(Hello) ");
    /* The other direction is not affected. */
    if (i == 0) PEER_SAYS(&server, 0xc1, HELLO);
    else PEER_SAYS(&server, 0xc1, AGAIN);
    EVENTS(&server, "text(Hello) ");
  }
  stop();
}

TEST(short_messages_go_as_they_are) { /* S181 */
  ws_deflate_options from_five = on;
  from_five.threshold = 5;
  start(&on, &from_five);
  CHECK(!ws_session_compresses(&server.session, 4));
  CHECK(ws_session_compresses(&server.session, 5));
  CHECK_INT(say(&server, "Hell", 4), WS_OK);
  CHECK_INT(say_hello(&server), WS_OK);
  CHECK_INT(say(&server, "", 0), WS_OK);
  CHECK_INT(ws_session_send_plain(&server.session, WS_TEXT, "Hello", 5,
                                  &server.out),
            WS_OK);
  CHECK_INT(say_hello(&server), WS_OK);
  static const char all[] =
      "\x81\4Hell\xc1\7" HELLO "\x81\0\x81\5Hello\xc1\5" AGAIN;
  wire bytes = {0};
  wire_add(&bytes, all, sizeof all - 1);
  SENT(&server, "\x81\4Hell\xc1\7" HELLO "\x81\0\x81\5Hello\xc1\5" AGAIN);
  (void)side_feed(&client, bytes.data, bytes.len);
  EVENTS(&client,
         "text(Hell) text(Hello) text() text(Hello) text(Hello) ");
  wire_free(&bytes);
  stop();
}

/* S180, R52: a window of 8 bits is accepted, but then nothing is compressed. */
TEST(eight_bits) {
  ws_deflate_options eight = on;
  eight.server_bits = 8;
  start(&eight, &on);
  CHECK(agreed_is(&server, PMD "; server_max_window_bits=8"));
  CHECK(!ws_session_compresses(&server.session, 1000));
  CHECK(ws_session_compresses(&client.session, 1000));
  CHECK_INT(say_hello(&server), WS_OK);
  SENT(&server, "\x81\5Hello");
  stop();
  eight.server_bits = 0;
  eight.client_bits = 8;
  start(&eight, &on);
  CHECK(agreed_is(&server, PMD "; client_max_window_bits=8"));
  CHECK(!ws_session_compresses(&client.session, 1000));
  CHECK(ws_session_compresses(&server.session, 1000));
  PEER_SAYS(&server, 0xc1, HELLO);
  EVENTS(&server, "text(Hello) ");
  stop();
}

/* --------------------------------------------------- every combination */

/* Sends a message from one to the other, in steps. Returns whether it was
 * compressed. */
static bool hear(side *from, side *to, const wire *text, size_t step) {
  wire expected = {0};
  CHECK_INT(ws_session_send(&from->session, WS_BINARY, text->data, text->len,
                            &from->out),
            WS_OK);
  bool compressed = (from->out.data[0] & 0x40) != 0;
  side_move(from, to, step);
  wire_say(&expected, "binary");
  wire_say_bytes(&expected, text->data, text->len);
  CHECK(wire_same(&to->log, expected.data, expected.len));
  to->log.len = 0;
  wire_free(&expected);
  return compressed;
}

static void converse(unsigned server_bits, unsigned client_bits,
                     size_t turns) {
  static wire text;
  static const size_t steps[] = {ALL, 7, 61, ALL};
  for (size_t i = 0; i < turns; i++) {
    size_t len = i == 2 ? 0 : peer_random() % (i % 4 ? 200 : 3000);
    (i % 3 == 1 ? peer_noise : peer_words)(&text, len);
    CHECK_INT(hear(&server, &client, &text, steps[i % 4]), server_bits > 8);
    CHECK_INT(hear(&client, &server, &text, steps[i % 4]), client_bits > 8);
  }
  wire_free(&text);
}

static unsigned least(unsigned a, unsigned b) {
  a = a ? a : 15;
  b = b ? b : 15;
  return a < b ? a : b;
}

/* S161-S168, R37-R44: each side asks for any of the four parameters or not. */
TEST(every_combination) {
  static const uint8_t bits[] = {0, 8, 9, 12};
  for (unsigned i = 0; i < 4 * 16 * 16; i++) {
    ws_deflate_options ours = on, theirs = on;
    ours.level = theirs.level = 1;
    ours.server_no_context = i & 1;
    ours.client_no_context = i & 2;
    theirs.server_no_context = i / 4 & 1;
    theirs.client_no_context = i / 4 & 2;
    ours.server_bits = bits[i / 16 % 4];
    ours.client_bits = bits[i / 64 % 4];
    theirs.server_bits = bits[(i / 256 + i) % 4];
    theirs.client_bits = bits[(i / 256 + i / 4) % 4];
    start(&ours, &theirs);
    CHECK(ws_slice_equal(ws_session_extensions(&client.session),
                         ws_session_extensions(&server.session)));
    converse(least(ours.server_bits, theirs.server_bits),
             least(ours.client_bits, theirs.client_bits), 5);
    stop();
  }
}

TEST(long_conversations) {
  for (unsigned i = 0; i < 16; i++) {
    ws_deflate_options wish = on;
    wish.server_no_context = i & 1;
    wish.client_no_context = i & 2;
    wish.server_bits = i & 4 ? 10 : 0;
    wish.client_bits = i & 8 ? 9 : 0;
    start(&wish, &on);
    converse(wish.server_bits ? 10 : 15, wish.client_bits ? 9 : 15, 60);
    stop();
  }
}

/* ------------------------------------------------------------- failures */

TEST(failures) { /* S162, S176, S177, S178: the Close that says why */
  static const struct {
    unsigned first;
    const char *payload;
    size_t len;
    const char *event, *close;
  } rows[] = {
#define P(payload) payload, sizeof(payload) - 1
      {0xc1, P("\x06"), "fail EDEFLATE ", "\x88\2\x03\xef"},
      {0xc1, P(AGAIN), "fail EDEFLATE ", "\x88\2\x03\xef"},
      {0xc1, P("\0\1\0\xfe\xff\xff\0"), "fail EUTF8 ", "\x88\2\x03\xef"},
      {0xc2, P("\0\6\0\xf9\xff" "123456\0"), "fail ETOOBIG ",
       "\x88\2\x03\xf1"},
      {0xc0, P(HELLO), "fail EPROTOCOL ", "\x88\2\x03\xea"},
      {0xc9, P(""), "fail EPROTOCOL ", "\x88\2\x03\xea"},
      {0xa1, P(""), "fail EPROTOCOL ", "\x88\2\x03\xea"},
#undef P
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    server_config.limits.max_payload = 5;
    start(&on, &on);
    peer_says(&server, rows[i].first, rows[i].payload, rows[i].len);
    EVENTS(&server, rows[i].event);
    CHECK(side_sent(&server, rows[i].close, 4));
    CHECK_INT(ws_session_state(&server.session), WS_CLOSED);
    stop();
  }
}

/* S178: the limit itself is not too long, in any number of frames. */
TEST(limits) {
  server_config.limits.max_payload = 5;
  start(&on, &on);
  PEER_SAYS(&server, 0xc1, HELLO);
  PEER_SAYS(&server, 0x41, "\xf2\0");
  PEER_SAYS(&server, 0x80, "\x11\0\0");
  EVENTS(&server, "text(Hello) text(Hello) ");
  stop();
}

/* After our own Close, messages are not delivered, but their frames are still
 * parsed: the peer's Close after them is found. */
TEST(after_our_own_close) {
  start(&on, &on);
  CHECK_INT(ws_session_close(&server.session, 1000, "", 0, &server.out),
            WS_OK);
  PEER_SAYS(&server, 0xc1, HELLO);
  PEER_SAYS(&server, 0xc1, AGAIN);
  PEER_SAYS(&server, 0x41, "\xf2");
  PEER_SAYS(&server, 0x88, "\x03\xe8");
  EVENTS(&server, "close1000() ");
  CHECK(ws_session_clean(&server.session));
  CHECK_INT(say_hello(&server), WS_EINVAL);
  stop();
}

/* A bomb that will not be delivered is not expanded, nor is the rest of a
 * message that had begun: here, after the first half of a letter. */
TEST(nothing_is_expanded_after_our_own_close) { /* A52 */
  server_config.limits.max_payload = 5;
  start(&on, &on);
  PEER_SAYS(&server, 0x41, "\0\1\0\xfe\xff\xc3");
  CHECK_INT(ws_session_close(&server.session, 1000, "", 0, &server.out),
            WS_OK);
  PEER_SAYS(&server, 0x80, "\0\1\0\xfe\xff\xa9\0");
  PEER_SAYS(&server, 0xc2, "\0\6\0\xf9\xff" "123456\0");
  PEER_SAYS(&server, 0xc2, "\x06");
  PEER_SAYS(&server, 0x88, "\x03\xe8");
  EVENTS(&server, "close1000() ");
  CHECK(ws_session_clean(&server.session));
  stop();
}

/* The peer has not seen a message that could not be written, so later ones do
 * not refer to it. */
TEST(messages_that_were_not_sent) {
  uint8_t memory[64];
  ws_buffer small;
  wire text = {0};
  start(&on, &on);
  peer_noise(&text, 200);
  CHECK_INT(say_hello(&client), WS_OK);
  side_chance.broken = true;
  CHECK_INT(say(&client, text.data, text.len), WS_ERANDOM);
  side_chance.broken = false;
  side_move(&client, &server, ALL);
  EVENTS(&server, "text(Hello) ");
  (void)hear(&client, &server, &text, ALL);
  (void)hear(&client, &server, &text, ALL);
  ws_buffer_init_fixed(&small, memory, sizeof memory);
  CHECK_INT(ws_session_send(&server.session, WS_TEXT, text.data, text.len,
                            &small),
            WS_ETOOBIG);
  CHECK_INT(small.len, 0);
  (void)hear(&server, &client, &text, ALL);
  (void)hear(&server, &client, &text, ALL);
  CHECK_INT(ws_session_send(&server.session, WS_PING, "", 0, &small),
            WS_EINVAL);
  wire_free(&text);
  stop();
}

/* -------------------------------------------------------------- memory */

/* A session at rest holds only what the pool may keep; when the pool is gone,
 * nothing. */
TEST(at_rest) {
  wire text = {0};
  start(&on, &on);
  ws_buffer_deinit(&client.out);
  ws_buffer_deinit(&server.out);
  CHECK(wire_memory.held < 1000);
  size_t held = 0;
  for (int i = 0; i < 6; i++) {
    peer_words(&text, 5000);
    hear(&client, &server, &text, 99);
    hear(&server, &client, &text, 99);
    ws_event event;
    (void)ws_session_feed(&client.session, NULL, 0, &client.out, &event);
    (void)ws_session_feed(&server.session, NULL, 0, &server.out, &event);
    ws_buffer_deinit(&client.out);
    ws_buffer_deinit(&server.out);
    if (i == 1) held = wire_memory.held;
    if (i > 1) CHECK_INT(wire_memory.held, held);
  }
  wire_free(&text);
  stop();
}

TEST(freed_inside_a_message) {
  for (int way = 0; way < 3; way++) {
    start(&on, &on);
    PEER_SAYS(&server, 0x41, "\xf2\x48");
    PEER_SAYS(&client, 0xc1, HELLO);
    if (way == 1) PEER_SAYS(&server, 0x88, "");
    if (way == 2) PEER_SAYS(&server, 0x80, "\xff\xff\xff\xff");
    stop();
  }
}

/* A session's whole life while the n-th request for memory fails: the failure
 * is reported, and no memory is lost. True if one failed. */
static bool without_memory(size_t nth) {
  wire text = {0};
  bool good = true;
  peer_words(&text, 300);
  use(&on, &on);
  wire_memory_reset();
  wire_memory.fail_at = nth;
  server_start(&server);
  good = client_start(&client, NULL, 0) == WS_OK;
  if (good) side_move(&client, &server, ALL);
  good = good && !server.failed &&
         ws_session_accept(&server.session, (ws_slice){NULL, 0}, NULL, 0,
                           &server.out) == WS_OK;
  if (good) side_move(&server, &client, ALL);
  for (int i = 0; i < 3 && good && !client.failed && !server.failed; i++) {
    good = say(&client, text.data, text.len) == WS_OK;
    if (good) side_move(&client, &server, 50);
    good = good && !server.failed &&
           say(&server, text.data, text.len) == WS_OK;
    if (good) side_move(&server, &client, 50);
  }
  bool failed = wire_memory.fail_at == 0;
  wire_memory.fail_at = 0;
  CHECK_INT(failed, !good || client.failed || server.failed);
  if (!failed) {
    CHECK(agreed_is(&client, PMD));
    CHECK_INT(client.failed, false);
  }
  wire_free(&text);
  stop();
  return failed;
}

TEST(without_memory_anywhere) {
  size_t nth = 1;
  while (without_memory(nth)) nth++;
  CHECK(nth > 30);
}

int main(void) {
  RUN(what_is_agreed);
  RUN(nothing_is_agreed);
  RUN(answers_that_fail);
  RUN(accepting_twice);
  RUN(hello_on_the_wire);
  RUN(no_takeover_on_the_wire);
  RUN(short_messages_go_as_they_are);
  RUN(eight_bits);
  RUN(every_combination);
  RUN(long_conversations);
  RUN(failures);
  RUN(limits);
  RUN(after_our_own_close);
  RUN(nothing_is_expanded_after_our_own_close);
  RUN(messages_that_were_not_sent);
  RUN(at_rest);
  RUN(freed_inside_a_message);
  RUN(without_memory_anywhere);
  return check_done();
}
