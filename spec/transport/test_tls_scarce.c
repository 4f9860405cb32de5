/* SPDX-License-Identifier: MIT */
/* Attack 81: an allocation of OpenSSL's fails on the client while it judges a
 * server that it must not trust. Whatever is lost on the way, no such
 * connection opens: OpenSSL itself forgets the name it was to check. Without
 * the second check in tls_peer.c three allocations of OpenSSL 3.0's let the
 * wrong name in, and this fails. */
#include "transport/tls_peer.h"

#include "tls_pair.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

/* ------------------------------------------------------------ scarcity */

static bool counting;      /* the client is at work */
static size_t allocations; /* since it was set to 0 */
static size_t fails_at;    /* the number of the one that fails; 0: none */
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
};

#define ROWS (sizeof rows / sizeof *rows)

static ws_tls *clients[ROWS], *servers[ROWS], *good_client, *good_server;

static void open_client(tls_pair *pair) {
  counting = true;
  if (!is_over(pair->client_status))
    pair->client_status = ws_stream_open(pair->client);
  (void)ws_stream_flush(pair->client);
  counting = false;
}

/* As pair_shake; the client's side alone is short of memory. */
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

/* How many of the allocations 1, 1 + step ... let that row in. */
static size_t let_in(size_t row, size_t step, bool ever) {
  const char *host = rows[row].host;
  size_t in = 0, n = 1;
  ever_after = ever;
  do {
    fails_at = n;
    if (shake(clients[row], servers[row], host) == WS_OK) {
      fprintf(stderr, "%s: accepted at allocation %zu\n", rows[row].number, n);
      in++;
    }
    n += step;
  } while (allocations >= fails_at); /* it failed there */
  fails_at = 0;
  CHECK(n > 1000);
  return in;
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

static void make_all(void) {
  good_client = tls_client("root.pem");
  good_server = tls_server("server.pem", NULL);
  for (size_t i = 0; i < ROWS; i++) {
    clients[i] = tls_client(i == ROWS - 1 ? "root_crl.pem" : "root.pem");
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
  RUN(nobody_gets_in_when_one_allocation_fails);
  RUN(nobody_gets_in_when_all_fail_from_there);
  RUN(whom_we_trust_gets_in_afterwards);
  drop_all();
  certs_end();
  return check_done();
}
