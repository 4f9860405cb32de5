/* SPDX-License-Identifier: MIT */
/* A session after the handshake: a client and a server in memory talk, close
 * and fail, and each is fed what a peer must not send. */
#include "protocol/session.h"

#include "session_side.h"

static const size_t steps[] = {1, 2, 7, 100000};
#define STEPS (sizeof steps / sizeof *steps)

/* Feeds a frame of a peer whose behaviour the test decides to `it`. */
static size_t peer_sends(side *it, unsigned first, const void *data,
                         size_t len) {
  wire bytes = {0};
  wire_frame(&bytes, first, data, len,
             it->session.config == &server_config);
  size_t used = side_feed(it, bytes.data, bytes.len);
  CHECK(it->failed || used == bytes.len || used == 0);
  wire_free(&bytes);
  return used;
}

/* Opens one side alone; the other side of its pair is freed. */
static void open_one(side *it, bool server) {
  side other;
  if (server)
    open_pair(&other, it, 100000);
  else
    open_pair(it, &other, 100000);
  side_free(&other);
}

static int say(side *it, const char *text) {
  return ws_session_send(&it->session, WS_TEXT, text, strlen(text), &it->out);
}

static int close_it(side *it, unsigned code, const char *reason) {
  return ws_session_close(&it->session, code, reason, strlen(reason),
                          &it->out);
}

/* Whether this frame was sent. A client's is masked, so it is read back. */
static bool sent_frame(side *it, unsigned first, const void *payload,
                       size_t len) {
  ws_frame frame;
  ptrdiff_t head = ws_frame_decode(&frame, it->out.data, it->out.len);
  bool client = it->session.config == &client_config;
  if (head <= 0 || it->out.data[0] != first || frame.length != len ||
      frame.masked != client || it->out.len < (size_t)head + len)
    return false;
  uint8_t *body = it->out.data + head;
  for (size_t i = 0; client && i < len; i++)
    body[i] ^= frame.key[i % 4];
  bool same = len == 0 || memcmp(body, payload, len) == 0;
  ws_buffer_consume(&it->out, (size_t)head + len);
  return same;
}

#define SENT_FRAME(it, first, literal) \
  CHECK(sent_frame(it, first, literal, sizeof(literal) - 1))

/* --------------------------------------------------------- conversation */

/* S94, S110, S122, S130, S134: the same for every size of pieces. */
TEST(test_conversation) {
  static uint8_t big[70000];
  for (size_t i = 0; i < sizeof big; i++)
    big[i] = (uint8_t)(i * 31);
  wire first = {0};
  for (size_t s = 0; s < STEPS; s++) {
    side client, server;
    open_pair(&client, &server, steps[s]);
    say(&client, "hello");
    say(&client, "");
    ws_session_send(&client.session, WS_BINARY, big, sizeof big, &client.out);
    ws_session_control(&client.session, WS_PING, "p", 1, &client.out);
    say(&server, "welcome \xe2\x82\xac");
    ws_session_control(&server.session, WS_PONG, "", 0, &server.out);
    talk(&client, &server, steps[s]);
    ws_session_send(&server.session, WS_BINARY, big, sizeof big, &server.out);
    CHECK_INT(close_it(&server, 4000, "done"), WS_OK);
    talk(&client, &server, steps[s]);
    wire both = {0};
    wire_add(&both, server.log.data, server.log.len);
    wire_add(&both, client.log.data, client.log.len);
    wire_add(&both, "", 1);
    if (s == 0)
      wire_add(&first, both.data, both.len);
    CHECK(strcmp((char *)both.data, (char *)first.data) == 0);
    CHECK(ws_session_clean(&client.session));
    CHECK(ws_session_clean(&server.session));
    CHECK(ws_session_over(&client.session));
    CHECK(ws_session_over(&server.session));
    CHECK_INT(ws_session_state(&client.session), WS_CLOSING);
    wire_free(&both);
    side_free(&client);
    side_free(&server);
  }
  const char *log = (char *)first.data;
  CHECK(strncmp(log, "text(hello) text() binary(70000#", 32) == 0);
  CHECK(strstr(log, ") ping(p) close4000(done) text(welcome \xe2\x82\xac) "));
  CHECK(strstr(log, " pong() pong(p) binary(70000#"));
  CHECK(strstr(log, ") close4000(done) "));
  wire_free(&first);
  CHECK_INT(wire_memory.blocks, 0);
}

/* A35: a long frame is read straight into its place, through the session. There
 * is no such place before it or in other states. */
TEST(test_space) {
  side server;
  wire bytes = {0};
  static uint8_t payload[3000];
  size_t room = 0;
  server_start(&server);
  CHECK(!ws_session_space(&server.session, 1, &room));
  side_free(&server);
  open_one(&server, true);
  CHECK(!ws_session_space(&server.session, 1, &room));
  wire_frame(&bytes, 0x82, payload, sizeof payload, true);
  side_feed(&server, bytes.data, 108);
  uint8_t *space = ws_session_space(&server.session, 1000, &room);
  CHECK(space != NULL && room == 2900);
  memcpy(space, bytes.data + 108, 2900);
  ws_event event;
  CHECK_INT(ws_session_feed(&server.session, space, 2900, &server.out, &event),
            2900);
  CHECK_INT(event.type, WS_EVENT_MESSAGE);
  CHECK(event.len == 3000 && memcmp(event.data, payload, 3000) == 0);
  side_free(&server);
  wire_free(&bytes);
}

/* ----------------------------------------------------------------- pings */

/* S155: each ping is answered at once with its payload, also between fragments
 * (S152). */
TEST(test_pings_are_answered) {
  for (int is_server = 0; is_server < 2; is_server++) {
    side it;
    char longest[126];
    memset(longest, 'l', sizeof longest);
    open_one(&it, is_server != 0);
    peer_sends(&it, 0x89, "", 0);
    SENT_FRAME(&it, 0x8a, "");
    peer_sends(&it, 0x89, longest, 125);
    CHECK(sent_frame(&it, 0x8a, longest, 125));
    peer_sends(&it, 0x01, "a", 1);
    peer_sends(&it, 0x89, "mid", 3);
    SENT_FRAME(&it, 0x8a, "mid");
    it.log.len = 0;
    peer_sends(&it, 0x80, "b", 1);
    /* S156 */
    peer_sends(&it, 0x8a, "unasked", 7);
    EVENTS(&it, "text(ab) pong(unasked) ");
    SENT(&it, "");
    side_free(&it);
  }
}

/* A45: only the latest pong is kept; ten thousand pings cost nothing. */
TEST(test_pongs_held_back) {
  side it;
  open_one(&it, true);
  CHECK_INT(ws_session_hold_pong(&it.session, true, &it.out), WS_OK);
  wire_memory_reset();
  for (int i = 0; i < 10000; i++) {
    peer_sends(&it, 0x89, i % 2 ? "odd" : "an even number", i % 2 ? 3 : 14);
    it.log.len = 0;
  }
  SENT(&it, "");
  CHECK(wire_memory.calls <= 2);
  CHECK_INT(ws_session_hold_pong(&it.session, true, &it.out), WS_OK);
  SENT(&it, "");
  CHECK_INT(ws_session_hold_pong(&it.session, false, &it.out), WS_OK);
  SENT_FRAME(&it, 0x8a, "odd");
  SENT(&it, "");
  CHECK_INT(ws_session_hold_pong(&it.session, false, &it.out), WS_OK);
  SENT(&it, "");
  peer_sends(&it, 0x89, "x", 1);
  SENT_FRAME(&it, 0x8a, "x");
  /* An empty pong counts, too. */
  ws_session_hold_pong(&it.session, true, &it.out);
  peer_sends(&it, 0x89, "x", 1);
  peer_sends(&it, 0x89, "", 0);
  ws_session_hold_pong(&it.session, false, &it.out);
  SENT_FRAME(&it, 0x8a, "");
  SENT(&it, "");
  side_free(&it);
  CHECK_INT(wire_memory.blocks, 0);
}

/* S155: no pong after the peer's Close; S157: but after ours. */
TEST(test_held_pong_and_close) {
  side it;
  open_one(&it, true);
  ws_session_hold_pong(&it.session, true, &it.out);
  peer_sends(&it, 0x89, "x", 1);
  CHECK_INT(close_it(&it, 0, ""), WS_OK);
  SENT_FRAME(&it, 0x88, "");
  ws_session_hold_pong(&it.session, false, &it.out);
  SENT_FRAME(&it, 0x8a, "x");
  ws_session_hold_pong(&it.session, true, &it.out);
  peer_sends(&it, 0x89, "y", 1);
  peer_sends(&it, 0x88, "", 0);
  CHECK_INT(ws_session_hold_pong(&it.session, false, &it.out), WS_OK);
  SENT(&it, "");
  CHECK(ws_session_clean(&it.session));
  side_free(&it);
  CHECK_INT(wire_memory.blocks, 0);
}

/* ---------------------------------------------------------------- closing */

/* S112, S114, S120, S130, S131, R31: what is sent, and what comes back. */
TEST(test_closing_handshake) {
  static const struct {
    unsigned code;
    const char *reason, *event; /* the same on both sides: it is echoed */
  } list[] = {{0, "", "close1005() "},
              {1000, "", "close1000() "},
              {4999, "x", "close4999(x) "},
              {3000, "\xef\xbb\xbf", "close3000(\xef\xbb\xbf) "}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    for (size_t s = 0; s < STEPS; s++)
      for (int is_server = 0; is_server < 2; is_server++) {
        side client, server;
        open_pair(&client, &server, steps[s]);
        side *first = is_server ? &server : &client;
        side *second = is_server ? &client : &server;
        CHECK_INT(close_it(first, list[i].code, list[i].reason), WS_OK);
        CHECK_INT(ws_session_state(&first->session), WS_CLOSING);
        CHECK(!ws_session_clean(&first->session));
        CHECK(!ws_session_over(&first->session));
        side_move(first, second, steps[s]);
        EVENTS(second, list[i].event);
        CHECK(ws_session_clean(&second->session));
        CHECK(ws_session_over(&second->session));
        CHECK_INT(ws_session_state(&second->session), WS_CLOSING);
        side_move(second, first, steps[s]);
        EVENTS(first, list[i].event);
        CHECK(ws_session_clean(&first->session));
        CHECK(ws_session_over(&first->session));
        SENT(first, "");
        side_end(first);
        side_end(second);
        EVENTS(first, "");
        EVENTS(second, "");
        side_free(&client);
        side_free(&server);
      }
  CHECK_INT(wire_memory.blocks, 0);
}

/* S129, S141: both close at once, and each gets the other's Close. */
TEST(test_crossing_closes) {
  side client, server;
  wire late = {0};
  open_pair(&client, &server, 100000);
  close_it(&client, 4111, "local");
  close_it(&server, 4222, "remote");
  wire_add(&late, server.out.data, server.out.len);
  ws_buffer_consume(&server.out, server.out.len);
  side_move(&client, &server, 1);
  side_feed(&client, late.data, late.len);
  EVENTS(&client, "close4222(remote) ");
  EVENTS(&server, "close4111(local) ");
  SENT(&client, "");
  SENT(&server, "");
  CHECK(ws_session_clean(&client.session));
  CHECK(ws_session_clean(&server.session));
  side_free(&client);
  side_free(&server);
  wire_free(&late);
}

/* S123, S125: a second close writes nothing. */
TEST(test_closing_twice) {
  side it;
  open_one(&it, true);
  CHECK_INT(close_it(&it, 1000, ""), WS_OK);
  SENT(&it, "\x88\x02\x03\xe8");
  CHECK_INT(close_it(&it, 1001, "again"), WS_OK);
  SENT(&it, "");
  side_free(&it);
  open_one(&it, true);
  peer_sends(&it, 0x88, "\x03\xe9", 2);
  SENT(&it, "\x88\x02\x03\xe9");
  CHECK_INT(close_it(&it, 1000, ""), WS_OK);
  SENT(&it, "");
  side_free(&it);
}

/* S139, X11, A43: what follows the peer's Close is dropped, and the close stays
 * clean. */
TEST(test_after_the_peers_close) {
  for (int is_server = 0; is_server < 2; is_server++) {
    side it;
    open_one(&it, is_server != 0);
    peer_sends(&it, 0x81, "last", 4);
    peer_sends(&it, 0x88, "\x03\xe8", 2);
    SENT_FRAME(&it, 0x88, "\x03\xe8");
    EVENTS(&it, "text(last) close1000() ");
    peer_sends(&it, 0x81, "late", 4);
    peer_sends(&it, 0x88, "\x03\xe9", 2);
    peer_sends(&it, 0x89, "x", 1);
    CHECK_INT(side_feed(&it, "\xff\xff\xff garbage", 11), 11);
    EVENTS(&it, "");
    SENT(&it, "");
    CHECK(ws_session_clean(&it.session));
    CHECK_INT(ws_session_state(&it.session), WS_CLOSING);
    side_free(&it);
  }
}

/* S91, S157, R32, R33, A44: after our own Close, messages are checked but not
 * delivered, pings are answered, and the peer's Close ends it. */
TEST(test_after_our_own_close) {
  for (int is_server = 0; is_server < 2; is_server++) {
    side it;
    open_one(&it, is_server != 0);
    peer_sends(&it, 0x01, "begun ", 6);
    close_it(&it, 1000, "");
    ws_buffer_consume(&it.out, it.out.len);
    peer_sends(&it, 0x80, "before", 6);
    peer_sends(&it, 0x81, "late", 4);
    EVENTS(&it, "");
    peer_sends(&it, 0x89, "there?", 6);
    EVENTS(&it, "ping(there?) ");
    SENT_FRAME(&it, 0x8a, "there?");
    peer_sends(&it, 0x88, "\x03\xe8", 2);
    EVENTS(&it, "close1000() ");
    SENT(&it, "");
    CHECK(ws_session_clean(&it.session));
    side_free(&it);
    CHECK_INT(wire_memory.blocks, 0);
  }
}

/* Many dropped messages in one piece, then the Close. */
TEST(test_dropped_messages_in_one_piece) {
  side it;
  wire bytes = {0};
  open_one(&it, false);
  close_it(&it, 1000, "");
  for (int i = 0; i < 100; i++)
    wire_frame(&bytes, 0x81, "dropped", (size_t)i % 8, false);
  wire_frame(&bytes, 0x88, "\x03\xe8", 2, false);
  CHECK_INT(side_feed(&it, bytes.data, bytes.len), bytes.len);
  EVENTS(&it, "close1000() ");
  side_free(&it);
  wire_free(&bytes);
}

/* S142 */
TEST(test_close_inside_a_message) {
  side it;
  open_one(&it, false);
  peer_sends(&it, 0x01, "half", 4);
  peer_sends(&it, 0x88, "\x03\xe8", 2);
  EVENTS(&it, "close1000() ");
  CHECK(ws_session_clean(&it.session));
  side_free(&it);
  CHECK_INT(wire_memory.blocks, 0);
}

/* S132, S127, R35: the end without the peer's Close is not clean. */
TEST(test_end_without_close) {
  side it;
  open_one(&it, false);
  peer_sends(&it, 0x01, "half", 4);
  side_end(&it);
  EVENTS(&it, "");
  CHECK(!ws_session_clean(&it.session));
  side_free(&it);
  open_one(&it, true);
  close_it(&it, 1000, "");
  side_end(&it);
  CHECK(!ws_session_clean(&it.session));
  side_free(&it);
  CHECK_INT(wire_memory.blocks, 0);
}

/* S113, S117, S119: wrong arguments fail before anything happens. */
TEST(test_closing_wrongly) {
  static const unsigned codes[] = {1,    999,  1004, 1005,  1006,
                                   1015, 1016, 2999, 5000, 65536 + 1000};
  char reason[124];
  side it;
  memset(reason, 'r', sizeof reason);
  open_one(&it, true);
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    CHECK_INT(close_it(&it, codes[i], ""), WS_EINVAL);
  CHECK_INT(close_it(&it, 0, "why"), WS_EINVAL);
  CHECK_INT(ws_session_close(&it.session, 1000, reason, 124, &it.out),
            WS_EINVAL);
  CHECK_INT(ws_session_state(&it.session), WS_OPEN);
  SENT(&it, "");
  CHECK_INT(ws_session_close(&it.session, 1000, reason, 123, &it.out), WS_OK);
  side_free(&it);
}

/* ---------------------------------------------------------------- failing */

/* S133, S143, R30: the right Close, the event, and then nothing is taken. */
TEST(test_failures) {
  static const struct {
    const char *rule;
    unsigned first;
    const char *payload;
    const char *close, *event;
  } list[] = {
      {"S147", 0x83, "a", "\x03\xea", "fail EPROTOCOL "},
      {"S146", 0xc1, "a", "\x03\xea", "fail EPROTOCOL "},
      {"S151", 0x80, "a", "\x03\xea", "fail EPROTOCOL "},
      {"X20", 0x88, "\x03", "\x03\xea", "fail EPROTOCOL "},
      {"S137", 0x88, "\x03\xee", "\x03\xea", "fail EPROTOCOL "},
      {"S135", 0x88, "\x03\xe8\xff", "\x03\xef", "fail EUTF8 "},
      {"S153", 0x81, "\xff", "\x03\xef", "fail EUTF8 "},
      {"S158", 0x82, "above the limit of 32 in this spec",
       "\x03\xf1", "fail ETOOBIG "},
  };
  client_config.limits.max_payload = server_config.limits.max_payload = 32;
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    for (int is_server = 0; is_server < 2; is_server++) {
      side it;
      open_one(&it, is_server != 0);
      peer_sends(&it, list[i].first, list[i].payload,
                 strlen(list[i].payload));
      EVENTS(&it, list[i].event);
      CHECK(sent_frame(&it, 0x88, list[i].close, 2));
      SENT(&it, "");
      CHECK_INT(ws_session_state(&it.session), WS_CLOSED);
      CHECK(ws_session_over(&it.session));
      CHECK(it.why[0] != '\0');
      CHECK_INT(peer_sends(&it, 0x88, "\x03\xea", 2), 0);
      CHECK(!ws_session_clean(&it.session));
      CHECK_INT(close_it(&it, 1000, ""), WS_OK);
      CHECK_INT(say(&it, "x"), WS_EINVAL);
      side_end(&it);
      EVENTS(&it, "");
      SENT(&it, "");
      side_free(&it);
    }
  client_config.limits.max_payload = server_config.limits.max_payload = 0;
  CHECK_INT(wire_memory.blocks, 0);
}

/* S145, X16, R28, through the session. */
TEST(test_wrong_masking) {
  for (int is_server = 0; is_server < 2; is_server++) {
    side it;
    wire bytes = {0};
    open_one(&it, is_server != 0);
    wire_frame(&bytes, 0x81, "hi", 2, is_server == 0);
    side_feed(&it, bytes.data, bytes.len);
    EVENTS(&it, "fail EPROTOCOL ");
    SENT_FRAME(&it, 0x88, "\x03\xea");
    side_free(&it);
    wire_free(&bytes);
  }
}

/* S160: after our own Close, a failure sends no second one. */
TEST(test_failure_after_our_own_close) {
  side it;
  open_one(&it, true);
  close_it(&it, 1000, "");
  ws_buffer_consume(&it.out, it.out.len);
  peer_sends(&it, 0x81, "\xff", 1);
  EVENTS(&it, "fail EUTF8 ");
  SENT(&it, "");
  CHECK(!ws_session_clean(&it.session));
  CHECK_INT(ws_session_state(&it.session), WS_CLOSED);
  side_free(&it);
}

/* S95: complete messages before the failure are delivered first. */
TEST(test_message_before_failure) {
  side it;
  open_one(&it, false);
  side_feed(&it, "\x81\x02ok\x82\x01x\x83\x00", 9);
  EVENTS(&it, "text(ok) binary(x) fail EPROTOCOL ");
  side_free(&it);
}

/* ---------------------------------------------------------------- sending */

/* S98, S128, S160, R33: what may be sent in which state. */
TEST(test_what_may_be_sent_when) {
  side it;
  ws_session *session = &it.session;
  CHECK_INT(client_start(&it, NULL, 0), WS_OK);
  ws_buffer_consume(&it.out, it.out.len);
  CHECK_INT(say(&it, "early"), WS_EINVAL);
  CHECK_INT(ws_session_control(session, WS_PING, "", 0, &it.out), WS_EINVAL);
  CHECK_INT(ws_session_control(session, WS_PONG, "", 0, &it.out), WS_EINVAL);
  SENT(&it, "");
  side_free(&it);
  open_one(&it, true);
  CHECK_INT(ws_session_send(session, WS_CONTINUATION, "", 0, &it.out),
            WS_EINVAL);
  CHECK_INT(ws_session_send(session, WS_PING, "", 0, &it.out), WS_EINVAL);
  CHECK_INT(ws_session_control(session, WS_TEXT, "", 0, &it.out), WS_EINVAL);
  CHECK_INT(ws_session_control(session, WS_CLOSE, "", 0, &it.out), WS_EINVAL);
  char longer[126] = {0};
  CHECK_INT(ws_session_control(session, WS_PING, longer, 126, &it.out),
            WS_EINVAL);
  SENT(&it, "");
  CHECK_INT(ws_session_control(session, WS_PING, longer, 125, &it.out), WS_OK);
  ws_buffer_consume(&it.out, it.out.len);
  close_it(&it, 1000, "");
  ws_buffer_consume(&it.out, it.out.len);
  CHECK_INT(say(&it, "late"), WS_EINVAL);
  CHECK_INT(ws_session_control(session, WS_PING, "", 0, &it.out), WS_EINVAL);
  SENT(&it, "");
  CHECK_INT(ws_session_control(session, WS_PONG, "", 0, &it.out), WS_OK);
  SENT(&it, "\x8a\x00");
  peer_sends(&it, 0x88, "\x03\xe8", 2);
  CHECK_INT(ws_session_control(session, WS_PONG, "", 0, &it.out), WS_EINVAL);
  SENT(&it, "");
  side_free(&it);
}

/* A48, S144: without random bytes no frame is sent, not even an answer. */
TEST(test_without_random) {
  side it;
  open_one(&it, false);
  side_chance.broken = true;
  CHECK_INT(say(&it, "x"), WS_ERANDOM);
  CHECK_INT(close_it(&it, 1000, ""), WS_ERANDOM);
  CHECK_INT(ws_session_state(&it.session), WS_OPEN);
  SENT(&it, "");
  peer_sends(&it, 0x89, "x", 1);
  EVENTS(&it, "fail ERANDOM ");
  SENT(&it, "");
  CHECK_INT(ws_session_state(&it.session), WS_CLOSED);
  side_chance.broken = false;
  side_free(&it);
}

/* Without room for an answer, the session fails; a peer's Close then counts as
 * not answered. */
TEST(test_answers_without_room) {
  for (int i = 0; i < 2; i++) {
    side it;
    open_one(&it, true);
    ws_buffer_deinit(&it.out);
    uint8_t memory[3];
    ws_buffer_init_fixed(&it.out, memory, sizeof memory);
    if (i == 0)
      peer_sends(&it, 0x89, "longer", 6);
    else
      peer_sends(&it, 0x88, "\x03\xe8", 2);
    CHECK(it.failed);
    CHECK_INT(it.out.len, 0);
    CHECK(!ws_session_clean(&it.session));
    CHECK_INT(ws_session_state(&it.session), WS_CLOSED);
    side_free(&it);
  }
  CHECK_INT(wire_memory.blocks, 0);
}

/* A96: an open session in which each request for memory fails in turn. */
static bool talk_without_memory(size_t nth) {
  static uint8_t big[9000];
  side client, server;
  open_pair(&client, &server, 100000);
  ws_session_hold_pong(&server.session, true, &server.out);
  wire_memory_reset();
  wire_memory.fail_at = nth;
  ws_session_send(&client.session, WS_BINARY, big, sizeof big, &client.out);
  ws_session_control(&client.session, WS_PING, "p", 1, &client.out);
  side_move(&client, &server, 1000);
  ws_session_hold_pong(&server.session, false, &server.out);
  ws_session_send(&server.session, WS_BINARY, big, sizeof big, &server.out);
  ws_session_close(&server.session, 1000, NULL, 0, &server.out);
  talk(&client, &server, 1000);
  bool clean = ws_session_clean(&client.session) &&
               ws_session_clean(&server.session);
  bool reached = wire_memory.fail_at == 0;
  CHECK(clean || reached);
  wire_memory.fail_at = 0;
  side_free(&client);
  side_free(&server);
  CHECK_INT(wire_memory.blocks, 0);
  return reached;
}

TEST(test_without_memory) {
  size_t nth = 1;
  while (talk_without_memory(nth))
    nth++;
  CHECK(nth > 4);
}

/* A session at rest holds no memory, on either side. */
TEST(test_at_rest) {
  side client, server;
  open_pair(&client, &server, 7);
  for (int i = 0; i < 3; i++) {
    say(&client, "a message in pieces");
    talk(&client, &server, 3);
    say(&server, "another");
    talk(&client, &server, 3);
  }
  ws_buffer_deinit(&client.out);
  ws_buffer_deinit(&server.out);
  CHECK_INT(wire_memory.blocks, 0);
  CHECK_INT(ws_session_protocol(&client.session).len, 0);
  side_free(&client);
  side_free(&server);
}

static bool dry_after(side *it, const void *data, size_t len,
                      ws_event_type told) {
  ws_event event;
  CHECK_INT(ws_session_feed(&it->session, wire_piece(data, len), len,
                            &it->out, &event),
            len);
  CHECK_INT(event.type, told);
  return ws_session_dry(&it->session);
}

/* One more call frees what was kept of pieces. */
TEST(test_dry) {
  side it;
  open_one(&it, false);
  CHECK(dry_after(&it, "\x82\1a", 3, WS_EVENT_MESSAGE));
  CHECK(dry_after(&it, "\2\1a", 3, WS_EVENT_NONE));
  CHECK(!dry_after(&it, "\x80\1b", 3, WS_EVENT_MESSAGE));
  CHECK(dry_after(&it, "", 0, WS_EVENT_NONE));
  dry_after(&it, "\x8a\2a", 3, WS_EVENT_NONE);
  CHECK(!dry_after(&it, "b", 1, WS_EVENT_PONG));
  CHECK(dry_after(&it, "", 0, WS_EVENT_NONE));
  side_free(&it);
  CHECK_INT(wire_memory.blocks, 0);
}

int main(void) {
  RUN(test_conversation);
  RUN(test_space);
  RUN(test_pings_are_answered);
  RUN(test_pongs_held_back);
  RUN(test_held_pong_and_close);
  RUN(test_closing_handshake);
  RUN(test_crossing_closes);
  RUN(test_closing_twice);
  RUN(test_after_the_peers_close);
  RUN(test_after_our_own_close);
  RUN(test_dropped_messages_in_one_piece);
  RUN(test_close_inside_a_message);
  RUN(test_end_without_close);
  RUN(test_closing_wrongly);
  RUN(test_failures);
  RUN(test_wrong_masking);
  RUN(test_failure_after_our_own_close);
  RUN(test_message_before_failure);
  RUN(test_what_may_be_sent_when);
  RUN(test_without_random);
  RUN(test_answers_without_room);
  RUN(test_without_memory);
  RUN(test_at_rest);
  RUN(test_dry);
  return check_done();
}
