/* SPDX-License-Identifier: MIT */
/* Heads of HTTP/1.1 messages: finding their end, cutting them into slices,
 * looking up headers, and how long a body follows. Every byte is looked at a
 * fixed number of times, whatever the peer sends. Bodies in chunks are for
 * http_chunks.c; what the headers mean is for handshake. */
#include "protocol/http.h"

#include "bytes/status.h"

#include <string.h>

static bool is_control(char c) {
  unsigned char byte = (unsigned char)c;
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool has_name(const ws_http_header *header, ws_slice name) {
  return ws_slice_equal_nocase(header->name, name);
}

/* ------------------------------------------------------------- parsing */

/* Takes a line off the front of `rest`, without its CRLF. False if it does not
 * end with one. */
static bool next_line(ws_slice *rest, ws_slice *line) {
  if (rest->len == 0) return false;
  const char *end = memchr(rest->data, '\n', rest->len);
  if (end == NULL || end == rest->data || end[-1] != '\r') return false;
  line->data = rest->data;
  line->len = (size_t)(end - rest->data) - 1;
  rest->len -= line->len + 2;
  rest->data = end + 1;
  return true;
}

/* RFC 9112 section 2.3: upper case and single digits. The numbers are set even
 * if the version is not 1.x. */
static bool parse_version(ws_http_head *head, ws_slice text) {
  if (text.len != 8 || memcmp(text.data, "HTTP/", 5) != 0) return false;
  if (!is_digit(text.data[5]) || text.data[6] != '.' || !is_digit(text.data[7]))
    return false;
  head->major = (unsigned)(text.data[5] - '0');
  head->minor = (unsigned)(text.data[7] - '0');
  return head->major == 1;
}

/* RFC 9112 section 5: no space before the colon (5.1), no folding (5.2), both
 * of which a name that is a token rules out. */
static bool parse_header(ws_http_header *header, ws_slice line) {
  const char *colon = memchr(line.data, ':', line.len);
  if (colon == NULL) return false;
  size_t len = (size_t)(colon - line.data);
  header->name = (ws_slice){line.data, len};
  header->value = ws_slice_trim((ws_slice){colon + 1, line.len - len - 1});
  return ws_slice_is_token(header->name) && ws_http_value_ok(header->value);
}

static int parse_headers(ws_http_head *head, ws_slice rest) {
  for (;;) {
    ws_slice line;
    if (!next_line(&rest, &line)) return WS_EHTTP;
    if (line.len == 0) return rest.len == 0 ? WS_OK : WS_EHTTP;
    if (head->header_count == WS_HTTP_HEADERS_MAX) return WS_EHEADTOOBIG;
    if (!parse_header(&head->headers[head->header_count], line))
      return WS_EHTTP;
    head->header_count++;
  }
}

/* The headers past header_count are never read: no need to clear them. */
static void clear(ws_http_head *head) {
  head->method = head->target = head->reason = (ws_slice){NULL, 0};
  head->status = head->major = head->minor = 0;
  head->header_count = 0;
}

/* RFC 9112 section 3: method, target and version with one space between. */
static bool parse_request_line(ws_http_head *head, ws_slice line) {
  const char *end = line.data + line.len;
  const char *first = memchr(line.data, ' ', line.len);
  if (first == NULL) return false;
  const char *target = first + 1;
  const char *second = memchr(target, ' ', (size_t)(end - target));
  if (second == NULL) return false;
  head->method = (ws_slice){line.data, (size_t)(first - line.data)};
  head->target = (ws_slice){target, (size_t)(second - target)};
  ws_slice version = {second + 1, (size_t)(end - second) - 1};
  return parse_version(head, version) && ws_slice_is_token(head->method) &&
         ws_http_is_visible(head->target);
}

/* RFC 9112 section 4, but the space before an empty reason may be missing. */
static bool parse_status_line(ws_http_head *head, ws_slice line) {
  if (line.len < 12 || !parse_version(head, (ws_slice){line.data, 8}) ||
      line.data[8] != ' ')
    return false;
  for (size_t i = 9; i < 12; i++) {
    if (!is_digit(line.data[i])) return false;
    head->status = head->status * 10 + (unsigned)(line.data[i] - '0');
  }
  if (head->status < 100) return false;
  if (line.len == 12) return true;
  head->reason = (ws_slice){line.data + 13, line.len - 13};
  return line.data[12] == ' ' && ws_http_value_ok(head->reason);
}

/* -------------------------------------------------- lengths and reasons */

/* RFC 9110 section 8.6: digits only, and no more than fits. */
static bool parse_length(ws_slice text, uint64_t *length) {
  *length = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!is_digit(text.data[i])) return false;
    unsigned digit = (unsigned)(text.data[i] - '0');
    if (*length > (UINT64_MAX - digit) / 10) return false;
    *length = *length * 10 + digit;
  }
  return text.len > 0;
}

/* The length on which all Content-Length headers agree; `*found` if there are
 * any. False if they disagree or one is malformed. */
static bool common_length(const ws_http_head *head, uint64_t *length,
                          bool *found) {
  ws_slice name = ws_slice_of("Content-Length");
  *found = false;
  for (size_t i = 0; i < head->header_count; i++) {
    uint64_t value;
    if (!has_name(&head->headers[i], name)) continue;
    if (!parse_length(head->headers[i].value, &value)) return false;
    if (*found && value != *length) return false;
    *length = value;
    *found = true;
  }
  return true;
}

static const struct {
  unsigned status;
  const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {511, "Network Authentication Required"},
};

/* ------------------------------------------------------------ exported */

size_t ws_http_find_end(const char *data, size_t len, size_t *scanned) {
  while (*scanned < len) {
    const char *found = memchr(data + *scanned, '\n', len - *scanned);
    if (found == NULL) break;
    size_t at = (size_t)(found - data);
    *scanned = at + 1;
    if (at >= 1 && data[at - 1] == '\n') return at + 1;
    if (at >= 2 && data[at - 1] == '\r' && data[at - 2] == '\n') return at + 1;
  }
  *scanned = len;
  return 0;
}

ws_slice ws_http_skip_empty_line(const ws_buffer *bytes) {
  ws_slice text = {(const char *)bytes->data, bytes->len};
  size_t len = text.len < 2 ? text.len : 2;
  if (len == 0 || memcmp(text.data, "\r\n", len) != 0) return text;
  return (ws_slice){text.data + len, text.len - len};
}

int ws_http_parse_request(ws_http_head *head, const char *data, size_t len) {
  ws_slice rest = {data, len}, line;
  clear(head);
  if (!next_line(&rest, &line) || !parse_request_line(head, line))
    return WS_EHTTP;
  return parse_headers(head, rest);
}

bool ws_http_may_be_response(const ws_buffer *bytes) {
  size_t len = bytes->len < 5 ? bytes->len : 5;
  return memcmp(bytes->data, "HTTP/", len) == 0;
}

int ws_http_parse_response(ws_http_head *head, const char *data, size_t len) {
  ws_slice rest = {data, len}, line;
  clear(head);
  if (!next_line(&rest, &line) || !parse_status_line(head, line))
    return WS_EHTTP;
  return parse_headers(head, rest);
}

const ws_http_header *ws_http_find(const ws_http_head *head,
                                   const char *name) {
  ws_slice wanted = ws_slice_of(name);
  for (size_t i = 0; i < head->header_count; i++)
    if (has_name(&head->headers[i], wanted)) return &head->headers[i];
  return NULL;
}

size_t ws_http_count(const ws_http_head *head, const char *name) {
  ws_slice wanted = ws_slice_of(name);
  size_t count = 0;
  for (size_t i = 0; i < head->header_count; i++)
    if (has_name(&head->headers[i], wanted)) count++;
  return count;
}

bool ws_http_has_token(const ws_http_head *head, const char *name,
                       const char *token) {
  ws_slice wanted = ws_slice_of(name), sought = ws_slice_of(token);
  for (size_t i = 0; i < head->header_count; i++) {
    if (!has_name(&head->headers[i], wanted)) continue;
    ws_slice list = head->headers[i].value, item;
    while (ws_slice_next_item(&list, &item))
      if (ws_slice_equal_nocase(item, sought)) return true;
  }
  return false;
}

int ws_http_body(const ws_http_head *head, bool response,
                 ws_http_body_kind *kind, uint64_t *length) {
  *kind = WS_BODY_NONE;
  *length = 0;
  if (response &&
      (head->status < 200 || head->status == 204 || head->status == 304))
    return WS_OK;
  size_t encodings = ws_http_count(head, "Transfer-Encoding");
  bool found;
  uint64_t common = 0;
  if (!common_length(head, &common, &found)) return WS_EHTTP;
  if (encodings > 0) {
    ws_slice coding = ws_http_find(head, "Transfer-Encoding")->value;
    /* 6.1: with a length or in HTTP/1.0 the framing is faulty. */
    if (encodings > 1 || found || head->minor == 0 ||
        !ws_slice_equal_nocase(coding, ws_slice_of("chunked")))
      return WS_EHTTP;
    *kind = WS_BODY_CHUNKED;
    return WS_OK;
  }
  if (common > 0) *kind = WS_BODY_LENGTH;
  if (!found && response) *kind = WS_BODY_UNTIL_END;
  *length = common;
  return WS_OK;
}

const char *ws_http_reason(unsigned status) {
  for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
    if (reasons[i].status == status) return reasons[i].reason;
  return "";
}

bool ws_http_is_visible(ws_slice text) {
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] <= ' ' || text.data[i] > '~') return false;
  return text.len > 0;
}

bool ws_http_value_ok(ws_slice value) {
  for (size_t i = 0; i < value.len; i++)
    if (is_control(value.data[i])) return false;
  return true;
}

int ws_http_write_status(ws_buffer *into, unsigned status) {
  const char digits[3] = {(char)('0' + status / 100 % 10),
                          (char)('0' + status / 10 % 10),
                          (char)('0' + status % 10)};
  return ws_buffer_append(into, digits, sizeof digits);
}

int ws_http_write_header(ws_buffer *into, ws_slice name, ws_slice value) {
  if (!ws_slice_is_token(name) || !ws_http_value_ok(value)) return WS_EINVAL;
  const ws_slice parts[] = {name, {": ", 2}, value, {"\r\n", 2}};
  size_t before = into->len;
  for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
    int status = ws_buffer_append(into, parts[i].data, parts[i].len);
    if (status != WS_OK) {
      into->len = before;
      return status;
    }
  }
  return WS_OK;
}
