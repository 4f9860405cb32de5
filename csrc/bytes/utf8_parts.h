/* SPDX-License-Identifier: MIT */
/* The ways to read UTF-8 that utf8.c chooses from, private to utf8*.c and
 * their specs. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The state in which nothing can mend the text. */
#define WS_UTF8_BROKEN UINT32_MAX

/* Byte by byte, from any state to the state after it: exact about the first
 * bad byte, and the last word about every text. */
uint32_t ws_utf8_scalar(uint32_t state, const uint8_t *data, size_t len);

/* `at`, or up to three bytes less where a character is unfinished there. */
size_t ws_utf8_back_up(const uint8_t *data, size_t at);

/* How many bytes from the front are whole, well-formed characters. May say
 * fewer than there are, never more: the rest is for ws_utf8_scalar. In a
 * well-formed text that is at most 5 bytes, and at a bad one a few blocks. */
typedef size_t ws_utf8_walk(const uint8_t *data, size_t len);

/* In vectors of 16 bytes (SSSE3 or NEON), for `len` of at least 16; of 32
 * (AVX2), for at least 32. NULL where the processor has none. */
ws_utf8_walk *ws_utf8_vectors(void);
ws_utf8_walk *ws_utf8_avx2(void);

/* What can be wrong with two neighbours, by the high half of the first, the
 * low half of the first and the high half of the second: a fault that is in
 * all three is there. Order and meaning of the bits: utf8_tables.c. */
extern const uint8_t ws_utf8_tables[3][16];
