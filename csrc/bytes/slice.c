/* SPDX-License-Identifier: MIT */
/* Borrowed runs of bytes: comparing, trimming, tokens, comma lists. */
#include "bytes/slice.h"

#include <string.h>

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* tchar of RFC 9110 section 5.6.2. */
static bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  if (c >= '0' && c <= '9') return true;
  return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

ws_slice ws_slice_of(const char *string) {
  return (ws_slice){string, string ? strlen(string) : 0};
}

bool ws_slice_equal(ws_slice a, ws_slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool ws_slice_equal_nocase(ws_slice a, ws_slice b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (lower(a.data[i]) != lower(b.data[i])) return false;
  return true;
}

/* FNV-1a. */
uint32_t ws_slice_hash(ws_slice slice) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < slice.len; i++)
    hash = (hash ^ (uint8_t)slice.data[i]) * 16777619u;
  return hash;
}

ws_slice ws_slice_trim(ws_slice slice) {
  while (slice.len && is_blank(slice.data[0])) {
    slice.data++;
    slice.len--;
  }
  while (slice.len && is_blank(slice.data[slice.len - 1])) slice.len--;
  return slice;
}

int ws_slice_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool ws_slice_is_token(ws_slice slice) {
  for (size_t i = 0; i < slice.len; i++)
    if (!is_token_char(slice.data[i])) return false;
  return slice.len > 0;
}

/* The length up to the next comma outside a quoted string. */
static size_t item_length(ws_slice list) {
  bool quoted = false;
  for (size_t i = 0; i < list.len; i++) {
    char c = list.data[i];
    if (quoted && c == '\\' && i + 1 < list.len) i++;
    else if (c == '"') quoted = !quoted;
    else if (c == ',' && !quoted) return i;
  }
  return list.len;
}

bool ws_slice_next_item(ws_slice *list, ws_slice *item) {
  if (!list->data) return false;
  size_t len = item_length(*list);
  *item = ws_slice_trim((ws_slice){list->data, len});
  if (len == list->len) {
    *list = (ws_slice){NULL, 0};
  } else {
    list->data += len + 1;
    list->len -= len + 1;
  }
  return true;
}
