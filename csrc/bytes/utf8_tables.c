/* SPDX-License-Identifier: MIT */
/* The faults that two adjacent bytes of UTF-8 can have, for the vectors: RFC
 * 3629 section 4 by halves of bytes, each fault one bit. The idea is that of
 * "Validating UTF-8 In Less Than One Instruction Per Byte" (2020). */
#include "bytes/utf8_parts.h"

enum {
  SHORT = 1,  /* a lead, then no continuation */
  STRAY = 2,  /* ASCII, then a continuation */
  TWO = 4,    /* C0 and C1: two bytes for what fits in one */
  THREE = 8,  /* E0, then 80 to 9F: three bytes for what fits in two */
  HALF = 16,  /* ED, then A0 to BF: half of a surrogate pair */
  FOUR = 32,  /* F0, then 80 to 8F: four bytes for what fits in three; and
               * F5 to FF, which are no leads, before the same */
  HIGH = 64,  /* F4, then 90 to BF: above U+10FFFF; F5 to FF likewise */
  TWICE = 128 /* continuation after continuation: good if one is due, which
               * takes more than two bytes to know */
};

/* Faults that do not depend on the low half of the first byte. */
#define ANY (SHORT | STRAY | TWICE)

/* Faults that have a continuation as their second byte. */
#define NEXT (STRAY | TWO | TWICE)

const uint8_t ws_utf8_tables[3][16] = {
    {STRAY, STRAY, STRAY, STRAY, STRAY, STRAY, STRAY, STRAY,
     TWICE, TWICE, TWICE, TWICE,
     SHORT | TWO, SHORT, SHORT | THREE | HALF, SHORT | FOUR | HIGH},
    {ANY | TWO | THREE | FOUR, ANY | TWO, ANY, ANY, ANY | HIGH,
     ANY | FOUR | HIGH, ANY | FOUR | HIGH, ANY | FOUR | HIGH,
     ANY | FOUR | HIGH, ANY | FOUR | HIGH, ANY | FOUR | HIGH,
     ANY | FOUR | HIGH, ANY | FOUR | HIGH, ANY | FOUR | HIGH | HALF,
     ANY | FOUR | HIGH, ANY | FOUR | HIGH},
    {SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
     NEXT | THREE | FOUR, NEXT | THREE | HIGH, NEXT | HALF | HIGH,
     NEXT | HALF | HIGH, SHORT, SHORT, SHORT, SHORT},
};
