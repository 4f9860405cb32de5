/* SPDX-License-Identifier: MIT */
/* Windows keeps its roots in a store that OpenSSL does not look into by
 * itself. Verifying servers against them is for OpenSSL. */
#include "transport/tls_roots.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>
#include <winsock2.h>
#include <windows.h>
#include <wincrypt.h>

static bool has_usage(const CERT_ENHKEY_USAGE *usage, const char *wanted) {
  for (DWORD i = 0; i < usage->cUsageIdentifier; i++)
    if (strcmp(usage->rgpszUsageIdentifier[i], wanted) == 0) return true;
  return false;
}

/* A property beside a root may restrict it, for example to signed programs.
 * Without that property it is for everything. */
static bool is_for_servers(const CERT_CONTEXT *cert) {
  union {
    CERT_ENHKEY_USAGE usage;
    char room[4096]; /* a root with a longer list of uses is not taken */
  } found;
  DWORD size = sizeof found;
  SetLastError(0);
  if (!CertGetEnhancedKeyUsage(cert, CERT_FIND_PROP_ONLY_ENHKEY_USAGE_FLAG,
                               &found.usage, &size) ||
      found.usage.cUsageIdentifier == 0)
    return GetLastError() == (DWORD)CRYPT_E_NOT_FOUND;
  return has_usage(&found.usage, szOID_PKIX_KP_SERVER_AUTH);
}

/* A root that cannot be read or added is left out. */
static void add(X509_STORE *store, const CERT_CONTEXT *cert) {
  const unsigned char *data = cert->pbCertEncoded;
  if (!(cert->dwCertEncodingType & X509_ASN_ENCODING)) return;
  if (!is_for_servers(cert)) return;
  X509 *root = d2i_X509(NULL, &data, (long)cert->cbCertEncoded);
  if (root) (void)X509_STORE_add_cert(store, root);
  X509_free(root);
}

bool ws_tls_trust_system(SSL_CTX *context) {
  const CERT_CONTEXT *cert = NULL;
  if (SSL_CTX_set_default_verify_paths(context) != 1) return false;
  HCERTSTORE roots = CertOpenSystemStoreW(0, L"ROOT");
  if (!roots) return true; /* as a system without roots */
  while ((cert = CertEnumCertificatesInStore(roots, cert)) != NULL)
    add(SSL_CTX_get_cert_store(context), cert);
  CertCloseStore(roots, 0);
  ERR_clear_error();
  return true;
}
