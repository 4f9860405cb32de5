/* SPDX-License-Identifier: MIT */
/* Answers to plain HTTP for a client that reads slowly, and for one that has
 * half-closed. Their deadlines are in test_connection_time.c. */
#include "connection/raw.h"
#include "transport/socket_system.h"

#define PIECE ((size_t)64 * 1024)
#define MOST ((size_t)1024 * 1024)

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static uint8_t pieces[4 * MOST];

static side *asked; /* the side whose request is complete, or NULL */

static void wait_with_it(void *owner) { asked = owner; }

static void leave_it(void *owner, const ws_http_head *head,
                     const ws_handshake_verdict *verdict) {
  (void)owner, (void)head, (void)verdict;
}

static void serve(party *p, ws_connection_events *events) {
  party_begin(p);
  *events = side_events;
  events->on_request = leave_it;
  events->on_body_end = wait_with_it;
  p->served = events;
  p->server_config->session.max_body = 100;
  asked = NULL;
  party_listen(p);
}

static size_t read_all(party *p, raw *r) {
  size_t total = 0;
  do {
    r->len = 0;
    raw_read(p, r, 1);
    total += r->len;
  } while (r->len > 0);
  return total;
}

/* ----------------------------------------------- only one direction left */

/* A client that half-closes before its answer is written gets nothing more. */
TEST(who_says_no_more_before_its_answer_is_gone) {
  static const char *const beginnings[] = {
      REQUEST, "GET / HTTP/1.1\r\nHost: a\r\n",
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbod", RAW_REQUEST};
  for (int i = 0; i < 4; i++) {
    party p;
    ws_connection_events events;
    serve(&p, &events);
    raw r = raw_connect(party_port(&p));
    raw_say(&p, &r, beginnings[i]);
    ws_socket_shutdown(r.fd);
    PARTY_UNTIL_THAT(&p, p.count == 1 && p.sides[0].gones == 1);
    CHECK((asked != NULL) == (i == 0));
    raw_read_to_end(&p, &r);
    CHECK_INT(r.len, 0);
    raw_end(&r);
    party_end(&p);
  }
}

/* But an answer that is already written reaches it. */
TEST(who_says_no_more_gets_what_is_written) {
  party p;
  ws_connection_events events;
  serve(&p, &events);
  raw r = raw_connect(party_port(&p));
  raw_say(&p, &r, REQUEST);
  PARTY_UNTIL_THAT(&p, asked != NULL);
  CHECK_INT(ws_connection_finish(asked->connection, pieces, sizeof pieces),
            WS_OK);
  ws_socket_shutdown(r.fd);
  CHECK_INT(read_all(&p, &r), sizeof pieces);
  PARTY_UNTIL(&p, asked->gones, 1);
  raw_end(&r);
  party_end(&p);
}

/* ------------------------------------------------------- backpressure */

/* A client that has asked and does not read; its buffer in the system is
 * small. */
static raw ask_and_stall(party *p, ws_connection_events *events) {
  int size = 65536;
  serve(p, events);
  p->server_config->max_backpressure = MOST;
  raw r = raw_connect(party_port(p));
  raw_say(p, &r, REQUEST);
  PARTY_UNTIL_THAT(p, asked != NULL);
  ws_fd fd = ws_stream_fd(ws_connection_stream(asked->connection));
  CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, (void *)&size, sizeof size),
            0);
  return r;
}

/* Writes pieces, within one turn or over several; returns how many were
 * taken. */
static size_t write_on(party *p, bool turning) {
  size_t taken = 0;
  while (ws_connection_write(asked->connection, pieces, PIECE) == WS_OK) {
    if (++taken == 1000) break;
    if (turning) ws_loop_turn(p->loop, 0);
  }
  CHECK(taken < 1000);
  return taken;
}

/* An owner that writes on although the client does not read is stopped: the
 * answer is cut, which the client can see, and nothing of it is kept. */
TEST(an_answer_that_piles_up_is_cut) {
  for (int way = 0; way < 4; way++) {
    bool open_ended = way / 2 == 1;
    party p;
    ws_connection_events events;
    raw r = ask_and_stall(&p, &events);
    if (open_ended) ws_connection_open_ended(asked->connection);
    size_t taken = write_on(&p, way % 2 == 0);
    CHECK(taken * PIECE > MOST);
    CHECK_INT(asked->gones, 0); /* not inside the call */
    CHECK_INT(ws_connection_write(asked->connection, "late", 4),
              WS_ECONNABORTED);
    CHECK_INT(ws_connection_finish(asked->connection, "late", 4),
              WS_ECONNABORTED);
    const char *why;
    CHECK_INT(ws_connection_failure(asked->connection, &why),
              WS_EBACKPRESSURE);
    CHECK(strstr(why, "maxBackpressure") != NULL);
    PARTY_UNTIL(&p, asked->gones, 1);
    CHECK(p.hub.first == NULL);
    size_t lost = taken * PIECE - read_all(&p, &r);
    CHECK(lost > MOST);
    /* A reset also drops what the system still had. */
    if (!open_ended) CHECK(lost <= MOST + PIECE);
    raw_end(&r);
    party_end(&p);
    CHECK_INT(asked->gones, 1);
  }
}

/* An owner that waits in between is not stopped, however long a piece is; nor
 * does the last piece stop it. */
TEST(a_long_piece_is_no_pile) {
  for (int once = 0; once <= 1; once++) {
    party p;
    ws_connection_events events;
    raw r = ask_and_stall(&p, &events);
    if (!once)
      CHECK_INT(ws_connection_write(asked->connection, pieces, sizeof pieces),
                WS_OK);
    CHECK_INT(ws_connection_finish(asked->connection, pieces, sizeof pieces),
              WS_OK);
    CHECK_INT(read_all(&p, &r), sizeof pieces * (once ? 1 : 2));
    PARTY_UNTIL(&p, asked->gones, 1);
    raw_end(&r);
    party_end(&p);
  }
}

/* Without a limit, everything is kept. */
TEST(without_a_limit_all_is_kept) {
  party p;
  ws_connection_events events;
  raw r = ask_and_stall(&p, &events);
  p.server_config->max_backpressure = 0;
  for (int i = 0; i < 100; i++)
    CHECK_INT(ws_connection_write(asked->connection, pieces, PIECE), WS_OK);
  CHECK_INT(ws_connection_finish(asked->connection, NULL, 0), WS_OK);
  CHECK_INT(read_all(&p, &r), 100 * PIECE);
  raw_end(&r);
  party_end(&p);
}

int main(void) {
  RUN(who_says_no_more_before_its_answer_is_gone);
  RUN(who_says_no_more_gets_what_is_written);
  RUN(an_answer_that_piles_up_is_cut);
  RUN(a_long_piece_is_no_pile);
  RUN(without_a_limit_all_is_kept);
  return check_done();
}
