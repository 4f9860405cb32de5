/* SPDX-License-Identifier: MIT */
/* Loads certificates, keys and trusted roots into an SSL_CTX: from PEM text if
 * the slice contains "-----BEGIN", else from the file of that name. All return
 * WS_OK, WS_ENOMEM, or WS_ETLS with a sentence that names the file. */
#pragma once
#include "bytes/slice.h"
#include "transport/tls_error.h"

#include <openssl/ssl.h>

/* The leaf, the chain after it, and its key (`key` empty: in `cert`). Never
 * prompts at the terminal: without `password` an encrypted key is an error. */
int ws_tls_pem_identity(SSL_CTX *context, ws_slice cert, ws_slice key,
                        ws_slice password, ws_tls_why why);

/* The roots to trust instead of the system's: a file, text, or a folder
 * prepared by c_rehash. Revocation lists found there are used for the leaf.
 * With `announce` a server names the roots to its clients. */
int ws_tls_pem_trust(SSL_CTX *context, ws_slice ca, bool announce,
                     ws_tls_why why);
