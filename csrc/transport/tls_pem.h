/* SPDX-License-Identifier: MIT */
/* Certificates, keys and trusted roots into an SSL_CTX: from PEM text when
 * the slice holds "-----BEGIN", else from the file of that name. All return
 * WS_OK, WS_ENOMEM, or WS_ETLS with a sentence that names the file. */
#pragma once
#include "bytes/slice.h"
#include "transport/tls_error.h"

#include <openssl/ssl.h>

/* The leaf, the chain behind it, and its key (`key` empty: in `cert`). Never
 * asks at the terminal: without `password` an encrypted key is an error. */
int ws_tls_pem_identity(SSL_CTX *context, ws_slice cert, ws_slice key,
                        ws_slice password, ws_tls_why why);

/* The roots to trust, in place of the system's: a file, text, or a folder as
 * c_rehash leaves it. Revocation lists found beside them are used for the
 * leaf. With `announce` a server names the roots to its clients. */
int ws_tls_pem_trust(SSL_CTX *context, ws_slice ca, bool announce,
                     ws_tls_why why);
