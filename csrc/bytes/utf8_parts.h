/* SPDX-License-Identifier: MIT */
/* The implementations that utf8.c chooses from, private to utf8*.c and their
 * specs. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The state of a text that no continuation can make well-formed. */
#define WS_UTF8_BROKEN UINT32_MAX

/* Reads `len` bytes from any state and returns the state after them, which is
 * WS_UTF8_BROKEN from the first bad byte on. Its answer is exact. */
uint32_t ws_utf8_scalar(uint32_t state, const uint8_t *data, size_t len);

/* `at`, or up to three bytes less if a character is unfinished there. */
size_t ws_utf8_back_up(const uint8_t *data, size_t at);

/* How many bytes at the front are whole, well-formed characters. The answer may
 * be too low, never too high: ws_utf8_scalar reads the rest, which is at most 5
 * bytes in well-formed text, else begins up to a few blocks before the bad
 * byte. */
typedef size_t ws_utf8_walk(const uint8_t *data, size_t len);

/* With vectors of 16 bytes (SSSE3 or NEON), for `len` of at least 16; with 32
 * (AVX2), for at least 32. NULL where the processor has none. */
ws_utf8_walk *ws_utf8_vectors(void);
ws_utf8_walk *ws_utf8_avx2(void);

/* The faults that two adjacent bytes can have, by the high half of the first,
 * the low half of the first and the high half of the second: a fault is present
 * when it is in all three. Order and meaning of the bits: utf8_tables.c. */
extern const uint8_t ws_utf8_tables[3][16];
