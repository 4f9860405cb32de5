/* SPDX-License-Identifier: MIT */
/* Opening as a client: what goes out, and one clear failure for everything
 * that can go wrong on the way. */
#include "connection/raw.h"

#include <stdatomic.h>

static void failed(side *s, int status, const char *words) {
  PARTY_UNTIL(s->party, s->closes, 1);
  CHECK_INT(s->errors, 1);
  CHECK_INT(s->closes, 1);
  CHECK_INT(s->opens, 0);
  CHECK_INT(s->status, status);
  CHECK_INT(s->code, 1006); /* S68 */
  CHECK(!s->clean);
  if (!strstr(s->why, words)) {
    fprintf(stderr, "  it said: %s\n", s->why);
    CHECK(strstr(s->why, words) != NULL);
  }
}

/* What the server answers with `answer` makes of the client. */
static void answered_with(const char *answer, int status, const char *words) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  side *s = connect_to_port(&p, a.port);
  raw r = raw_take(&p, &a);
  raw_read(&p, &r, 100);
  raw_say(&p, &r, answer);
  ws_socket_shutdown(r.fd);
  failed(s, status, words);
  raw_end(&r);
  ws_socket_close(a.listener);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(the_request) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  connect_to_port(&p, a.port);
  raw r = raw_take(&p, &a);
  raw_read_until(&p, &r, "\r\n\r\n");
  CHECK(strncmp(r.data, "GET /path?q=1 HTTP/1.1\r\n", 24) == 0);
  CHECK(raw_has(&r, "\r\nUpgrade: websocket\r\n"));
  CHECK(raw_has(&r, "\r\nSec-WebSocket-Version: 13\r\n"));
  raw_end(&r);
  ws_socket_close(a.listener);
  party_end(&p);
}

TEST(refused) {
  party p;
  acceptor a = accept_here(0);
  ws_socket_close(a.listener);
  party_begin(&p);
  failed(connect_to_port(&p, a.port), WS_ECONNREFUSED, "tcp: ");
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(an_answer_that_is_no_websocket) {
  answered_with("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnowhere",
                WS_EHANDSHAKE, "404 Not Found: nowhere");
}

TEST(an_answer_that_is_no_http) {
  answered_with("SSH-2.0-OpenSSH_9.2\r\n\r\n", WS_EHANDSHAKE,
                "HTTP");
}

TEST(no_answer_at_all) {
  answered_with("", WS_EHANDSHAKE,
                "http: the server ended the connection without an answer");
  answered_with("HTTP/1.1 101 Swi", WS_EHANDSHAKE,
                "http: the server ended the connection inside its answer");
}

TEST(a_wrong_accept_value) {
  answered_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                WS_EHANDSHAKE, "Accept");
}

/* One deadline over everything: a server that never answers, a name that is
 * never found, a host that is not there, a server that drips. */
TEST(a_silent_server) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  p.client_config->open_timeout = 100;
  side *s = connect_to_port(&p, a.port);
  raw r = raw_take(&p, &a);
  raw_read(&p, &r, 100);
  PARTY_AFTER(&p, 100, s->closes);
  failed(s, WS_ETIMEDOUT, "http: ");
  raw_end(&r);
  ws_socket_close(a.listener);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

static atomic_bool answer_at_last;
static void slow_answer(const char *host, uint16_t port, int family,
                        ws_lookup *lookup) {
  (void)host, (void)port, (void)family;
  while (!answer_at_last) usleep(1000);
  lookup->status = WS_ENOTFOUND;
}

TEST(a_name_server_that_takes_its_time) {
  party p;
  party_begin(&p);
  p.client_config->open_timeout = 60;
  answer_at_last = false;
  ws_resolver_replace(slow_answer);
  side *s = party_connect_to(&p, "ws://slow.test/");
  PARTY_AFTER(&p, 60, s->closes);
  failed(s, WS_ETIMEDOUT, "name: ");
  answer_at_last = true;
  for (int i = 0; i < 10; i++) ws_loop_turn(p.loop, 5);
  CHECK_INT(s->errors + s->closes, 2); /* nothing came of the answer */
  party_end(&p);
  ws_resolver_replace(NULL);
  party_memory_returns();
}

/* A listener whose queue is full answers nothing: as a dead route does. */
TEST(a_host_that_is_not_there) {
  party p;
  raw fillers[4];
  acceptor a = accept_here(1);
  party_begin(&p);
  for (int i = 0; i < 4; i++) fillers[i] = raw_connect(a.port);
  p.client_config->open_timeout = 80;
  side *s = connect_to_port(&p, a.port);
  PARTY_AFTER(&p, 80, s->closes);
  failed(s, WS_ETIMEDOUT, "tcp: ");
  for (int i = 0; i < 4; i++) raw_end(&fillers[i]);
  ws_socket_close(a.listener);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(a_dripping_server) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  p.client_config->open_timeout = 100;
  side *s = connect_to_port(&p, a.port);
  raw r = raw_take(&p, &a);
  raw_read(&p, &r, 100);
  raw_heard(&p, &r, "HTTP/1.1 101 x\r\n");
  for (int i = 0; i < 9; i++) {
    party_pass(&p, 10);
    raw_heard(&p, &r, "X: y\r\n");
  }
  PARTY_AFTER(&p, 10, s->closes);
  failed(s, WS_ETIMEDOUT, "http: ");
  raw_end(&r);
  ws_socket_close(a.listener);
  party_end(&p);
}

/* close() while CONNECTING: S119; terminate() there too. */
TEST(given_up_while_connecting) {
  for (int turns = 0; turns < 5; turns++) {
    party p;
    acceptor a = accept_here(0);
    party_begin(&p);
    side *s = connect_to_port(&p, a.port);
    for (int i = 0; i < turns; i++) ws_loop_turn(p.loop, 5);
    ws_connection_close(s->connection, 0, NULL, 0);
    CHECK_INT(ws_connection_state(s->connection), WS_CLOSING);
    CHECK_INT(s->errors + s->closes, 0); /* not inside the call */
    failed(s, WS_ECONNABORTED, "");
    ws_socket_close(a.listener);
    party_end(&p);
    CHECK_INT(ws_memory_live(), 0);
  }
}

TEST(released_while_connecting) {
  for (int turns = 0; turns < 5; turns++) {
    party p;
    acceptor a = accept_here(0);
    party_begin(&p);
    side *s = connect_to_port(&p, a.port);
    for (int i = 0; i < turns; i++) ws_loop_turn(p.loop, 5);
    ws_connection_release(s->connection);
    s->connection = NULL;
    ws_loop_turn(p.loop, 5);
    CHECK_INT(s->errors + s->closes, 0);
    ws_socket_close(a.listener);
    party_end(&p);
    CHECK_INT(ws_memory_live(), 0);
  }
}

TEST(what_may_not_be_sent) {
  party p;
  ws_url url;
  const char *why;
  ws_connection *c;
  party_begin(&p);
  ws_url_parse(&url, ws_slice_of("wss://127.0.0.1/"), ws_memory_resize, &why);
  ws_client_options options = {.url = &url};
  CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options, &side_events,
                              &p, &c),
            WS_EINVAL); /* wss without TLS */
  url.secure = false;
  ws_header bad[] = {{ws_slice_of("X"), ws_slice_of("a\r\nInjected: b")},
                     {ws_slice_of("X y"), ws_slice_of("a")},
                     {ws_slice_of("Host"), ws_slice_of("other")}};
  for (int i = 0; i < 3; i++) {
    options.headers = &bad[i];
    options.header_count = 1;
    CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options,
                                &side_events, &p, &c),
              WS_EINVAL);
  }
  ws_url_deinit(&url);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* Failing at the n-th allocation, for every n: an error to the caller or an
 * event, and nothing left. */
TEST(without_memory) {
  int told = 0, opened = 0;
  for (uint64_t n = 1; n < 400 && opened < 3; n++) {
    party p;
    ws_url url;
    const char *why;
    char text[64];
    party_begin(&p);
    party_listen(&p);
    snprintf(text, sizeof text, "ws://127.0.0.1:%u/", party_port(&p));
    ws_url_parse(&url, ws_slice_of(text), ws_memory_resize, &why);
    side *s = party_side(&p, true);
    ws_client_options options = {.url = &url};
    ws_memory_fail(n, 0);
    int status = ws_client_connect(&p.hub, p.client_config, &options,
                                   &side_events, s, &s->connection);
    if (status == WS_OK) {
      PARTY_UNTIL(&p, s->opens + s->closes, 1);
    }
    ws_memory_fail(0, 0);
    if (status != WS_OK) CHECK_INT(status, WS_ENOMEM);
    if (status != WS_OK || s->closes > 0) told++;
    else opened++;
    ws_url_deinit(&url);
    party_end(&p);
    CHECK_INT(ws_memory_live(), 0);
  }
  CHECK(told > 5);
  CHECK_INT(opened, 3);
}

int main(void) {
  RUN(the_request);
  RUN(refused);
  RUN(an_answer_that_is_no_websocket);
  RUN(an_answer_that_is_no_http);
  RUN(no_answer_at_all);
  RUN(a_wrong_accept_value);
  RUN(a_silent_server);
  RUN(a_name_server_that_takes_its_time);
  RUN(a_host_that_is_not_there);
  RUN(a_dripping_server);
  RUN(given_up_while_connecting);
  RUN(released_while_connecting);
  RUN(what_may_not_be_sent);
  RUN(without_memory);
  return check_done();
}
