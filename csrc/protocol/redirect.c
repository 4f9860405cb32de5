/* SPDX-License-Identifier: MIT */
/* Location, resolved against the URL that was asked for. */
#include "protocol/redirect.h"

#include "bytes/status.h"

#include <string.h>

bool ws_redirect_is(const ws_http_head *head) {
  unsigned status = head->status;
  bool moved = status == 301 || status == 302 || status == 303 ||
               status == 307 || status == 308;
  return moved && ws_http_count(head, "location") == 1;
}

static bool starts_with(ws_slice text, const char *with) {
  size_t len = strlen(with);
  return text.len >= len && memcmp(text.data, with, len) == 0;
}

static ws_slice without_fragment(ws_slice text) {
  const char *mark = text.len ? memchr(text.data, '#', text.len) : NULL;
  if (mark) text.len = (size_t)(mark - text.data);
  return text;
}

/* RFC 3986 section 4.1: a scheme comes before any slash. */
static bool is_absolute(ws_slice text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == ':') return i > 0;
    if (text.data[i] == '/' || text.data[i] == '?') return false;
  }
  return false;
}

/* RFC 3986 section 5.2.2: the base's path up to its last slash, for a relative
 * path; its whole path for nothing but a query; all of it for nothing. */
static ws_slice target_to_keep(ws_slice target, ws_slice reference) {
  if (reference.len == 0) return target;
  const char *query = memchr(target.data, '?', target.len);
  if (query) target.len = (size_t)(query - target.data);
  if (reference.data[0] == '?') return target;
  while (target.len > 0 && target.data[target.len - 1] != '/') target.len--;
  return target;
}

/* Room was reserved: the URL is at most as long as base and reference. */
static void append(ws_buffer *into, ws_slice slice) {
  (void)ws_buffer_append(into, slice.data, slice.len);
}

/* RFC 3986 section 5.2.2: what the reference takes over from the base.
 * ws_url_parse resolves dot segments later. */
static void append_base(ws_buffer *into, const ws_url *base,
                        ws_slice reference) {
  if (is_absolute(reference)) return;
  append(into, ws_slice_of(base->secure ? "wss:" : "ws:"));
  if (starts_with(reference, "//")) return;
  append(into, ws_slice_of("//"));
  append(into, base->authority);
  if (starts_with(reference, "/")) return;
  append(into, target_to_keep(base->target, reference));
}

int ws_redirect_url(const ws_http_head *head, const ws_url *base,
                    ws_resize *resize, ws_url *url, const char **why) {
  ws_slice reference =
      without_fragment(ws_http_find(head, "location")->value);
  ws_buffer text;
  ws_buffer_init(&text, resize, 0);
  int status = ws_buffer_reserve(&text, base->text.len + reference.len);
  if (status != WS_OK) return status;
  append_base(&text, base, reference);
  append(&text, reference);
  status = ws_url_parse(url, (ws_slice){(const char *)text.data, text.len},
                        resize, why);
  ws_buffer_deinit(&text);
  return status;
}

bool ws_redirect_same_origin(const ws_url *a, const ws_url *b) {
  return a->secure == b->secure && a->port == b->port &&
         ws_slice_equal(a->host, b->host);
}
