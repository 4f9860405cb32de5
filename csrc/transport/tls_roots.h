/* SPDX-License-Identifier: MIT */
/* Whom the system trusts, a file a system. What a user trusts instead is
 * tls_pem.h's. */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>

/* Adds the system's roots to those of `context`, and what SSL_CERT_FILE and
 * SSL_CERT_DIR name. false leaves the reason in OpenSSL's queue. */
bool ws_tls_trust_system(SSL_CTX *context);
