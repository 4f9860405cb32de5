/* SPDX-License-Identifier: MIT */
/* The roots that the system trusts; one .c file per system. Those that a user
 * trusts instead are in tls_pem.h. */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>

/* Adds the system's roots to those of `context`, and those that SSL_CERT_FILE
 * and SSL_CERT_DIR name. When false, OpenSSL's queue has the reason. */
bool ws_tls_trust_system(SSL_CTX *context);
