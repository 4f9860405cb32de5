/* SPDX-License-Identifier: MIT */
/* Reading PEM. What the certificates are good for is judged elsewhere. */
#include "transport/tls_pem.h"

#include "bytes/memory.h"
#include "bytes/status.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>

typedef struct secret {
  ws_slice password;
  bool asked;
} secret;

/* pem_password_cb. */
static int give_password(char *into, int size, int writing, void *owner) {
  secret *mine = owner;
  (void)writing;
  mine->asked = true;
  if (mine->password.len == 0 || mine->password.len > (size_t)size) return -1;
  memcpy(into, mine->password.data, mine->password.len);
  return (int)mine->password.len;
}

static char *copy_path(ws_slice path) {
  char *copy = ws_memory_new(path.len + 1);
  if (copy && path.len > 0) memcpy(copy, path.data, path.len);
  return copy;
}

static bool is_folder(const char *path) {
  struct stat found;
  return stat(path, &found) == 0 && (found.st_mode & S_IFMT) == S_IFDIR;
}

/* A folder is refused here, as systems fail to read it in different ways. */
static int open_file(const char *path, ws_slice source, const char *what,
                     ws_tls_why why, BIO **bio) {
  if (is_folder(path))
    return ws_tls_error_say(why, what, source, "a folder");
  *bio = BIO_new_file(path, "r");
  return *bio ? WS_OK : ws_tls_error_take(why, what, source, "cannot open");
}

static int open_source(ws_slice source, const char *what, ws_tls_why why,
                       BIO **bio) {
  if (source.len > INT_MAX)
    return ws_tls_error_say(why, what, (ws_slice){0}, "too long");
  if (ws_tls_error_is_pem(source)) {
    *bio = BIO_new_mem_buf(source.data, (int)source.len);
    return *bio ? WS_OK : ws_tls_error_take(why, what, source, "no memory");
  }
  if (memchr(source.data, '\0', source.len))
    return ws_tls_error_say(why, what, (ws_slice){0},
                            "a file name with a zero byte");
  char *path = copy_path(source);
  if (!path) return WS_ENOMEM;
  int status = open_file(path, source, what, why, bio);
  ws_memory_free(path);
  return status;
}

static bool at_end(void) {
  unsigned long code = ERR_peek_last_error();
  return ERR_GET_LIB(code) == ERR_LIB_PEM &&
         ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* Adds the certificates behind the leaf, until there are no more. */
static int add_chain(SSL_CTX *context, BIO *bio, ws_slice cert,
                     ws_tls_why why) {
  secret none = {{0}, false};
  for (;;) {
    ERR_clear_error();
    X509 *next = PEM_read_bio_X509(bio, NULL, give_password, &none);
    if (!next) break;
    if (SSL_CTX_add0_chain_cert(context, next) == 1) continue;
    X509_free(next);
    return ws_tls_error_take(why, "certificate chain", cert, "refused");
  }
  if (!at_end())
    return ws_tls_error_take(why, "certificate chain", cert, "broken");
  ERR_clear_error();
  return WS_OK;
}

static int use_cert(SSL_CTX *context, BIO *bio, ws_slice cert,
                    ws_tls_why why) {
  secret none = {{0}, false};
  X509 *leaf = PEM_read_bio_X509(bio, NULL, give_password, &none);
  if (!leaf) {
    if (at_end())
      return ws_tls_error_say(why, "certificate", cert,
                              "no certificate in it (PEM is expected)");
    return ws_tls_error_take(why, "certificate", cert, "cannot be read");
  }
  int used = SSL_CTX_use_certificate(context, leaf);
  X509_free(leaf);
  if (used != 1)
    return ws_tls_error_take(why, "certificate", cert, "refused");
  return add_chain(context, bio, cert, why);
}

static int no_key(const secret *mine, ws_slice key, ws_tls_why why) {
  if (mine->asked && mine->password.len == 0)
    return ws_tls_error_say(why, "key", key,
                            "it is encrypted and no password was given");
  if (mine->asked)
    return ws_tls_error_say(why, "key", key, "the password does not open it");
  /* OpenSSL 3 says "unsupported" of everything that holds no key. */
  if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE)
    return ws_tls_error_take(why, "key", key, "no memory");
  return ws_tls_error_say(why, "key", key,
                          "no private key in it (PEM is expected)");
}

static int use_key(SSL_CTX *context, BIO *bio, ws_slice key, secret *mine,
                   ws_tls_why why) {
  EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, give_password, mine);
  if (!pkey) return no_key(mine, key, why);
  X509 *leaf = SSL_CTX_get0_certificate(context);
  if (!leaf || X509_check_private_key(leaf, pkey) != 1) {
    EVP_PKEY_free(pkey);
    return ws_tls_error_say(why, "key", key,
                            "it does not belong to the certificate");
  }
  int used = SSL_CTX_use_PrivateKey(context, pkey);
  EVP_PKEY_free(pkey);
  if (used != 1 || SSL_CTX_check_private_key(context) != 1)
    return ws_tls_error_take(why, "key", key, "refused");
  return WS_OK;
}

static bool heed_lists(SSL_CTX *context) {
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
}

/* As c_rehash names a revocation list: its issuer's hash, ".r", a number. */
static bool is_list(const char *name) {
  size_t hash = strspn(name, "0123456789abcdef");
  if (hash != 8 || strncmp(name + hash, ".r", 2) != 0) return false;
  const char *number = name + hash + 2;
  return *number != '\0' && number[strspn(number, "0123456789")] == '\0';
}

static bool holds_list(DIR *folder) {
  const struct dirent *entry;
  while ((entry = readdir(folder)))
    if (is_list(entry->d_name)) return true;
  return false;
}

/* OpenSSL opens the files of a folder when it needs them, revocation lists only
 * when these are to be checked. */
static int use_folder(SSL_CTX *context, const char *path, ws_slice ca,
                      ws_tls_why why) {
  DIR *folder = opendir(path);
  if (!folder) return ws_tls_error_say(why, "ca", ca, "cannot be read");
  bool listed = holds_list(folder);
  closedir(folder);
  if (SSL_CTX_load_verify_locations(context, NULL, path) == 1 &&
      (!listed || heed_lists(context)))
    return WS_OK;
  return ws_tls_error_take(why, "ca", ca, "cannot be used");
}

static int trust_folder(SSL_CTX *context, ws_slice ca, bool *done,
                        ws_tls_why why) {
  char *path = copy_path(ca);
  if (!path) return WS_ENOMEM;
  *done = !memchr(ca.data, '\0', ca.len) && is_folder(path);
  int status = *done ? use_folder(context, path, ca, why) : WS_OK;
  ws_memory_free(path);
  return status;
}

static bool trust_one(SSL_CTX *context, X509_INFO *info, bool announce) {
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  if (info->crl &&
      (X509_STORE_add_crl(store, info->crl) != 1 || !heed_lists(context)))
    return false;
  if (!info->x509) return true;
  if (X509_STORE_add_cert(store, info->x509) != 1) return false;
  return !announce || SSL_CTX_add_client_CA(context, info->x509) == 1;
}

static int trust_all(SSL_CTX *context, STACK_OF(X509_INFO) *infos,
                     ws_slice ca, bool announce, ws_tls_why why) {
  int certs = 0;
  for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
    X509_INFO *info = sk_X509_INFO_value(infos, i);
    if (!trust_one(context, info, announce))
      return ws_tls_error_take(why, "ca", ca, "refused");
    certs += info->x509 != NULL;
  }
  if (certs > 0) return WS_OK;
  return ws_tls_error_say(why, "ca", ca,
                          "no certificate in it (PEM is expected)");
}

static int trust_source(SSL_CTX *context, ws_slice ca, bool announce,
                        ws_tls_why why) {
  secret none = {{0}, false};
  BIO *bio = NULL;
  int status = open_source(ca, "ca", why, &bio);
  if (status != WS_OK) return status;
  STACK_OF(X509_INFO) *infos =
      PEM_X509_INFO_read_bio(bio, NULL, give_password, &none);
  if (infos)
    status = trust_all(context, infos, ca, announce, why);
  else
    status = ws_tls_error_take(why, "ca", ca, "cannot be read");
  sk_X509_INFO_pop_free(infos, X509_INFO_free);
  BIO_free(bio);
  return status;
}

int ws_tls_pem_identity(SSL_CTX *context, ws_slice cert, ws_slice key,
                        ws_slice password, ws_tls_why why) {
  secret mine = {password, false};
  BIO *bio = NULL;
  ERR_clear_error();
  int status = open_source(cert, "certificate", why, &bio);
  if (status != WS_OK) return status;
  status = use_cert(context, bio, cert, why);
  BIO_free(bio);
  if (status != WS_OK) return status;
  if (key.len == 0) key = cert;
  status = open_source(key, "key", why, &bio);
  if (status != WS_OK) return status;
  status = use_key(context, bio, key, &mine, why);
  BIO_free(bio);
  return status;
}

int ws_tls_pem_trust(SSL_CTX *context, ws_slice ca, bool announce,
                     ws_tls_why why) {
  bool folder = false;
  ERR_clear_error();
  if (!ws_tls_error_is_pem(ca)) {
    int status = trust_folder(context, ca, &folder, why);
    if (status != WS_OK || folder) return status;
  }
  return trust_source(context, ca, announce, why);
}
