/* SPDX-License-Identifier: MIT */
/* A side's TLS settings as an SSL_CTX, and which of a server's certificates a
 * client gets. No connection is handled here. */
#include "transport/tls_context.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "transport/tls_pem.h"
#include "transport/tls_roots.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#define DEPTH_MOST 16 /* certificates between a leaf and its root */
#define SECURITY_LEAST 2

static const unsigned char alpn[] = "\x08http/1.1";
#define ALPN_SIZE (sizeof alpn - 1)

/* RFC 7301 section 3.2: a client that uses ALPN, but offers no protocol of
 * ours, is refused. */
static int select_alpn(SSL *ssl, const unsigned char **out,
                       unsigned char *out_len, const unsigned char *offered,
                       unsigned len, void *owner) {
  (void)ssl;
  (void)owner;
  for (unsigned at = 0; at < len; at += offered[at] + 1u) {
    if (len - at < ALPN_SIZE || memcmp(offered + at, alpn, ALPN_SIZE) != 0)
      continue;
    *out = offered + at + 1;
    *out_len = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A server that does not require a client certificate goes on after a bad one,
 * as if there were none. */
static int note_refusal(int good, X509_STORE_CTX *store) {
  SSL *ssl = X509_STORE_CTX_get_ex_data(
      store, SSL_get_ex_data_X509_STORE_CTX_idx());
  ws_tls_notes *notes = ssl ? SSL_get_app_data(ssl) : NULL;
  if (!notes) return good;
  if (!good) notes->refused = true;
  return 1;
}

static ws_slice asked_name(SSL *ssl) {
  const unsigned char *data;
  size_t len;
  ws_slice none = {0};
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) != 1)
    return none;
  /* RFC 6066 section 3: list length (2), type (1), name length (2), name. */
  if (len < 5 || data[2] != TLSEXT_NAMETYPE_host_name) return none;
  size_t name_len = (size_t)data[3] << 8 | data[4];
  if (name_len > len - 5) return none;
  return (ws_slice){(const char *)data + 5, name_len};
}

static ws_tls_entry *find_entry(ws_tls *tls, const char *text,
                                bool wildcard) {
  for (size_t i = 0; i < tls->entry_count; i++)
    if (tls->entries[i].wildcard == wildcard &&
        strcmp(tls->entries[i].text, text) == 0)
      return &tls->entries[i];
  return NULL;
}

static ws_tls *find_asked(ws_tls *tls, ws_slice asked) {
  ws_tls_name name;
  if (ws_tls_name_init(&name, asked) != WS_OK) return tls;
  ws_tls_entry *entry = find_entry(tls, name.text, false);
  const char *dot = strchr(name.text, '.');
  if (!entry && dot) entry = find_entry(tls, dot + 1, true);
  return entry ? entry->tls : tls;
}

/* SSL_set_SSL_CTX takes over certificate and trust, but not these. */
static bool adopt(SSL *ssl, ws_tls *tls) {
  SSL_CTX *context = tls->context;
  if (SSL_set_SSL_CTX(ssl, context) != context) return false;
  SSL_set_verify(ssl, SSL_CTX_get_verify_mode(context),
                 SSL_CTX_get_verify_callback(context));
  SSL_set_options(ssl, SSL_CTX_get_options(context));
  if (SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context)) != 1)
    return false;
  return SSL_set_min_proto_version(
             ssl, (int)SSL_CTX_get_min_proto_version(context)) == 1;
}

/* Chosen before OpenSSL looks at sessions, so that one made under other
 * demands (no client certificate, another ca) is not resumed: its id context
 * differs. The later servername callback would come too late for that. */
static int choose(SSL *ssl, int *alert, void *owner) {
  ws_tls *tls = owner;
  ws_tls_notes *notes = SSL_get_app_data(ssl);
  if (tls->entry_count == 0 || !notes || notes->chosen)
    return SSL_CLIENT_HELLO_SUCCESS;
  ws_tls *other = find_asked(tls, asked_name(ssl));
  if (other == tls) return SSL_CLIENT_HELLO_SUCCESS;
  if (!adopt(ssl, other)) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
  notes->chosen = ws_tls_ref(other);
  return SSL_CLIENT_HELLO_SUCCESS;
}

/* To be called after set_ciphers: raises again what the system's configuration
 * file or a cipher list with "@SECLEVEL=0" has lowered. */
static bool set_floor(SSL_CTX *context, int least) {
  if (SSL_CTX_get_security_level(context) < SECURITY_LEAST)
    SSL_CTX_set_security_level(context, SECURITY_LEAST);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION |
                                   SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_clear_options(context, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                     SSL_OP_LEGACY_SERVER_CONNECT);
  return SSL_CTX_set_min_proto_version(context, least) == 1 &&
         SSL_CTX_set_max_early_data(context, 0) == 1;
}

static int set_ciphers(SSL_CTX *context, ws_slice ciphers, ws_tls_why why) {
  if (ciphers.len == 0) return WS_OK;
  if (memchr(ciphers.data, '\0', ciphers.len))
    return ws_tls_error_say(why, "ciphers", (ws_slice){0}, "a zero byte");
  char *text = ws_memory_new(ciphers.len + 1);
  if (!text) return WS_ENOMEM;
  memcpy(text, ciphers.data, ciphers.len);
  bool good = strncmp(text, "TLS_", 4) == 0
                  ? SSL_CTX_set_ciphersuites(context, text) == 1
                  : SSL_CTX_set_cipher_list(context, text) == 1;
  ws_memory_free(text);
  return good ? WS_OK : ws_tls_error_take(why, "ciphers", ciphers, "unknown");
}

/* The system's configuration file may demand more: keep that, as the user did
 * not ask for less. */
static int default_version(SSL_CTX *context) {
  int least = (int)SSL_CTX_get_min_proto_version(context);
  return least > TLS1_2_VERSION ? least : TLS1_2_VERSION;
}

static int set_version(SSL_CTX *context, ws_slice version, ws_tls_why why) {
  int least = TLS1_2_VERSION;
  if (version.len == 0)
    least = default_version(context);
  else if (ws_slice_equal(version, ws_slice_of("TLSv1.3")))
    least = TLS1_3_VERSION;
  else if (!ws_slice_equal(version, ws_slice_of("TLSv1.2")))
    return ws_tls_error_say(why, "minVersion", version,
                            "neither TLSv1.2 nor TLSv1.3");
  if (set_floor(context, least)) return WS_OK;
  return ws_tls_error_take(why, "minVersion", version, "refused");
}

static int set_trust(ws_tls *tls, const ws_tls_options *options,
                     ws_tls_why why) {
  SSL_CTX *context = tls->context;
  int mode = SSL_VERIFY_NONE;
  if (tls->verify) mode = SSL_VERIFY_PEER;
  if (tls->verify && tls->server && !tls->optional)
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, tls->optional ? note_refusal : NULL);
  SSL_CTX_set_verify_depth(context, DEPTH_MOST);
  if (!tls->verify) return WS_OK;
  if (options->ca.len > 0)
    return ws_tls_pem_trust(context, options->ca, tls->server, why);
  if (ws_tls_trust_system(context)) return WS_OK;
  return ws_tls_error_take(why, "ca", (ws_slice){0},
                           "the system's store cannot be used");
}

static int set_identity(ws_tls *tls, const ws_tls_options *options,
                        ws_tls_why why) {
  if (options->cert.len > 0)
    return ws_tls_pem_identity(tls->context, options->cert, options->key,
                               options->password, why);
  if (tls->server)
    return ws_tls_error_say(why, "cert", (ws_slice){0},
                            "a server needs a certificate");
  if (options->key.len > 0)
    return ws_tls_error_say(why, "key", options->key,
                            "a key without a certificate");
  return WS_OK;
}

static int set_pins(ws_tls *tls, const ws_tls_options *options,
                    ws_tls_why why) {
  if (options->pin_count == 0) return WS_OK;
  if (options->pin_count > SIZE_MAX / sizeof *tls->pins) return WS_ENOMEM;
  tls->pins = ws_memory_new(options->pin_count * sizeof *tls->pins);
  if (!tls->pins) return WS_ENOMEM;
  tls->pin_count = options->pin_count;
  for (size_t i = 0; i < tls->pin_count; i++)
    if (!ws_tls_pin_parse(&tls->pins[i], options->pins[i]))
      return ws_tls_error_say(why, "pin", options->pins[i],
                              "not the SHA-256 of a key in hex or base64");
  return WS_OK;
}

/* A session is valid for one context only. Where client certificates are
 * requested there are no sessions: each connection proves its certificate
 * anew. */
static bool set_sessions(ws_tls *tls) {
  unsigned char id[16];
  SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
  if (!tls->server) return true;
  if (tls->verify) {
    SSL_CTX_set_options(tls->context, SSL_OP_NO_TICKET);
    if (SSL_CTX_set_num_tickets(tls->context, 0) != 1) return false;
  }
  return RAND_bytes(id, sizeof id) == 1 &&
         SSL_CTX_set_session_id_context(tls->context, id, sizeof id) == 1;
}

static bool set_behaviour(ws_tls *tls) {
  SSL_CTX *context = tls->context;
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  if (!tls->server)
    return SSL_CTX_set_alpn_protos(context, alpn, ALPN_SIZE) == 0;
  SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
  SSL_CTX_set_client_hello_cb(context, choose, tls);
  return true;
}

static int set_all(ws_tls *tls, const ws_tls_options *options,
                   ws_tls_why why) {
  tls->method = ws_tls_wire_method();
  tls->context = SSL_CTX_new(tls->server ? TLS_server_method()
                                         : TLS_client_method());
  if (!tls->method || !tls->context || !set_behaviour(tls) ||
      !set_sessions(tls))
    return ws_tls_error_take(why, "OpenSSL", (ws_slice){0},
                             "cannot be set up");
  int status = set_ciphers(tls->context, options->ciphers, why);
  if (status == WS_OK)
    status = set_version(tls->context, options->min_version, why);
  if (status == WS_OK) status = set_trust(tls, options, why);
  if (status == WS_OK) status = set_identity(tls, options, why);
  if (status == WS_OK) status = set_pins(tls, options, why);
  return status;
}

int ws_tls_new(const ws_tls_options *options, ws_tls **tls, char *why,
               size_t why_size) {
  if (why_size > 0) why[0] = '\0';
  ERR_clear_error();
  ws_tls *made = ws_memory_new(sizeof *made);
  if (!made) return WS_ENOMEM;
  bool ask = options->request_cert || options->require_cert;
  made->refs = 1;
  made->server = options->server;
  made->verify = options->server ? ask : !options->no_verify;
  made->optional = options->server && ask && !options->require_cert;
  int status = set_all(made, options, (ws_tls_why){why, why_size});
  ERR_clear_error();
  if (status == WS_OK)
    *tls = made;
  else
    ws_tls_unref(made);
  return status;
}

ws_tls *ws_tls_ref(ws_tls *tls) {
  tls->refs++;
  return tls;
}

void ws_tls_unref(ws_tls *tls) {
  if (!tls || --tls->refs > 0) return;
  for (size_t i = 0; i < tls->entry_count; i++)
    if (tls->entries[i].tls != tls) ws_tls_unref(tls->entries[i].tls);
  ws_memory_free(tls->entries);
  ws_memory_free(tls->pins);
  SSL_CTX_free(tls->context);
  BIO_meth_free(tls->method);
  ws_memory_free(tls);
}

bool ws_tls_has_cert(const ws_tls *tls) {
  return SSL_CTX_get0_certificate(tls->context) != NULL;
}

/* The name's place in the table, an empty one when it is new. */
static ws_tls_entry *place(ws_tls *tls, const char *text, bool wildcard) {
  ws_tls_entry *entry = find_entry(tls, text, wildcard);
  if (entry) return entry;
  size_t size = (tls->entry_count + 1) * sizeof *entry;
  entry = ws_memory_resize(tls->entries, size);
  if (!entry) return NULL;
  tls->entries = entry;
  entry += tls->entry_count++;
  memset(entry, 0, sizeof *entry);
  memcpy(entry->text, text, strlen(text) + 1);
  entry->wildcard = wildcard;
  return entry;
}

int ws_tls_add_name(ws_tls *tls, ws_slice name, ws_tls *other) {
  ws_tls_name plain;
  /* Keeps references from forming a cycle: the one that closes it would be to a
   * context that has names. */
  if (!tls->server || !other->server) return WS_EINVAL;
  if (other != tls && other->entry_count > 0) return WS_EINVAL;
  bool wildcard = name.len > 2 && memcmp(name.data, "*.", 2) == 0;
  if (wildcard) {
    name.data += 2;
    name.len -= 2;
  }
  if (ws_tls_name_init(&plain, name) != WS_OK || plain.ip_len > 0)
    return WS_EINVAL;
  ws_tls_entry *entry = place(tls, plain.text, wildcard);
  if (!entry) return WS_ENOMEM;
  ws_tls *before = entry->tls;
  entry->tls = other == tls ? other : ws_tls_ref(other);
  if (before != tls) ws_tls_unref(before);
  return WS_OK;
}
