/* SPDX-License-Identifier: MIT */
/* Reads Sec-WebSocket-Extensions in one pass: each call takes bytes off the
 * front of what is left. It checks only the grammar. */
#include "protocol/extension.h"

#include "bytes/status.h"

static void advance(ws_slice *text, size_t count) {
  text->data += count;
  text->len -= count;
}

static void skip_blanks(ws_slice *text) {
  while (text->len > 0 && (*text->data == ' ' || *text->data == '\t'))
    advance(text, 1);
}

/* Takes `c` and the blanks after it, if `c` comes next. */
static bool skip(ws_slice *text, char c) {
  if (text->len == 0 || *text->data != c) return false;
  advance(text, 1);
  skip_blanks(text);
  return true;
}

static bool is_token_char(const char *c) {
  return ws_slice_is_token((ws_slice){c, 1});
}

/* Takes a token and the blanks after it; false when there is none. */
static bool take_token(ws_slice *text, ws_slice *token) {
  size_t len = 0;
  while (len < text->len && is_token_char(text->data + len)) len++;
  *token = (ws_slice){text->data, len};
  advance(text, len);
  skip_blanks(text);
  return len > 0;
}

/* A quoted string that is a token once unescaped (9.1); its opening quote has
 * been taken. A server accepts an empty one, and then declines the offer
 * instead of refusing the connection (R45). */
static bool take_quoted(ws_slice *text, bool lax, ws_slice *inner) {
  size_t len = 0;
  while (len < text->len && text->data[len] != '"') {
    if (text->data[len] == '\\' && ++len == text->len) return false;
    if (!is_token_char(text->data + len)) return false;
    len++;
  }
  if (len == text->len || (len == 0 && !lax)) return false;
  *inner = (ws_slice){text->data, len};
  advance(text, len + 1);
  skip_blanks(text);
  return true;
}

void ws_extension_start(ws_extension_reader *reader, ws_slice value,
                        bool lax) {
  reader->rest = value;
  reader->lax = lax;
  reader->due = true;
}

int ws_extension_next(ws_extension_reader *reader, ws_slice *name) {
  ws_slice *rest = &reader->rest;
  ws_extension_param unread;
  int more;
  while ((more = ws_extension_next_param(reader, &unread)) > 0) continue;
  if (more < 0) return more;
  bool comma = reader->due;
  if (comma) skip_blanks(rest);
  while (skip(rest, ',')) {
    if (comma && !reader->lax) return WS_EHTTP;
    comma = true;
  }
  /* Only a comma may follow an extension, and after it an extension must. */
  if (rest->len == 0) return comma && !reader->lax ? WS_EHTTP : 0;
  if (!comma || !take_token(rest, name)) return WS_EHTTP;
  reader->due = false;
  return 1;
}

int ws_extension_next_param(ws_extension_reader *reader,
                            ws_extension_param *param) {
  ws_slice *rest = &reader->rest;
  if (reader->due || !skip(rest, ';')) return 0;
  if (!take_token(rest, &param->name)) return WS_EHTTP;
  param->value = (ws_slice){NULL, 0};
  param->has_value = skip(rest, '=');
  if (!param->has_value) return 1;
  bool quoted = rest->len > 0 && *rest->data == '"';
  if (quoted) advance(rest, 1);
  bool good = quoted ? take_quoted(rest, reader->lax, &param->value)
                     : take_token(rest, &param->value);
  return good ? 1 : WS_EHTTP;
}

int ws_extension_number(const ws_extension_param *param) {
  int number = 0;
  size_t digits = 0;
  for (size_t i = 0; i < param->value.len; i++) {
    char c = param->value.data[i];
    if (c == '\\') continue;
    if (c < '0' || c > '9' || ++digits > 4) return -1;
    if (digits > 1 && number == 0) return -1;
    number = number * 10 + (c - '0');
  }
  return digits > 0 ? number : -1;
}
