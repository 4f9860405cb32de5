/* SPDX-License-Identifier: MIT */
/* A81: an allocation of OpenSSL's fails on the client while it judges a
 * server that it must not trust. Whatever is lost, no such connection opens.
 * OpenSSL itself forgets the name that it has to check: without the second
 * check in tls_peer.c, failures of three allocations of OpenSSL 3.0 accept the
 * wrong name, and this test fails. */
#include "transport/tls_peer.h"

#include "tls_pair.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

/* ------------------------------------------------------------ scarcity */

static bool counting;      /* while the client works */
static size_t allocations; /* how many, since it was set to 0 */
static size_t fails_at;    /* number of the one that fails; 0: none */
static bool ever_after;

static bool fails(void) {
  if (!counting) return false;
  allocations++;
  if (fails_at == 0) return false;
  return allocations == fails_at || (ever_after && allocations > fails_at);
}

static void *scarce_new(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  return fails() || size == 0 ? NULL : malloc(size);
}

static void *scarce_resize(void *block, size_t size, const char *file,
                           int line) {
  (void)file;
  (void)line;
  if (size == 0) {
    free(block);
    return NULL;
  }
  return fails() ? NULL : realloc(block, size);
}

static void scarce_free(void *block, const char *file, int line) {
  (void)file;
  (void)line;
  free(block);
}

/* ---------------------------------------------------------- handshakes */

static const cert_row rows[] = {
    {"wrong name", "wrong.pem", NULL, "ws.test", ""},
    {"wrong address", "server.pem", NULL, "127.0.0.9", ""},
    {"expired", "expired.pem", NULL, "ws.test", ""},
    {"untrusted", "unknown.pem", NULL, "ws.test", ""},
    {"self-signed", "self.pem", "other.key", "ws.test", ""},
    {"revoked", "revoked.pem", NULL, "ws.test", ""},
    {"wrong key", "server.pem", NULL, "ws.test", ""}, /* all else is good */
};

#define ROWS (sizeof rows / sizeof *rows)
#define REVOKED 5
#define WRONG_KEY 6

static ws_tls *clients[ROWS], *servers[ROWS], *good_client, *good_server;

static void open_client(tls_pair *pair) {
  counting = true;
  if (!is_over(pair->client_status))
    pair->client_status = ws_stream_open(pair->client);
  (void)ws_stream_flush(pair->client);
  counting = false;
  CHECK_INT(ERR_peek_error(), 0); /* A88: nothing is left for others */
}

/* Like pair_shake, but only the client's side is short of memory. */
static int shake(ws_tls *client, ws_tls *server, const char *host) {
  static tls_pair pair;
  pair_begin(&pair, client, server, host, PIPE_ROOM, PIPE_ROOM);
  pair.client_status = pair.server_status = WS_EAGAIN;
  allocations = 0;
  for (size_t moves = SIZE_MAX; moves != pair_moves(&pair);) {
    moves = pair_moves(&pair);
    open_client(&pair);
    if (!is_over(pair.server_status))
      pair.server_status = ws_stream_open(pair.server);
    (void)ws_stream_flush(pair.server);
  }
  ws_tls_info info = {0};
  bool shown = ws_stream_tls_info(pair.client, &info) && info.verified;
  int status = pair.client_status == WS_OK || shown ? WS_OK : WS_ETLS;
  pair_end(&pair);
  ERR_clear_error();
  return status;
}

/* Each row tries at least so many; since 3.2, OpenSSL refuses with fewer. */
#define MANY (OPENSSL_VERSION_NUMBER < 0x30200000L ? 1000 : 500)

/* How many failures of the allocations first, first + step ... let a server
 * with the row's certificate in. */
static size_t let_in_from(size_t first, size_t row, size_t step, bool ever) {
  const char *host = rows[row].host;
  size_t in = 0, n = first;
  ever_after = ever;
  do {
    fails_at = n;
    if (shake(clients[row], servers[row], host) == WS_OK) {
      fprintf(stderr, "%s: accepted at allocation %zu\n", rows[row].number, n);
      in++;
    }
    n += step;
  } while (allocations >= fails_at); /* that one has failed */
  fails_at = 0;
  CHECK(n > MANY);
  return in;
}

static size_t let_in(size_t row, size_t step, bool ever) {
  return let_in_from(1, row, step, ever);
}

/* How many allocations a handshake takes. The key is compared with the pins
 * after the handshake, which takes the last of them. */
static size_t all_of(ws_tls *client, ws_tls *server, int status) {
  CHECK_INT(shake(client, server, "ws.test"), status);
  CHECK(allocations > 1000);
  return allocations;
}

TEST(no_wrong_key_gets_in_when_an_allocation_fails) {
  size_t all = all_of(clients[WRONG_KEY], servers[WRONG_KEY], WS_ETLS);
  CHECK_INT(let_in_from(all - 50, WRONG_KEY, 1, false), 0);
  CHECK_INT(let_in_from(all - 50, WRONG_KEY, 1, true), 0);
}

/* The subject is read last: without memory, there is none or an empty one. */
TEST(whom_we_trust_gets_in_or_not_at_all) {
  size_t all = all_of(good_client, good_server, WS_OK), in = 0;
  ever_after = false;
  for (fails_at = all - 50; fails_at <= all; fails_at++)
    in += shake(good_client, good_server, "ws.test") == WS_OK;
  fails_at = 0;
  CHECK(in > 0);
}

TEST(nobody_gets_in_when_one_allocation_fails) {
  CHECK_INT(let_in(0, 1, false), 0);
  CHECK_INT(let_in(1, 11, false), 0);
  for (size_t row = 2; row < ROWS; row++) CHECK_INT(let_in(row, 29, false), 0);
}

TEST(nobody_gets_in_when_all_fail_from_there) {
  for (size_t row = 0; row < ROWS; row++) CHECK_INT(let_in(row, 29, true), 0);
}

TEST(whom_we_trust_gets_in_afterwards) {
  CHECK_INT(shake(good_client, good_server, "ws.test"), WS_OK);
}

/* ------------------------------------------------- the server's memory */

/* Whether the context could be made; if not, nothing of it is left. */
static bool makes(const ws_tls_options *options) {
  char why[200];
  ws_tls *tls = NULL;
  size_t live = ws_memory_live();
  allocations = 0;
  counting = true;
  int status = ws_tls_new(options, &tls, why, sizeof why);
  counting = false;
  CHECK_INT(ERR_peek_error(), 0);
  CHECK_INT(tls != NULL, status == WS_OK);
  ws_tls_unref(tls);
  CHECK_INT(ws_memory_live(), live);
  return status == WS_OK;
}

TEST(settings_when_an_allocation_fails) {
  ws_tls_options options = {.server = true,
                            .request_cert = true,
                            .ca = cert_path("root.pem"),
                            .cert = cert_path("server.pem"),
                            .key = cert_path("leaf.key")};
  size_t failed = 0;
  CHECK(makes(&options));
  size_t all = allocations;
  ever_after = false;
  for (fails_at = 1; fails_at <= all; fails_at += fails_at < 100 ? 1 : 17)
    failed += !makes(&options);
  fails_at = 0;
  CHECK(failed > 10);
}

/* A client that asks for a name gets its certificate, not the default. */
TEST(names_hold_when_an_allocation_fails) { /* A82 */
  static tls_pair pair;
  ws_tls_options off = {.no_verify = true};
  ws_tls *client = tls_make(&off), *a = tls_server("a.pem", NULL);
  ws_tls *server = tls_server("server.pem", NULL);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), a), WS_OK);
  size_t open = 0;
  ever_after = false;
  fails_at = 1;
  do {
    pair_begin(&pair, client, server, "a.test", PIPE_ROOM, PIPE_ROOM);
    CHECK_INT(ws_stream_open(pair.client), WS_EAGAIN);
    allocations = 0;
    counting = true;
    (void)ws_stream_open(pair.server);
    counting = false;
    CHECK_INT(ERR_peek_error(), 0);
    pair_shake(&pair);
    ws_tls_info info = {0};
    if (ws_stream_tls_info(pair.client, &info)) {
      CHECK(info.peer && strcmp(info.peer, "CN=a") == 0);
      open++;
    }
    pair_end(&pair);
    fails_at += fails_at < 400 ? 1 : 23;
  } while (allocations >= fails_at);
  fails_at = 0;
  CHECK(open > 0);
  ws_tls_unref(client);
  ws_tls_unref(server);
  ws_tls_unref(a);
}

/* ------------------------------------------------------------- streams */

/* Makes a TLS stream, which owns `below` only if it could be made. */
static ws_stream *make_stream(ws_stream *below, ws_tls *tls) {
  ws_stream *stream = NULL;
  size_t live = ws_memory_live();
  allocations = 0;
  counting = true;
  int status = ws_stream_tls_new(below, tls, ws_slice_of("ws.test"),
                                 (ws_slice){0}, &stream);
  counting = false;
  CHECK_INT(ERR_peek_error(), 0);
  CHECK_INT(stream != NULL, status == WS_OK);
  if (status != WS_OK) CHECK_INT(status, WS_ENOMEM);
  if (!stream) CHECK_INT(ws_memory_live(), live);
  return stream;
}

/* False if the side that lacked memory fails at once: since 3.2, OpenSSL may
 * make one without all it needs. Any other way to fail is an error. */
static bool shakes(tls_pair *pair, bool scarce_client) {
  pair_shake(pair);
  int scarce = scarce_client ? pair->client_status : pair->server_status;
  int other = scarce_client ? pair->server_status : pair->client_status;
  if (OPENSSL_VERSION_NUMBER >= 0x30200000L && scarce == WS_ETLS) {
    CHECK_INT(other, WS_EAGAIN);
    return false;
  }
  CHECK_INT(scarce, WS_OK);
  CHECK_INT(other, WS_OK);
  return true;
}

/* A stream either cannot be made, or works as any other (but see shakes). */
static void make_streams(ws_tls *client, ws_tls *server, bool scarce_client) {
  static tls_pair pair;
  size_t failed = 0;
  ever_after = false;
  fails_at = 1;
  do {
    pair_pipes(&pair, PIPE_ROOM, PIPE_ROOM);
    ws_stream *to = memory_end_new(&pair.to_client, &pair.to_server);
    ws_stream *from = memory_end_new(&pair.to_server, &pair.to_client);
    size_t at = fails_at;
    fails_at = scarce_client ? at : 0;
    pair.client = make_stream(to, client);
    size_t taken = allocations;
    fails_at = scarce_client ? 0 : at;
    pair.server = make_stream(from, server);
    if (!scarce_client) taken = allocations;
    failed += !pair.client || !pair.server || !shakes(&pair, scarce_client);
    ws_stream_free(pair.client ? pair.client : to);
    ws_stream_free(pair.server ? pair.server : from);
    fails_at = taken >= at ? at + 1 : 0;
  } while (fails_at > 0);
  CHECK(failed > 10);
}

/* Without the name, or the server's data about it, the wrong certificate would
 * be shown. */
TEST(streams_when_an_allocation_fails) {
  ws_tls *server = tls_server("a.pem", NULL);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("ws.test"), good_server),
            WS_OK);
  make_streams(good_client, server, true);
  make_streams(good_client, server, false);
  ws_tls_unref(server);
}

/* What a write has taken arrives, or the stream has failed for good. */
TEST(bytes_when_an_allocation_fails) {
  static tls_pair pair;
  uint8_t got[8];
  size_t failed = 0;
  ever_after = false;
  fails_at = 0;
  do {
    size_t at = fails_at + 1;
    fails_at = 0;
    pair_begin(&pair, good_client, good_server, "ws.test", PIPE_ROOM,
               PIPE_ROOM);
    pair_shake(&pair);
    CHECK_INT(put(pair.server, "tickets"), 7);
    CHECK_INT(ws_stream_read(pair.client, got, sizeof got), 7);
    fails_at = at;
    allocations = 0;
    counting = true;
    ptrdiff_t wrote = put(pair.client, "text");
    counting = false;
    CHECK_INT(ERR_peek_error(), 0);
    if (wrote != 4) {
      CHECK(wrote == WS_ETLS || wrote == WS_ENOMEM);
      CHECK_INT(put(pair.client, "text"), wrote);
      CHECK(ws_stream_why(pair.client) != NULL);
      failed++;
    } else {
      CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
      CHECK_BYTES(got, 4, "text");
    }
    pair_end(&pair);
  } while (allocations >= fails_at);
  fails_at = 0;
  CHECK(failed > 0);
}

/* --------------------------------------------------------------------- */

static ws_tls *client_of(size_t row) {
  ws_slice zeros = ws_slice_of("00000000000000000000000000000000"
                               "00000000000000000000000000000000");
  ws_tls_options pinned = {.ca = cert_path("root.pem"), .pins = &zeros,
                           .pin_count = 1};
  if (row == WRONG_KEY) return tls_make(&pinned);
  return tls_client(row == REVOKED ? "root_crl.pem" : "root.pem");
}

static void make_all(void) {
  good_client = tls_client("root.pem");
  good_server = tls_server("server.pem", NULL);
  for (size_t i = 0; i < ROWS; i++) {
    clients[i] = client_of(i);
    servers[i] = tls_server(rows[i].cert, rows[i].key);
  }
}

static void drop_all(void) {
  ws_tls_unref(good_client);
  ws_tls_unref(good_server);
  for (size_t i = 0; i < ROWS; i++) {
    ws_tls_unref(clients[i]);
    ws_tls_unref(servers[i]);
  }
}

int main(void) {
  if (!CRYPTO_set_mem_functions(scarce_new, scarce_resize, scarce_free))
    return 2;
  certs_begin();
  make_all();
  RUN(whom_we_trust_gets_in_afterwards);
  for (size_t i = 0; i < ROWS; i++)
    CHECK_INT(shake(clients[i], servers[i], rows[i].host), WS_ETLS);
  RUN(no_wrong_key_gets_in_when_an_allocation_fails);
  RUN(whom_we_trust_gets_in_or_not_at_all);
  RUN(settings_when_an_allocation_fails);
  RUN(names_hold_when_an_allocation_fails);
  RUN(streams_when_an_allocation_fails);
  RUN(bytes_when_an_allocation_fails);
  RUN(nobody_gets_in_when_one_allocation_fails);
  RUN(nobody_gets_in_when_all_fail_from_there);
  RUN(whom_we_trust_gets_in_afterwards);
  drop_all();
  certs_end();
  return check_done();
}
