/* SPDX-License-Identifier: MIT */
/* Input: in pieces, in floods, too much, or ending half-way. There is one error
 * at most, then one close, and what came before them is delivered. */
#include "connection/raw.h"
#include "transport/socket_system.h"

static void ended(side *s, int status, unsigned code, bool clean) {
  PARTY_UNTIL(s->party, s->closes, 1);
  CHECK_INT(s->closes, 1);
  CHECK_INT(s->errors, status != WS_OK);
  CHECK_INT(s->status, status);
  CHECK_INT(s->code, code);
  CHECK_INT(s->clean, clean);
}

/* S159: byte by byte gives the same as one read. */
TEST(one_byte_at_a_time) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  uint8_t bytes[100];
  size_t len = raw_put(bytes, 0x01, "Hel", 3);
  len += raw_put(bytes + len, 0x89, "ping", 4);
  len += raw_put(bytes + len, 0x80, "lo", 2);
  for (size_t i = 0; i < len; i++) CHECK(raw_write(&p, &r, &bytes[i], 1));
  raw_read(&p, &r, 13);
  CHECK_BYTES(r.data, r.len, "\x8a\x04ping\x81\x05Hello");
  raw_end(&r);
  party_end(&p);
}

TEST(many_in_one_read) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  uint8_t bytes[20000];
  size_t len = 0;
  for (int i = 0; i < 2000; i++) len += raw_put(bytes + len, 0x82, "abc", 3);
  CHECK(raw_write(&p, &r, bytes, len));
  raw_read(&p, &r, 2000 * 5);
  CHECK_INT(r.len, 2000 * 5);
  CHECK_INT(party_other(&p)->messages, 2000);
  raw_end(&r);
  party_end(&p);
}

/* -------------------------------------------------------------- limits */

/* S158: the limit itself is allowed; one byte more is 1009, known from the
 * header. */
TEST(as_long_as_allowed) {
  static const struct {
    const char *bytes;
    size_t len;
    bool good;
  } cases[] = {
      {"\x82\x85\0\0\0\0abcde", 11, true},
      {"\x82\x86\0\0\0\0", 6, false}, /* no payload byte is needed */
      {"\x02\x83\0\0\0\0abc\x80\x82\0\0\0\0de", 17, true},
      {"\x02\x83\0\0\0\0abc\x80\x83\0\0\0\0", 15, false},
      {"\x89\x86\0\0\0\0abcdef", 12, true}, /* pings are not limited */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    party p;
    party_begin(&p);
    p.server_config->session.limits.max_payload = 5;
    party_listen(&p);
    raw r = raw_open(&p);
    side *s = party_other(&p);
    CHECK(raw_write(&p, &r, cases[i].bytes, cases[i].len));
    if (cases[i].good) {
      PARTY_UNTIL_THAT(&p, s->messages + s->pings == 1);
      CHECK_INT(s->errors, 0);
    } else {
      ended(s, WS_ETOOBIG, 1006, false);
      raw_read_to_end(&p, &r);
      CHECK_BYTES(r.data, r.len, "\x88\x02\x03\xf1");
      CHECK_INT(s->messages, 0);
    }
    raw_end(&r);
    party_end(&p);
  }
}

#define FLOOD 30000

/* However many frames one read brings, other connections are served. */
TEST(a_flood_of_tiny_frames) {
  static uint8_t flood[FLOOD * 6];
  party p;
  party_begin(&p);
  p.echo = false;
  party_listen(&p);
  side *calm = party_open(&p), *calm_other = party_other(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  for (size_t i = 0; i < FLOOD; i++) raw_put(flood + i * 6, 0x82, "", 0);
  ws_slice rest = {(const char *)flood, sizeof flood};
  party_send(calm, "me too");
  time_t until = real_seconds() + PATIENCE;
  unsigned most = 0, before_calm = 0;
  while (s->messages < FLOOD && real_seconds() < until) {
    ptrdiff_t wrote = rest.len ? ws_socket_write(r.fd, &rest, 1) : 0;
    if (wrote > 0) rest.data += wrote, rest.len -= (size_t)wrote;
    unsigned before = s->messages;
    ws_loop_turn(p.loop, 5);
    if (s->messages - before > most) most = s->messages - before;
    if (calm_other->messages == 0) before_calm = s->messages;
  }
  CHECK_INT(s->messages, FLOOD); /* none is lost */
  CHECK(most > 0 && most <= 2500);
  CHECK(before_calm <= 5000);
  CHECK_INT(s->errors, 0);
  raw_end(&r);
  party_end(&p);
}

/* --------------------------------------------------------------- endings */

/* S95: what was complete before the end is delivered, then the end. R35 */
TEST(messages_before_the_end) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  uint8_t bytes[100];
  size_t len = raw_put(bytes, 0x81, "one", 3);
  len += raw_put(bytes + len, 0x81, "two", 3);
  len += raw_put(bytes + len, 0x01, "not whole", 9);
  ws_slice all = {(const char *)bytes, len};
  CHECK_INT(ws_socket_write(r.fd, &all, 1), (ptrdiff_t)len);
  ws_socket_shutdown(r.fd);
  ended(s, WS_ECONNRESET, 1006, false);
  CHECK_INT(s->messages, 2);
  raw_end(&r);
  party_end(&p);
}

/* A peer that half-closes right after its Close still gets ours. */
TEST(half_closed_behind_its_close) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  uint8_t bytes[100];
  size_t len = raw_put(bytes, 0x81, "last", 4);
  len += raw_put(bytes + len, 0x88, "\x03\xe8", 2);
  ws_slice all = {(const char *)bytes, len};
  CHECK_INT(ws_socket_write(r.fd, &all, 1), (ptrdiff_t)len);
  ws_socket_shutdown(r.fd);
  ended(s, WS_OK, 1000, true);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "\x81\x04last\x88\x02\x03\xe8");
  raw_end(&r);
  party_end(&p);
}

/* So does one that has yet to read much of what was sent before. */
TEST(half_closed_with_much_to_read) {
  static char much[8 << 20];
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  ws_connection_send(s->connection, WS_BINARY, much, sizeof much, NULL);
  CHECK(raw_write(&p, &r, "\x88\x82\0\0\0\0\x03\xe8", 8));
  ws_socket_shutdown(r.fd);
  party_rest(&p);
  CHECK_INT(s->closes, 0);
  size_t total = 0;
  do {
    r.len = 0;
    raw_read(&p, &r, 4);
    total += r.len;
  } while (!r.ended);
  CHECK_INT(total, 10 + sizeof much + 4);
  ended(s, WS_OK, 1000, true);
  CHECK(p.hub.first == NULL);
  raw_end(&r);
  party_end(&p);
}

/* If it goes instead, or just does not read, that is no failure: both have said
 * that they close. */
TEST(half_closed_and_gone) {
  static char much[8 << 20];
  for (int goes = 0; goes <= 1; goes++) {
    party p;
    party_begin(&p);
    p.server_config->close_timeout = 300;
    party_listen(&p);
    raw r = raw_open(&p);
    side *s = party_other(&p);
    ws_connection_send(s->connection, WS_BINARY, much, sizeof much, NULL);
    CHECK(raw_write(&p, &r, "\x88\x82\0\0\0\0\x03\xe8", 8));
    ws_socket_shutdown(r.fd);
    party_rest(&p);
    CHECK_INT(s->closes, 0);
    if (goes) raw_end(&r);
    else party_pass(&p, 3 * 300); /* the system may yet have taken more */
    ended(s, WS_OK, 1000, true);
    CHECK(p.hub.first == NULL);
    if (!goes) raw_end(&r);
    party_end(&p);
  }
}

/* S139: what follows a Close is not looked at. */
TEST(noise_behind_a_close) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  uint8_t bytes[100];
  size_t len = raw_put(bytes, 0x88, "\x0f\xa0", 2);
  len += raw_put(bytes + len, 0x81, "too late", 8);
  memset(bytes + len, 0xff, 20);
  CHECK(raw_write(&p, &r, bytes, len + 20));
  ended(s, WS_OK, 4000, true);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "\x88\x02\x0f\xa0");
  CHECK_INT(s->messages, 0);
  raw_end(&r);
  party_end(&p);
}

TEST(a_reset) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  ws_socket_reset_on_close(r.fd);
  raw_end(&r);
  ended(s, WS_ECONNRESET, 1006, false);
  for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(s->errors + s->closes, 2); /* and no other events */
  party_end(&p);
}

/* A peer that goes after it got its Close is dropped, not read again and
 * again. */
TEST(gone_while_it_lingers) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  CHECK(raw_write(&p, &r, "\xff\xff", 2));
  ended(s, WS_EPROTOCOL, 1006, false);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "\x88\x02\x03\xea");
  raw_end(&r);
  PARTY_UNTIL_THAT(&p, p.hub.first == NULL);
  party_end(&p);
}

/* While reading is paused, a peer that goes causes no activity; afterwards it
 * is noticed. */
TEST(gone_while_paused) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  ws_connection_pause(s->connection, WS_PAUSE_USER, true);
  ws_socket_reset_on_close(r.fd);
  raw_end(&r);
  party_await_input(s);
  CHECK(party_pass(&p, 60000) < 5);
  CHECK_INT(s->errors + s->closes, 0);
  ws_connection_pause(s->connection, WS_PAUSE_USER, false);
  ended(s, WS_ECONNRESET, 1006, false);
  party_end(&p);
}

/* -------------------------------------------------------------- pausing */

TEST(pausing_holds_the_peer_back) {
  party p;
  party_begin(&p);
  party_listen(&p);
  p.echo = false;
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_pause(other->connection, WS_PAUSE_USER, true);
  ws_connection_pause(other->connection, WS_PAUSE_QUEUE, true);
  party_send(s, "one");
  for (int i = 0; i < 20; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(other->messages, 0);
  ws_connection_pause(other->connection, WS_PAUSE_USER, false);
  for (int i = 0; i < 20; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(other->messages, 0); /* it is still paused for the other reason */
  ws_connection_pause(other->connection, WS_PAUSE_QUEUE, false);
  PARTY_UNTIL(&p, other->messages, 1);
  party_end(&p);
}

static void pause_at_third(side *s, const char *event) {
  if (!s->client && strcmp(event, "message") == 0 && s->messages == 3)
    ws_connection_pause(s->connection, WS_PAUSE_USER, true);
}

/* Of nine messages in one write, three are delivered at once and the others
 * after the pause. */
static void read_on_after_pause(party *p, raw *r, side *s) {
  uint8_t bytes[200];
  size_t len = 0;
  for (int i = 0; i < 9; i++) len += raw_put(bytes + len, 0x81, "m", 1);
  CHECK(raw_write(p, r, bytes, len));
  for (int i = 0; i < 20; i++) ws_loop_turn(p->loop, 1);
  CHECK_INT(s->messages, 3);
  ws_connection_pause(s->connection, WS_PAUSE_USER, false);
  PARTY_UNTIL(p, s->messages, 9);
}

/* A pause in the middle of a read: the other messages wait, none is lost. */
TEST(pausing_in_the_middle_of_a_read) {
  party p;
  party_begin(&p);
  p.react = pause_at_third;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  read_on_after_pause(&p, &r, s);
  raw_end(&r);
  party_end(&p);
}

static struct {
  uint8_t data[1000];
  size_t at, len;
} held;

/* Like TLS: takes all there is from below, and returns one frame per read. */
static ptrdiff_t read_held(ws_stream *stream, uint8_t *data, size_t len) {
  if (held.at == held.len) {
    ptrdiff_t got = ws_stream_read(stream->below, held.data, sizeof held.data);
    if (got < 0) return got;
    held.at = 0;
    held.len = (size_t)got;
  }
  size_t most = held.len - held.at < len ? held.len - held.at : len;
  size_t take = most < 7 ? most : 7;
  memcpy(data, held.data + held.at, take);
  held.at += take;
  return (ptrdiff_t)take;
}

/* No descriptor announces those bytes. */
TEST(resuming_reads_what_a_filter_holds) {
  party p;
  party_begin(&p);
  p.react = pause_at_third;
  ws_fd ends[2];
  side *s = party_side(&p, false);
  CHECK_INT(ws_socket_pair(ends), WS_OK);
  raw r = {.fd = ends[0]};
  s->connection = ws_connection_new(&p.hub, p.server_config, &side_events, s);
  ws_fault_plan none = {0};
  ws_stream *stream = ws_stream_fault_new(ws_stream_tcp_new(ends[1]), &none);
  ws_stream_kind holding = *stream->kind;
  holding.read = read_held;
  stream->kind = &holding;
  CHECK_INT(ws_connection_attach(s->connection, stream), WS_OK);
  raw_say(&p, &r, RAW_REQUEST);
  PARTY_UNTIL(&p, s->opens, 1);
  read_on_after_pause(&p, &r, s);
  raw_end(&r);
  party_end(&p);
}

/* ----------------------------------------------- requests that wait */

static side *asked;
static void keep_waiting(void *owner, const ws_http_head *head,
                         const ws_handshake_verdict *verdict) {
  (void)head, (void)verdict;
  asked = owner;
}

static void accept_it(void) {
  CHECK_INT(ws_connection_accept(asked->connection, (ws_slice){NULL, 0}, NULL,
                                 0),
            WS_OK);
}

/* R21: frames that came with the request are the first frames. */
TEST(frames_before_the_answer) {
  ws_connection_events events = side_events;
  for (int late = 0; late <= 1; late++) {
    party p;
    uint8_t bytes[400];
    party_begin(&p);
    events.on_request = late ? keep_waiting : NULL;
    p.served = &events;
    party_listen(&p);
    raw r = raw_connect(party_port(&p));
    size_t len = strlen(RAW_REQUEST);
    memcpy(bytes, RAW_REQUEST, len);
    len += raw_put(bytes + len, 0x81, "early", 5);
    asked = NULL;
    CHECK(raw_write(&p, &r, bytes, len));
    if (late) {
      PARTY_UNTIL_THAT(&p, asked != NULL);
      raw_frame(&p, &r, 0x81, "later");
      CHECK_INT(p.sides[0].messages + p.sides[0].opens, 0);
      accept_it();
      CHECK_INT(p.sides[0].opens, 0); /* not inside the call */
    }
    PARTY_UNTIL(&p, p.sides[0].messages, late ? 2 : 1);
    CHECK_INT(p.sides[0].opens, 1);
    raw_end(&r);
    party_end(&p);
  }
}

/* A client that sends much before it is answered is held back, and nothing is
 * lost. */
TEST(much_before_the_answer) {
  static uint8_t frames[65 * 1000 * 10];
  ws_connection_events events = side_events;
  party p;
  party_begin(&p);
  events.on_request = keep_waiting;
  p.served = &events;
  p.echo = false;
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  asked = NULL;
  raw_say(&p, &r, RAW_REQUEST);
  PARTY_UNTIL_THAT(&p, asked != NULL);
  size_t len = 0, taken = 0;
  static char text[64000];
  for (int i = 0; i < 10; i++) len += raw_put(frames + len, 0x82, text, 64000);
  for (int rounds = 0; rounds < 100; rounds++) {
    ws_slice rest = {(const char *)frames + taken, len - taken};
    ptrdiff_t wrote = rest.len ? ws_socket_write(r.fd, &rest, 1) : 0;
    if (wrote > 0) taken += (size_t)wrote;
    ws_loop_turn(p.loop, 0);
  }
  accept_it();
  ws_slice rest = {(const char *)frames + taken, len - taken};
  CHECK(raw_write(&p, &r, rest.data, rest.len));
  PARTY_UNTIL(&p, asked->messages, 10);
  CHECK_INT(asked->bytes, 640000);
  raw_end(&r);
  party_end(&p);
}

/* No more than 16 KiB are kept, whether they come with the request or behind
 * it; the rest stays with the system. */
TEST(little_is_kept_before_the_answer) {
  static char bytes[60000], left[60000];
  ws_connection_events events = side_events;
  for (int together = 0; together <= 1; together++) {
    party p;
    party_begin(&p);
    events.on_request = keep_waiting;
    p.served = &events;
    party_listen(&p);
    raw r = raw_connect(party_port(&p));
    asked = NULL;
    memcpy(bytes, RAW_REQUEST, strlen(RAW_REQUEST));
    ws_slice all = {bytes, together ? sizeof bytes : strlen(RAW_REQUEST)};
    PARTY_UNTIL(&p, p.count, 1);
    CHECK_INT(ws_socket_write(r.fd, &all, 1), all.len);
    PARTY_UNTIL_THAT(&p, asked != NULL);
    if (!together) CHECK(raw_write(&p, &r, bytes, sizeof bytes));
    party_rest(&p);
    ws_fd fd = ws_stream_fd(ws_connection_stream(asked->connection));
    long most = 16384 + (together ? (long)strlen(RAW_REQUEST) : 0);
    PARTY_UNTIL_THAT(&p, recv(fd, left, sizeof left, MSG_PEEK) >=
                             (long)sizeof bytes - most);
    raw_end(&r);
    party_end(&p);
  }
}

/* The client goes before it is answered: nothing opens, and answering does no
 * harm. */
TEST(gone_before_the_answer) {
  ws_connection_events events = side_events;
  for (int reset = 0; reset <= 1; reset++) {
    party p;
    party_begin(&p);
    events.on_request = keep_waiting;
    p.served = &events;
    party_listen(&p);
    raw r = raw_connect(party_port(&p));
    asked = NULL;
    raw_say(&p, &r, RAW_REQUEST);
    PARTY_UNTIL_THAT(&p, asked != NULL);
    if (reset) ws_socket_reset_on_close(r.fd);
    raw_end(&r);
    PARTY_UNTIL(&p, asked->gones, 1);
    CHECK_INT(asked->opens + asked->errors + asked->closes, 0);
    ws_slice none = {NULL, 0};
    CHECK_INT(ws_connection_accept(asked->connection, none, NULL, 0),
              WS_ECONNABORTED);
    CHECK_INT(ws_connection_refuse(asked->connection, 403, none, NULL, 0),
              WS_ECONNABORTED);
    ws_connection_finish(asked->connection, NULL, 0);
    party_end(&p);
  }
}

/* A client that was accepted outside a turn is quicker than the task that tells
 * its owner: what it sends, or its end, still comes after on_open. */
TEST(a_client_quicker_than_its_opening) {
  static const struct {
    ws_slice sends; /* nothing: it ends the connection */
    unsigned messages, code;
  } cases[] = {{{"\x81\x85\0\0\0\0quick", 11}, 1, TERMINATED},
               {{"\x88\x82\0\0\0\0\x03\xe8", 8}, 0, 1000},
               {{NULL, 0}, 0, TERMINATED}};
  ws_connection_events events = side_events;
  events.on_request = keep_waiting;
  for (int i = 0; i < 3; i++) {
    party p;
    party_begin(&p);
    p.served = &events;
    party_listen(&p);
    raw r = raw_connect(party_port(&p));
    asked = NULL;
    raw_say(&p, &r, RAW_REQUEST);
    PARTY_UNTIL_THAT(&p, asked != NULL);
    accept_it();
    ws_slice sends = cases[i].sends;
    if (sends.len == 0) ws_socket_shutdown(r.fd);
    else CHECK_INT(ws_socket_write(r.fd, &sends, 1), sends.len);
    party_await_input(asked);
    PARTY_UNTIL(&p, asked->opens, 1);
    CHECK_INT(asked->messages, cases[i].messages);
    raw_end(&r);
    closed_with(asked, cases[i].code, cases[i].code == 1000);
    CHECK_INT(asked->gones, 0);
    party_end(&p);
  }
}

/* ------------------------------------------------------ any stream at all */

/* Writes a handshake, a fragmented message with a ping inside, a long message
 * and a Close. */
static size_t conversation(uint8_t *into) {
  static char text[3000];
  size_t len = strlen(RAW_REQUEST);
  memset(text, 'a', sizeof text);
  memcpy(into, RAW_REQUEST, len);
  len += raw_put(into + len, 0x01, "Hel", 3);
  len += raw_put(into + len, 0x89, "?", 1);
  len += raw_put(into + len, 0x80, "lo", 2);
  len += raw_put(into + len, 0x82, text, sizeof text);
  len += raw_put(into + len, 0x88, "\x03\xe8", 2);
  return len;
}

/* S159: short reads, short writes and "again" change nothing. */
TEST(through_any_stream) {
  static const ws_fault_plan plans[] = {
      {.read_most = 1},   {.read_most = 7},
      {.write_most = 1},  {.read_most = 3, .write_most = 2},
      {.again_every = 2}, {.read_most = 100, .write_most = 100,
                           .again_every = 3},
  };
  uint8_t bytes[8000];
  char answer[70000];
  size_t answer_len = 0;
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
    party p;
    raw r;
    party_begin(&p);
    side *s = on_faulty(&p, &r, &plans[i]);
    CHECK(raw_write(&p, &r, bytes, conversation(bytes)));
    raw_read_to_end(&p, &r);
    ended(s, WS_OK, 1000, true);
    CHECK_INT(s->messages, 2);
    CHECK(raw_has(&r, "\r\n\r\n\x8a\x01?\x81\x05Hello\x82\x7e"));
    if (i == 0) {
      memcpy(answer, r.data, r.len);
      answer_len = r.len;
    }
    CHECK(r.len == answer_len && memcmp(r.data, answer, r.len) == 0);
    raw_end(&r);
    party_end(&p);
  }
}

/* Reads until neither side has anything more to send. */
static void raw_read_all(party *p, raw *r) {
  for (int idle = 0; idle < 2 && !r->ended;) {
    int served = ws_loop_turn(p->loop, 5);
    ptrdiff_t got =
        ws_socket_read(r->fd, r->data + r->len, sizeof r->data - r->len);
    if (got > 0) r->len += (size_t)got;
    else if (got != WS_EAGAIN) r->ended = true;
    idle = served == 0 && got < 0 ? idle + 1 : 0;
  }
}

/* Every read and every write fails once: this gives one error and one close, or
 * a clean end when only the very last call failed. */
TEST(every_call_fails_once) {
  static const int statuses[] = {WS_ECONNRESET, WS_EPIPE, WS_ESYSTEM};
  uint8_t bytes[8000];
  unsigned failures = 0;
  for (size_t n = 0; n < 2 * 3 * 12; n++) {
    ws_fault_plan plan = {.read_most = 600, .write_most = 400,
                          .status = statuses[n % 3]};
    if (n / 3 % 2) plan.fail_read = n / 6 + 1;
    else plan.fail_write = n / 6 + 1;
    party p;
    raw r;
    party_begin(&p);
    side *s = on_faulty(&p, &r, &plan);
    raw_write(&p, &r, bytes, conversation(bytes));
    raw_read_all(&p, &r);
    raw_end(&r);
    PARTY_UNTIL_THAT(&p, s->closes + s->gones == 1);
    CHECK(s->opens == 1 || s->closes == 0);
    CHECK(s->errors <= 1);
    CHECK(s->gones == 1 || s->clean == (s->errors == 0));
    if (s->errors) failures++;
    party_end(&p);
  }
  CHECK(failures > 10);
}

/* ---------------------------------------------- a poller that refuses */

static void pause_and_close(side *s, const char *event) {
  if (strcmp(event, "message") != 0) return;
  ws_connection_pause(s->connection, WS_PAUSE_USER, true);
  party_refusing = true;
  ws_connection_close(s->connection, 1000, NULL, 0);
  party_refusing = false;
}

/* A connection that cannot be watched any more is dead at once: it loses its
 * stream. */
TEST(closing_where_it_cannot_be_watched) {
  party p;
  party_begin_refusable(&p);
  p.echo = false;
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  other->react = pause_and_close;
  party_send(s, "close");
  ended(other, WS_ENOMEM, TERMINATED, false);
  PARTY_UNTIL(&p, s->closes, 1);
  party_end(&p);
}

TEST(resuming_where_it_cannot_be_watched) {
  party p;
  party_begin_refusable(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  ws_connection_pause(s->connection, WS_PAUSE_USER, true);
  party_refusing = true;
  ws_connection_pause(s->connection, WS_PAUSE_USER, false);
  party_refusing = false;
  ended(s, WS_ENOMEM, TERMINATED, false);
  raw_end(&r);
  party_end(&p);
}

TEST(beginning_where_it_cannot_be_watched) {
  party p;
  raw r;
  party_begin_refusable(&p);
  party_refusing = true;
  side *s = on_faulty(&p, &r, &(ws_fault_plan){0});
  party_refusing = false;
  PARTY_UNTIL(&p, s->gones, 1);
  CHECK_INT(s->errors + s->closes, 0);
  raw_end(&r);
  party_end(&p);
}

int main(void) {
  RUN(one_byte_at_a_time);
  RUN(many_in_one_read);
  RUN(as_long_as_allowed);
  RUN(a_flood_of_tiny_frames);
  RUN(messages_before_the_end);
  RUN(half_closed_behind_its_close);
  RUN(half_closed_with_much_to_read);
  RUN(half_closed_and_gone);
  RUN(noise_behind_a_close);
  RUN(a_reset);
  RUN(gone_while_it_lingers);
  RUN(gone_while_paused);
  RUN(pausing_holds_the_peer_back);
  RUN(pausing_in_the_middle_of_a_read);
  RUN(resuming_reads_what_a_filter_holds);
  RUN(frames_before_the_answer);
  RUN(much_before_the_answer);
  RUN(little_is_kept_before_the_answer);
  RUN(gone_before_the_answer);
  RUN(a_client_quicker_than_its_opening);
  RUN(through_any_stream);
  RUN(every_call_fails_once);
  RUN(closing_where_it_cannot_be_watched);
  RUN(resuming_where_it_cannot_be_watched);
  RUN(beginning_where_it_cannot_be_watched);
  return check_done();
}
