/* SPDX-License-Identifier: MIT */
/* Random bytes from the system, for masking keys and handshake keys. */
#pragma once
#include <stddef.h>

/* Fills data[0..len) from the system's generator. Small requests are served
 * from a block of this thread's that is drawn ahead, each byte given once; a
 * forked child draws its own. WS_OK or WS_ERANDOM, never predictable bytes.
 * Fits ws_random (protocol/sender.h). */
int ws_entropy(void *data, size_t len);

/* While on, ws_entropy fails: for specs. */
void ws_entropy_fail(int on);
