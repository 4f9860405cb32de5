/* SPDX-License-Identifier: MIT */
/* The URL Standard's parser for the four schemes that lead to a WebSocket,
 * in one pass from left to right. Not for other schemes or relative references;
 * hosts are parsed in url_host.c. Bytes that are not UTF-8 are escaped as they
 * are. */
#include "protocol/url.h"

#include "bytes/status.h"
#include "protocol/url_host.h"

#include <stddef.h>
#include <string.h>

/* Parts of the input are escaped to at most three times their length; what
 * else is written (scheme, an address, port, first slash) fits in this. */
#define FIXED_PARTS 96

typedef enum escape_set { IN_QUERY, IN_PATH, IN_USERINFO } escape_set;

/* `out` has room for all that can come of the input. */
typedef struct writer {
  char *out;
  size_t used;
} writer;

static void put(writer *w, char c) { w->out[w->used++] = c; }

static void put_string(writer *w, const char *string) {
  while (*string != '\0') put(w, *string++);
}

/* The text written since `start`. */
static ws_slice since(const writer *w, size_t start) {
  return (ws_slice){w->out + start, w->used - start};
}

/* URL Standard, percent-encode sets; for queries the special-query one. */
static bool is_escaped(unsigned char c, escape_set set) {
  if (c <= ' ' || c > '~' || strchr("\"#<>", c) != NULL) return true;
  if (set == IN_QUERY) return c == '\'';
  if (strchr("?^`{}", c) != NULL) return true;
  return set == IN_USERINFO && strchr("/:;=@[\\]|", c) != NULL;
}

static void put_escaped(writer *w, ws_slice text, escape_set set) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (!is_escaped(c, set)) {
      put(w, (char)c);
      continue;
    }
    put(w, '%');
    put(w, digits[c >> 4]);
    put(w, digits[c & 15]);
  }
}

/* Takes `count` bytes off the front. */
static ws_slice take(ws_slice *text, size_t count) {
  ws_slice front = {text->data, count};
  text->data += count;
  text->len -= count;
  return front;
}

/* How far it is to the first of `stops`, or to the end. */
static size_t until(ws_slice text, const char *stops) {
  size_t i = 0;
  while (i < text.len &&
         (text.data[i] == '\0' || strchr(stops, text.data[i]) == NULL))
    i++;
  return i;
}

/* -------------------------------------------------------------- scheme */

static bool is_scheme(ws_slice text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    if (!letter && (!other || i == 0)) return false;
  }
  return text.len > 0;
}

static bool parse_scheme(ws_slice *in, ws_url *url, const char **why) {
  size_t len = until(*in, ":");
  ws_slice scheme = {in->data, len};
  if (len == in->len || !is_scheme(scheme)) {
    *why = "it does not begin with a scheme";
    return false;
  }
  take(in, len + 1);
  url->secure = ws_slice_equal_nocase(scheme, ws_slice_of("wss")) ||
                ws_slice_equal_nocase(scheme, ws_slice_of("https"));
  if (url->secure || ws_slice_equal_nocase(scheme, ws_slice_of("ws")) ||
      ws_slice_equal_nocase(scheme, ws_slice_of("http")))
    return true;
  *why = "the scheme is not ws, wss, http or https";
  return false;
}

/* ----------------------------------------------------------- authority */

/* Takes "user:password@" off the front, up to the last @. */
static void parse_credentials(ws_slice *authority, writer *w, ws_url *url) {
  size_t end = authority->len;
  while (end > 0 && authority->data[end - 1] != '@') end--;
  if (end == 0) return;
  ws_slice rest = take(authority, end);
  rest.len--;
  size_t start = w->used;
  put_escaped(w, take(&rest, until(rest, ":")), IN_USERINFO);
  url->username = since(w, start);
  if (rest.len > 1) {
    take(&rest, 1);
    put(w, ':');
    start = w->used;
    put_escaped(w, rest, IN_USERINFO);
    url->password = since(w, start);
  }
  if (url->username.len + url->password.len > 0) put(w, '@');
}

/* The first colon that is not between brackets, or the end. */
static size_t host_length(ws_slice authority) {
  bool inside = false;
  for (size_t i = 0; i < authority.len; i++) {
    if (authority.data[i] == ':' && !inside) return i;
    if (authority.data[i] == '[') inside = true;
    if (authority.data[i] == ']') inside = false;
  }
  return authority.len;
}

static unsigned default_port(const ws_url *url) {
  return url->secure ? 443 : 80;
}

/* `digits` may be empty: the default port. */
static bool parse_port(ws_slice digits, ws_url *url, const char **why) {
  unsigned port = digits.len == 0 ? default_port(url) : 0;
  for (size_t i = 0; i < digits.len; i++) {
    char c = digits.data[i];
    if (c < '0' || c > '9') {
      *why = "the port is not a number";
      return false;
    }
    port = port * 10 + (unsigned)(c - '0');
    if (port > 65535) {
      *why = "the port is above 65535";
      return false;
    }
  }
  url->port = (uint16_t)port;
  return true;
}

static void put_port(writer *w, unsigned port) {
  put(w, ':');
  unsigned unit = 1;
  while (port / unit >= 10) unit *= 10;
  for (; unit > 0; unit /= 10) put(w, (char)('0' + port / unit % 10));
}

static bool parse_authority(ws_slice authority, writer *w, ws_url *url,
                            const char **why) {
  parse_credentials(&authority, w, url);
  ws_slice host = take(&authority, host_length(authority));
  size_t start = w->used;
  ptrdiff_t len =
      ws_url_host_parse(host, w->out + start, &url->host_kind, why);
  if (len < 0) return false;
  w->used += (size_t)len;
  url->host = since(w, start);
  if (authority.len > 0) take(&authority, 1);
  if (!parse_port(authority, url, why)) return false;
  if (url->port != default_port(url)) put_port(w, url->port);
  url->authority = since(w, start);
  return true;
}

/* ------------------------------------------------------ path and query */

/* 1 for ".", 2 for "..", escaped or not, 0 for any other segment. */
static int count_dots(ws_slice segment) {
  int dots = 0;
  while (segment.len > 0 && dots < 3) {
    ws_slice front = {segment.data, segment.len < 3 ? segment.len : 3};
    bool escaped = ws_slice_equal_nocase(front, ws_slice_of("%2e"));
    if (!escaped && segment.data[0] != '.') return 0;
    take(&segment, escaped ? 3 : 1);
    dots++;
  }
  return dots < 3 ? dots : 0;
}

/* Forgets the last segment of the path that begins at `start`. */
static void shorten(writer *w, size_t start) {
  while (w->used > start && w->out[--w->used] != '/') continue;
}

/* `path` is empty or begins with a slash of either kind. */
static void put_path(writer *w, ws_slice path) {
  size_t start = w->used;
  bool last = false;
  while (!last) {
    if (path.len > 0) take(&path, 1);
    ws_slice segment = take(&path, until(path, "/\\"));
    last = path.len == 0;
    int dots = count_dots(segment);
    if (dots == 2) shorten(w, start);
    if (dots == 0 || last) put(w, '/');
    if (dots == 0) put_escaped(w, segment, IN_PATH);
  }
}

/* S22: a bare "?" stays in the URL and is left off the request line. */
static void put_target(writer *w, ws_slice rest, ws_url *url) {
  size_t start = w->used;
  put_path(w, take(&rest, until(rest, "?")));
  url->target = since(w, start);
  if (rest.len == 0) return;
  take(&rest, 1);
  put(w, '?');
  if (rest.len == 0) return;
  put_escaped(w, rest, IN_QUERY);
  url->target = since(w, start);
}

/* --------------------------------------------------------------- whole */

/* URL Standard, basic URL parser, steps 1 to 3: removes outer controls and
 * spaces, and tabs and line ends everywhere. Copies to `into`. */
static ws_slice tidy(ws_slice input, char *into) {
  size_t used = 0, start = 0, end = input.len;
  while (end > start && (unsigned char)input.data[end - 1] <= ' ') end--;
  while (start < end && (unsigned char)input.data[start] <= ' ') start++;
  for (size_t i = start; i < end; i++) {
    char c = input.data[i];
    if (c != '\t' && c != '\n' && c != '\r') into[used++] = c;
  }
  return (ws_slice){into, used};
}

static bool parse(ws_slice in, writer *w, ws_url *url, const char **why) {
  size_t fragment = until(in, "#");
  bool has_fragment = fragment < in.len;
  in.len = fragment;
  if (!parse_scheme(&in, url, why)) return false;
  put_string(w, url->secure ? "wss://" : "ws://");
  while (in.len > 0 && (in.data[0] == '/' || in.data[0] == '\\')) take(&in, 1);
  ws_slice authority = take(&in, until(in, "/\\?"));
  if (!parse_authority(authority, w, url, why)) return false;
  put_target(w, in, url);
  if (has_fragment) *why = "a WebSocket URL must not have a fragment (#)";
  return !has_fragment;
}

/* The slices point into the writer's text; makes them point into url->text. */
static void move_slices(ws_url *url, const char *from) {
  ws_slice *slices[] = {&url->host, &url->username, &url->password,
                        &url->authority, &url->target};
  for (size_t i = 0; i < sizeof(slices) / sizeof(*slices); i++)
    if (slices[i]->data != NULL)
      slices[i]->data =
          (const char *)url->text.data + (slices[i]->data - from);
}

int ws_url_parse(ws_url *url, ws_slice input, ws_resize *resize,
                 const char **why) {
  memset(url, 0, sizeof(*url));
  ws_buffer_init(&url->text, resize, 0);
  *why = NULL;
  if (input.len > SIZE_MAX / 8) return WS_ENOMEM;
  ws_buffer scratch;
  ws_buffer_init(&scratch, resize, 0);
  int status = ws_buffer_reserve(&scratch, 4 * input.len + FIXED_PARTS);
  if (status != WS_OK) return status;
  char *tidied = (char *)scratch.data;
  writer w = {tidied + input.len, 0};
  status = WS_EURL;
  if (parse(tidy(input, tidied), &w, url, why)) {
    status = ws_buffer_append(&url->text, w.out, w.used);
    if (status == WS_OK) move_slices(url, w.out);
  }
  ws_buffer_deinit(&scratch);
  return status;
}

void ws_url_deinit(ws_url *url) { ws_buffer_deinit(&url->text); }

int ws_url_decode(ws_slice text, ws_buffer *into) {
  int status = ws_buffer_reserve(into, text.len);
  if (status != WS_OK) return status;
  if (text.len > 0)
    into->len += ws_url_percent_decode(text, (char *)into->data + into->len);
  return WS_OK;
}
