/* SPDX-License-Identifier: MIT */
/* XOR with a frame's masking key, RFC 6455 section 5.3. Uses vector code where
 * the processor has it; the result is the same everywhere. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* data[i] ^= key[(offset + i) % 4], in place. `offset` is how many payload
 * bytes of the frame came before. Touches nothing outside data[0..len). */
void ws_mask(uint8_t *data, size_t len, const uint8_t key[4], uint64_t offset);

/* into[i] = from[i] ^ key[(offset + i) % 4]; the two must not overlap. */
void ws_mask_copy(uint8_t *into, const uint8_t *from, size_t len,
                  const uint8_t key[4], uint64_t offset);
