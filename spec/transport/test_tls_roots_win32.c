/* SPDX-License-Identifier: MIT */
/* A root in Windows' own store is trusted, unless it is there for other uses.
 * Adds one of ours for a moment; Windows would ask the user about this, Wine
 * does not. */
#include "tls_pair.h"

#include <openssl/pem.h>
#include <winsock2.h>
#include <windows.h>
#include <wincrypt.h>

static const cert_row known = {"1", "server.pem", NULL, "ws.test", NULL};
static const cert_row unknown = {"9", "server.pem", NULL, "ws.test",
                                 "unable to get local issuer"};
static HCERTSTORE store;
static const CERT_CONTEXT *root; /* our root, in the store */

static bool trusts(const cert_row *row) {
  ws_tls_options options = {0};
  ws_tls *client = tls_make(&options);
  bool good = row_try(row, client, true);
  ws_tls_unref(client);
  return good;
}

/* Makes changes visible to others who open the store. */
static void commit(void) {
  CHECK(CertControlStore(store, 0, CERT_STORE_CTRL_COMMIT, NULL));
}

static const CERT_CONTEXT *read_root(void) {
  char *text = cert_text("root.pem");
  BIO *bio = BIO_new_mem_buf(text, -1);
  X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  unsigned char *data = NULL;
  int len = i2d_X509(x509, &data);
  const CERT_CONTEXT *read =
      CertCreateCertificateContext(X509_ASN_ENCODING, data, (DWORD)len);
  OPENSSL_free(data);
  X509_free(x509);
  BIO_free(bio);
  free(text);
  return read;
}

/* Adds the root for that use; NULL: for everything. */
static void put_root(const char *usage) {
  LPSTR usages[] = {(LPSTR)(uintptr_t)usage};
  CERT_ENHKEY_USAGE only = {1, usages};
  const CERT_CONTEXT *ours = read_root();
  store = CertOpenSystemStoreW(0, L"ROOT");
  CHECK(ours != NULL && store != NULL);
  if (usage) CHECK(CertSetEnhancedKeyUsage(ours, &only));
  CHECK(CertAddCertificateContextToStore(
      store, ours, CERT_STORE_ADD_REPLACE_EXISTING, &root));
  CertFreeCertificateContext(ours);
  commit();
}

static void take_root(void) {
  CHECK(CertDeleteCertificateFromStore(root));
  commit();
  CertCloseStore(store, 0);
}

TEST(a_root_of_the_store) {
  CHECK(trusts(&unknown));
  put_root(NULL);
  CHECK(trusts(&known));
  take_root();
  CHECK(trusts(&unknown));
}

TEST(a_root_for_programs) {
  put_root(szOID_PKIX_KP_CODE_SIGNING);
  CHECK(trusts(&unknown));
  take_root();
}

TEST(a_root_for_servers) {
  put_root(szOID_PKIX_KP_SERVER_AUTH);
  CHECK(trusts(&known));
  take_root();
}

int main(void) {
  certs_begin();
  RUN(a_root_of_the_store);
  RUN(a_root_for_programs);
  RUN(a_root_for_servers);
  certs_end();
  return check_done();
}
