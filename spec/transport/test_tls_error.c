/* SPDX-License-Identifier: MIT */
/* OpenSSL's error queue as a sentence. */
#include "transport/tls_error.h"

#include "bytes/status.h"
#include "check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static char text[64];
static const ws_tls_why why = {text, sizeof text};

TEST(sentences) {
  CHECK_INT(ws_tls_error_say(why, "key", ws_slice_of("a.pem"), "bad"),
            WS_ETLS);
  CHECK(strcmp(text, "key 'a.pem': bad") == 0);
  CHECK_INT(ws_tls_error_say(why, "TLS", (ws_slice){0}, "bad"), WS_ETLS);
  CHECK(strcmp(text, "TLS: bad") == 0);
  CHECK_INT(ws_tls_error_say(why, "key", ws_slice_of("-----BEGIN X"), "bad"),
            WS_ETLS);
  CHECK(strcmp(text, "key 'given as text': bad") == 0);
}

/* The first error in the queue is the cause; the queue is emptied. */
TEST(reasons) {
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_PACKET, "spec", 1);
  CHECK_INT(ws_tls_error_take(why, "TLS", (ws_slice){0}, "x"), WS_ETLS);
  CHECK(strcmp(text, "TLS: bad length") == 0);
  CHECK_INT(ERR_peek_error(), 0);
  CHECK_INT(ws_tls_error_take(why, "TLS", (ws_slice){0}, "x"), WS_ETLS);
  CHECK(strcmp(text, "TLS: x") == 0);
  ERR_put_error(ERR_LIB_SYS, 0, ENOENT, "spec", 1);
  CHECK_INT(ws_tls_error_take(why, "TLS", (ws_slice){0}, "x"), WS_ETLS);
  CHECK(strcmp(text, "TLS: No such file or directory") == 0);
  ERR_put_error(ERR_LIB_SSL, 0, ERR_R_MALLOC_FAILURE, "spec", 1);
  CHECK_INT(ws_tls_error_take(why, "TLS", (ws_slice){0}, "x"), WS_ENOMEM);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(ws_tls_error_say(why, "TLS", (ws_slice){0}, "x"), WS_ETLS);
  CHECK_INT(ERR_peek_error(), 0);
}

TEST(little_room) {
  for (size_t size = 0; size < 12; size++) {
    char *room = (char *)check_guarded(size);
    ws_tls_why small = {room, size};
    ws_tls_error_say(small, "abc", ws_slice_of("d"), "efghi");
    if (size == 0) continue;
    CHECK_INT(strlen(room), size - 1);
    CHECK(memcmp(room, "abc 'd': efghi", size - 1) == 0);
  }
}

TEST(pem_or_file) {
  CHECK(ws_tls_error_is_pem(ws_slice_of("-----BEGIN CERTIFICATE-----")));
  CHECK(ws_tls_error_is_pem(ws_slice_of("\nsubject\n-----BEGIN")));
  CHECK(!ws_tls_error_is_pem(ws_slice_of("-----BEGI")));
  CHECK(!ws_tls_error_is_pem(ws_slice_of("/etc/certs/BEGIN.pem")));
  CHECK(!ws_tls_error_is_pem((ws_slice){0}));
  char *edge = (char *)check_guarded(9);
  memcpy(edge, "-----BEGI", 9);
  CHECK(!ws_tls_error_is_pem((ws_slice){edge, 9}));
}

int main(void) {
  if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1) return 2;
  RUN(sentences);
  RUN(reasons);
  RUN(little_room);
  RUN(pem_or_file);
  return check_done();
}
