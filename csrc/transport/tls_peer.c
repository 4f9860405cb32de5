/* SPDX-License-Identifier: MIT */
/* Checks the peer's certificate once more, its key against the pins, and the
 * protocol agreed on. Whatever is unclear is refused. */
#include "transport/tls_peer.h"

#include "bytes/base64.h"
#include "bytes/status.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#define PIN_PREFIX "sha256//"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool parse_hex(ws_tls_pin *pin, ws_slice text) {
  for (size_t i = 0; i < sizeof pin->digest; i++) {
    int high = hex_value(text.data[2 * i]);
    int low = hex_value(text.data[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    pin->digest[i] = (uint8_t)(high * 16 + low);
  }
  return true;
}

bool ws_tls_pin_parse(ws_tls_pin *pin, ws_slice text) {
  const size_t prefix = sizeof PIN_PREFIX - 1;
  const size_t size = sizeof pin->digest;
  uint8_t decoded[WS_BASE64_LENGTH(sizeof pin->digest)];
  if (text.len > prefix && memcmp(text.data, PIN_PREFIX, prefix) == 0) {
    text.data += prefix;
    text.len -= prefix;
  }
  if (text.len == 2 * size) return parse_hex(pin, text);
  if (text.len != WS_BASE64_LENGTH(size)) return false;
  if (ws_base64_decode(text.data, text.len, decoded) != (ptrdiff_t)size)
    return false;
  memcpy(pin->digest, decoded, size);
  return true;
}

static bool digest_key(X509 *leaf, uint8_t digest[32]) {
  unsigned char *der = NULL;
  unsigned len = 0;
  X509_PUBKEY *key = X509_get_X509_PUBKEY(leaf);
  int size = key ? i2d_X509_PUBKEY(key, &der) : -1;
  if (size <= 0) return false;
  bool good = EVP_Digest(der, (size_t)size, digest, &len, EVP_sha256(),
                         NULL) == 1 && len == 32;
  OPENSSL_free(der);
  return good;
}

static bool is_pinned(const ws_tls_demand *demand, X509 *leaf) {
  uint8_t digest[32];
  if (!digest_key(leaf, digest)) return false;
  for (size_t i = 0; i < demand->pin_count; i++)
    if (CRYPTO_memcmp(demand->pins[i].digest, digest, sizeof digest) == 0)
      return true;
  return false;
}

/* RFC 7301: if nothing was agreed it is HTTP/1.1, as before ALPN. */
static bool is_http_1_1(SSL *ssl) {
  const unsigned char *protocol = NULL;
  unsigned len = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &len);
  return len == 0 || (len == 8 && memcmp(protocol, "http/1.1", 8) == 0);
}

static int judge_leaf(SSL *ssl, const ws_tls_demand *demand, X509 *leaf,
                      bool refused, bool *verified, ws_tls_why why) {
  ws_slice none = {0};
  long result = SSL_get_verify_result(ssl);
  bool passed = demand->verify && !refused && result == X509_V_OK;
  if (passed && demand->name && !ws_tls_name_matches(demand->name, leaf))
    return ws_tls_error_say(why, "certificate verify failed", none,
                            "hostname mismatch (second check)");
  if (demand->verify && !passed && !demand->optional)
    return ws_tls_error_say(why, "certificate verify failed", none,
                            X509_verify_cert_error_string(result));
  if (demand->pin_count > 0 && !is_pinned(demand, leaf))
    return ws_tls_error_say(why, "certificate verify failed", none,
                            "the public key matches no pin");
  *verified = passed;
  return WS_OK;
}

int ws_tls_peer_judge(SSL *ssl, const ws_tls_demand *demand, bool refused,
                      bool *verified, ws_tls_why why) {
  ws_slice none = {0};
  *verified = false;
  if (!is_http_1_1(ssl))
    return ws_tls_error_say(why, "ALPN", none,
                            "the peer chose another protocol than http/1.1");
  X509 *leaf = SSL_get_peer_certificate(ssl);
  if (!leaf) {
    bool needed = (demand->verify && !demand->optional) ||
                  demand->pin_count > 0;
    if (!needed) return WS_OK;
    return ws_tls_error_say(why, "certificate verify failed", none,
                            "the peer has no certificate");
  }
  int status = judge_leaf(ssl, demand, leaf, refused, verified, why);
  X509_free(leaf);
  ERR_clear_error();
  return status;
}

bool ws_tls_peer_subject(SSL *ssl, char *text, size_t size) {
  X509 *leaf = SSL_get_peer_certificate(ssl);
  BIO *bio = leaf ? BIO_new(BIO_s_mem()) : NULL;
  int len = -1;
  if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(leaf), 0,
                                XN_FLAG_RFC2253) >= 0)
    len = BIO_read(bio, text, (int)size - 1);
  bool found = leaf != NULL;
  text[len > 0 ? len : 0] = '\0';
  BIO_free(bio);
  X509_free(leaf);
  ERR_clear_error();
  return found;
}
