/* SPDX-License-Identifier: MIT */
/* The roots are files, and the system's OpenSSL knows where. */
#include "transport/tls_roots.h"

bool ws_tls_trust_system(SSL_CTX *context) {
  return SSL_CTX_set_default_verify_paths(context) == 1;
}
