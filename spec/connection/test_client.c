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

/* Checks what becomes of a client that gets this answer. */
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

/* A text that repeats one letter. */
static ws_slice letters(char *room, size_t len, char letter) {
  memset(room, letter, len);
  room[len] = 0;
  return (ws_slice){room, len};
}

/* The client keeps all of these in one block, which must not move, whatever
 * its length. */
static void ask_for(size_t path_len) {
  char path[4001], origin[101], first[101], second[101], name[101], value[101];
  char text[4100];
  const char *why;
  party p;
  ws_url url;
  acceptor a = accept_here(0);
  party_begin(&p);
  letters(path, path_len, 'p');
  snprintf(text, sizeof text, "ws://user:password@127.0.0.1:%u/%s", a.port,
           path);
  CHECK_INT(ws_url_parse(&url, ws_slice_of(text), ws_memory_resize, &why),
            WS_OK);
  ws_slice protocols[] = {letters(first, 100, 'f'), letters(second, 100, 's')};
  ws_header header = {letters(name, 100, 'N'), letters(value, 100, 'v')};
  ws_client_options options = {.url = &url,
                               .protocols = protocols,
                               .protocol_count = 2,
                               .headers = &header,
                               .header_count = 1,
                               .origin = letters(origin, 100, 'o')};
  side *s = party_side(&p, true);
  CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options, &side_events,
                              s, &s->connection),
            WS_OK);
  ws_url_deinit(&url);
  raw r = raw_take(&p, &a);
  raw_read_until(&p, &r, "\r\n\r\n");
  snprintf(text, sizeof text, "GET /%s HTTP/1.1\r\n", path);
  CHECK(raw_has(&r, text));
  snprintf(text, sizeof text, "\r\nSec-WebSocket-Protocol: %s, %s\r\n",
           first, second);
  CHECK(raw_has(&r, text));
  snprintf(text, sizeof text, "\r\n%s: %s\r\n", name, value);
  CHECK(raw_has(&r, text));
  snprintf(text, sizeof text, "\r\nOrigin: %s\r\n", origin);
  CHECK(raw_has(&r, text));
  CHECK(raw_has(&r, "\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n"));
  raw_end(&r);
  ws_socket_close(a.listener);
  party_end(&p);
}

TEST(what_is_asked_for_is_kept_whole) {
  for (size_t len = 3400; len < 3600; len += 8) ask_for(len);
}

/* Asks that proxy for a host that only it knows. */
static side *by_proxy(party *p, const acceptor *proxy, ws_client_proxy how) {
  ws_url url;
  const char *why;
  CHECK_INT(ws_url_parse(&url, ws_slice_of("ws://elsewhere.test/"),
                         ws_memory_resize, &why),
            WS_OK);
  how.host = ws_slice_of("127.0.0.1");
  how.port = proxy->port;
  side *s = party_side(p, true);
  ws_client_options options = {.url = &url, .proxy = how};
  CHECK_INT(ws_client_connect(&p->hub, p->client_config, &options,
                              &side_events, s, &s->connection),
            WS_OK);
  ws_url_deinit(&url);
  return s;
}

TEST(what_the_proxy_is_told_is_kept_too) {
  party p;
  char user[] = "joe", password[] = "secret";
  acceptor a = accept_here(0);
  party_begin(&p);
  by_proxy(&p, &a,
           (ws_client_proxy){.kind = WS_TUNNEL_HTTP,
                             .has_user = true,
                             .user = ws_slice_of(user),
                             .password = ws_slice_of(password)});
  memset(user, 'x', strlen(user));
  memset(password, 'x', strlen(password));
  raw r = raw_take(&p, &a);
  raw_read_until(&p, &r, "\r\n\r\n");
  CHECK(raw_has(&r, "CONNECT elsewhere.test:80 HTTP/1.1\r\n"));
  CHECK(raw_has(&r, "\r\nProxy-Authorization: Basic am9lOnNlY3JldA==\r\n"));
  raw_end(&r);
  ws_socket_close(a.listener);
  party_end(&p);
}

/* It does not wait to be asked, and the host behind it does not either: all
 * there is to read was read when the tunnel opened. */
TEST(a_proxy_that_is_too_quick) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  side *s = by_proxy(&p, &a, (ws_client_proxy){.kind = WS_TUNNEL_HTTP});
  raw r = raw_take(&p, &a);
  ws_slice both = ws_slice_of("HTTP/1.1 200 OK\r\n\r\n"
                              "HTTP/1.1 403 Forbidden\r\n"
                              "Content-Length: 0\r\n\r\n");
  CHECK_INT(ws_socket_write(r.fd, &both, 1), both.len);
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->status, WS_EHANDSHAKE);
  CHECK(strstr(s->why, "403 Forbidden"));
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
                "http: the server ended the connection within its answer");
}

TEST(a_wrong_accept_value) {
  answered_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                WS_EHANDSHAKE, "Accept");
}

/* One deadline for everything: a server that never answers, a name that is
 * never found, a host that is not there, a server that answers byte by byte. */
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
  CHECK_INT(s->errors + s->closes, 2); /* the answer caused no more events */
  party_end(&p);
  ws_resolver_replace(NULL);
}

/* A listener with a full queue does not answer, like a dead route. */
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
  }
}

/* ---------------------------------------------------------- redirects */

static atomic_uint asked;
static void find_here(const char *host, uint16_t port, int family,
                      ws_lookup *lookup) {
  (void)family;
  bool known = strcmp(host, "elsewhere.test") == 0;
  asked++;
  lookup->status = known ? WS_OK : WS_ENOTFOUND;
  lookup->count = known;
  ws_address_parse(&lookup->addresses[0], ws_slice_of("127.0.0.1"), port);
}

/* A client that follows a redirect, and the server that it asks first. */
static side *asking(party *p, acceptor *first, raw *r) {
  p->redirects = 1;
  side *s = connect_to_port(p, first->port);
  *r = raw_take(p, first);
  raw_read_until(p, r, "\r\n\r\n");
  return s;
}

static void redirect(party *p, raw *r, const char *to) {
  char answer[300];
  snprintf(answer, sizeof answer,
           "HTTP/1.1 302 Found\r\nLocation: %s\r\n"
           "Content-Length: 0\r\n\r\n", to);
  raw_say(p, r, answer);
}

static side *redirected(party *p, acceptor *first, raw *r, const char *to) {
  side *s = asking(p, first, r);
  redirect(p, r, to);
  return s;
}

/* Name, port, path and Host header are those of the redirect's target. */
TEST(a_redirect_to_another_host) {
  party p;
  raw r;
  char url[100], host[100];
  acceptor a = accept_here(0), b = accept_here(0);
  party_begin(&p);
  ws_resolver_replace(find_here);
  snprintf(url, sizeof url, "ws://elsewhere.test:%u/other?q=2", b.port);
  snprintf(host, sizeof host, "\r\nHost: elsewhere.test:%u\r\n", b.port);
  asked = 0;
  redirected(&p, &a, &r, url);
  raw q = raw_take(&p, &b);
  raw_read_until(&p, &q, "\r\n\r\n");
  CHECK(raw_has(&q, "GET /other?q=2 HTTP/1.1\r\n"));
  CHECK(raw_has(&q, host));
  CHECK_INT(asked, 1);
  raw_end(&r);
  raw_end(&q);
  ws_socket_close(a.listener);
  ws_socket_close(b.listener);
  party_end(&p);
  ws_resolver_replace(NULL);
}

TEST(a_redirect_to_a_host_that_is_not_there) {
  party p;
  raw r, fillers[4];
  char url[64];
  acceptor a = accept_here(0), dead = accept_here(1);
  party_begin(&p);
  p.client_config->open_timeout = 80;
  for (int i = 0; i < 4; i++) fillers[i] = raw_connect(dead.port);
  snprintf(url, sizeof url, "ws://127.0.0.1:%u/", dead.port);
  side *s = redirected(&p, &a, &r, url);
  PARTY_AFTER(&p, 80, s->closes);
  failed(s, WS_ETIMEDOUT, "tcp: ");
  for (int i = 0; i < 4; i++) raw_end(&fillers[i]);
  raw_end(&r);
  ws_socket_close(a.listener);
  ws_socket_close(dead.listener);
  party_end(&p);
}

/* Without settings for TLS, a redirect to wss counts as a refusal. */
TEST(a_redirect_to_wss_without_tls) {
  party p;
  raw r;
  char url[64];
  acceptor a = accept_here(0), b = accept_here(0);
  party_begin(&p);
  snprintf(url, sizeof url, "wss://127.0.0.1:%u/", b.port);
  side *s = redirected(&p, &a, &r, url);
  failed(s, WS_EHANDSHAKE, "302 Found");
  raw_end(&r);
  ws_socket_close(a.listener);
  ws_socket_close(b.listener);
  party_end(&p);
}

/* Whether the client gets there; otherwise it has ended. */
static bool comes(party *p, acceptor *there, const side *s) {
  ws_address peer;
  ws_fd fd = WS_FD_NONE;
  bool came = false;
  PARTY_UNTIL_THAT(
      p, s->closes || came ||
             (came = ws_socket_accept(there->listener, &fd, &peer) == WS_OK));
  if (came) ws_socket_close(fd);
  return came;
}

TEST(a_redirect_without_memory) {
  int failures = 0;
  bool came = false;
  for (uint64_t n = 1; n < 100 && !came; n++) {
    party p;
    raw r;
    char url[64];
    acceptor a = accept_here(0), b = accept_here(0);
    party_begin(&p);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", b.port);
    side *s = asking(&p, &a, &r);
    ws_memory_fail(n, 0);
    redirect(&p, &r, url);
    came = comes(&p, &b, s);
    ws_memory_fail(0, 0);
    /* Without memory for its URL, it counts as a refusal. */
    if (!came) CHECK(s->status == WS_ENOMEM || s->status == WS_EHANDSHAKE);
    failures += s->status == WS_ENOMEM;
    raw_end(&r);
    ws_socket_close(a.listener);
    ws_socket_close(b.listener);
    party_end(&p);
  }
  CHECK(came && failures > 0);
}

/* ------------------------------------------------------ what is not done */

/* S45: fails in a turn, like a failure of the network, but without looking up
 * the name. */
TEST(a_blocked_port_is_not_looked_up) {
  party p;
  ws_url url;
  const char *why;
  party_begin(&p);
  ws_resolver_replace(find_here);
  asked = 0;
  CHECK_INT(ws_url_parse(&url, ws_slice_of("ws://elsewhere.test:25/"),
                         ws_memory_resize, &why),
            WS_OK);
  side *s = party_side(&p, true);
  ws_client_options options = {.url = &url, .block_ports = true};
  CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options, &side_events,
                              s, &s->connection),
            WS_OK);
  CHECK_INT(s->errors, 0);
  failed(s, WS_ECONNREFUSED, "blocked");
  side *gone = party_side(&p, true);
  CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options, &side_events,
                              gone, &gone->connection),
            WS_OK);
  ws_connection_release(gone->connection);
  gone->connection = NULL;
  party_rest(&p);
  CHECK_INT(gone->errors + gone->closes, 0);
  CHECK_INT(asked, 0);
  CHECK(p.hub.resolver == NULL);
  ws_url_deinit(&url);
  party_end(&p);
  ws_resolver_replace(NULL);
}

/* A Unix socket's path has no port that could be another protocol's. */
TEST(a_path_has_no_port_to_be_blocked) {
  party p;
  ws_url url;
  const char *why;
  party_begin(&p);
  CHECK_INT(ws_url_parse(&url, ws_slice_of("ws://elsewhere.test:25/"),
                         ws_memory_resize, &why),
            WS_OK);
  side *s = party_side(&p, true);
  ws_client_options options = {.url = &url,
                               .block_ports = true,
                               .unix_path = ws_slice_of("/nowhere/at/all")};
  CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options, &side_events,
                              s, &s->connection),
            WS_OK);
  failed(s, WS_ENOENT, "");
  ws_url_deinit(&url);
  party_end(&p);
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
    ws_header headers[] = {{ws_slice_of("X"), ws_slice_of("a")}, bad[i]};
    options.headers = headers;
    options.header_count = 2;
    CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options,
                                &side_events, &p, &c),
              WS_EINVAL);
  }
  options.header_count = 0;
  options.origin = ws_slice_of("http://a.test\r\nInjected: b");
  CHECK_INT(ws_client_connect(&p.hub, p.client_config, &options, &side_events,
                              &p, &c),
            WS_EINVAL);
  ws_url_deinit(&url);
  party_end(&p);
}

/* The n-th allocation fails, for every n: the caller gets an error or an event,
 * and nothing is left behind. */
TEST(without_memory) {
  int told = 0, opened = 0;
  uint64_t to_come = 0; /* how many allocations were left until the failure */
  for (uint64_t n = 1; n < 400 && to_come == 0; n++) {
    party p;
    ws_url url;
    const char *why;
    char text[64];
    party_begin(&p);
    party_listen(&p);
    snprintf(text, sizeof text, "ws://127.0.0.1:%u/", party_port(&p));
    ws_url_parse(&url, ws_slice_of(text), ws_memory_resize, &why);
    side *s = party_side(&p, true);
    p.client_config->open_timeout = 10000;
    ws_client_options options = {.url = &url};
    ws_memory_fail(n, 0);
    int status = ws_client_connect(&p.hub, p.client_config, &options,
                                   &side_events, s, &s->connection);
    if (status == WS_OK) {
      PARTY_UNTIL(&p, s->opens + s->closes, 1);
    }
    to_come = ws_memory_fail(0, 0);
    if (status != WS_OK) CHECK_INT(status, WS_ENOMEM);
    if (status != WS_OK || s->closes > 0) told++;
    else opened++;
    CHECK_INT(s->errors, s->closes);
    ws_url_deinit(&url);
    party_end(&p);
  }
  CHECK(told > 5);
  CHECK(opened > 0 && to_come > 0);
}

int main(void) {
  RUN(the_request);
  RUN(what_is_asked_for_is_kept_whole);
  RUN(what_the_proxy_is_told_is_kept_too);
  RUN(a_proxy_that_is_too_quick);
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
  RUN(a_redirect_to_another_host);
  RUN(a_redirect_to_a_host_that_is_not_there);
  RUN(a_redirect_to_wss_without_tls);
  RUN(a_redirect_without_memory);
  RUN(a_blocked_port_is_not_looked_up);
  RUN(a_path_has_no_port_to_be_blocked);
  RUN(what_may_not_be_sent);
  RUN(without_memory);
  return check_done();
}
