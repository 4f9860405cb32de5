/* SPDX-License-Identifier: MIT */
/* Random bytes from the system, for masking keys and handshake keys. */
#pragma once
#include <stddef.h>

/* Fills data[0..len) from the system's generator. Small requests are served
 * from a per-thread block that is filled in advance; each byte is used once,
 * and a forked child fills its own block. WS_OK or WS_ERANDOM, never
 * predictable bytes. Has the type ws_random (protocol/sender.h). */
int ws_entropy(void *data, size_t len);

/* For specs: while on, ws_entropy fails. */
void ws_entropy_fail(int on);
