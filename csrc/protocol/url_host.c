/* SPDX-License-Identifier: MIT */
/* Hosts of URLs: percent-decoding, the many spellings of IPv4, IPv6. No IDNA:
 * a name that is not ASCII is refused, not sent raw. No names are resolved
 * here. */
#include "protocol/url_host.h"

#include "bytes/status.h"

#include <stdint.h>
#include <string.h>

/* ---------------------------------------------------------------- IPv4 */

/* URL Standard, IPv4 number parser: decimal, octal after 0, hexadecimal after
 * 0x; 0x alone is zero. A value above 32 bits is cut, but stays above. */
static bool read_number(ws_slice part, uint64_t *value) {
  unsigned radix = 10;
  size_t at = 0;
  if (part.len == 0) return false;
  if (part.len >= 2 && part.data[0] == '0') {
    bool hex = part.data[1] == 'x' || part.data[1] == 'X';
    radix = hex ? 16 : 8;
    at = hex ? 2 : 1;
  }
  *value = 0;
  for (; at < part.len; at++) {
    int digit = ws_slice_hex(part.data[at]);
    if (digit < 0 || (unsigned)digit >= radix) return false;
    if (*value <= UINT32_MAX) *value = *value * radix + (unsigned)digit;
  }
  return true;
}

static ws_slice without_last_dot(ws_slice name) {
  if (name.len > 0 && name.data[name.len - 1] == '.') name.len--;
  return name;
}

/* URL Standard, ends-in-a-number checker: such a name must be an IPv4
 * address. */
static bool ends_in_number(ws_slice name) {
  name = without_last_dot(name);
  size_t start = name.len;
  while (start > 0 && name.data[start - 1] != '.') start--;
  ws_slice last = {name.data + start, name.len - start};
  size_t digits = 0;
  while (digits < last.len && last.data[digits] >= '0' &&
         last.data[digits] <= '9')
    digits++;
  uint64_t ignored;
  return (last.len > 0 && digits == last.len) || read_number(last, &ignored);
}

static bool read_ipv4(ws_slice name, uint32_t *address) {
  uint64_t numbers[4];
  size_t count = 0;
  name = without_last_dot(name);
  for (size_t start = 0; start <= name.len; count++) {
    size_t end = start;
    while (end < name.len && name.data[end] != '.') end++;
    ws_slice part = {name.data + start, end - start};
    if (count == 4 || !read_number(part, &numbers[count])) return false;
    start = end + 1;
  }
  uint64_t last = numbers[count - 1];
  if (last >> (8 * (5 - count)) != 0) return false;
  *address = (uint32_t)last;
  for (size_t i = 0; i + 1 < count; i++) {
    if (numbers[i] > 255) return false;
    *address += (uint32_t)numbers[i] << (8 * (3 - i));
  }
  return true;
}

static size_t write_ipv4(uint32_t address, char *into) {
  size_t used = 0;
  for (unsigned shift = 32; shift > 0; shift -= 8) {
    unsigned byte = (address >> (shift - 8)) & 255;
    if (byte >= 100) into[used++] = (char)('0' + byte / 100);
    if (byte >= 10) into[used++] = (char)('0' + byte / 10 % 10);
    into[used++] = (char)('0' + byte % 10);
    if (shift > 8) into[used++] = '.';
  }
  return used;
}

/* ---------------------------------------------------------------- IPv6 */

/* The dotted end of "::ffff:1.2.3.4": four decimals without leading zeros. */
static bool read_dotted(ws_slice text, size_t at, uint16_t pieces[2]) {
  for (size_t i = 0; i < 4; i++) {
    if (i > 0 && (at == text.len || text.data[at++] != '.')) return false;
    size_t start = at;
    unsigned value = 0;
    for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
         at++) {
      if (at > start && value == 0) return false;
      value = value * 10 + (unsigned)(text.data[at] - '0');
      if (value > 255) return false;
    }
    if (at == start) return false;
    pieces[i / 2] = (uint16_t)(pieces[i / 2] * 256 + value);
  }
  return at == text.len;
}

/* Moves the pieces after the "::" to the end and fills the gap with zeros. */
static void spread(uint16_t pieces[8], size_t gap, size_t count) {
  size_t tail = count - gap;
  for (size_t i = 0; i < tail; i++) pieces[7 - i] = pieces[count - 1 - i];
  for (size_t i = gap; i < 8 - tail; i++) pieces[i] = 0;
}

static size_t read_piece(ws_slice text, size_t at, uint16_t *value) {
  size_t start = at;
  *value = 0;
  for (; at < text.len && at - start < 4; at++) {
    int digit = ws_slice_hex(text.data[at]);
    if (digit < 0) break;
    *value = (uint16_t)(*value * 16 + digit);
  }
  return at;
}

/* URL Standard, IPv6 parser. `gap` is the index, from 1, of the first piece
 * that the "::" stands for; 0 while there is none. */
static bool read_ipv6(ws_slice text, uint16_t pieces[8]) {
  size_t at = 0, count = 0, gap = 0;
  memset(pieces, 0, 8 * sizeof(*pieces));
  if (text.len > 0 && text.data[0] == ':') {
    if (text.len < 2 || text.data[1] != ':') return false;
    at = 2;
    gap = ++count;
  }
  while (at < text.len) {
    if (count == 8) return false;
    if (text.data[at] == ':') {
      if (gap > 0) return false;
      at++;
      gap = ++count;
      continue;
    }
    size_t start = at;
    at = read_piece(text, at, &pieces[count]);
    if (at < text.len && text.data[at] == '.') {
      pieces[count] = 0;
      if (count > 6 || !read_dotted(text, start, pieces + count)) return false;
      count += 2;
      break;
    }
    if (at < text.len && (text.data[at] != ':' || ++at == text.len))
      return false;
    count++;
  }
  if (gap == 0) return count == 8;
  spread(pieces, gap, count);
  return true;
}

/* The first of the longest runs of two or more zero pieces; its length is 0
 * when there is none. */
static size_t longest_run(const uint16_t pieces[8], size_t *length) {
  size_t best = 0;
  *length = 0;
  for (size_t i = 0; i < 8; i++) {
    size_t run = 0;
    while (i + run < 8 && pieces[i + run] == 0) run++;
    if (run > 1 && run > *length) {
      best = i;
      *length = run;
    }
  }
  return best;
}

static size_t write_piece(unsigned piece, char *into) {
  size_t used = 0;
  for (unsigned shift = 16; shift > 0; shift -= 4)
    if (shift == 4 || piece >> (shift - 4) != 0)
      into[used++] = "0123456789abcdef"[(piece >> (shift - 4)) & 15];
  return used;
}

static size_t write_ipv6(const uint16_t pieces[8], char *into) {
  size_t length, used = 0;
  size_t start = longest_run(pieces, &length);
  into[used++] = '[';
  for (size_t i = 0; i < 8; i++) {
    if (length > 0 && i == start) {
      if (i == 0) into[used++] = ':';
      into[used++] = ':';
      i += length - 1;
      continue;
    }
    used += write_piece(pieces[i], into + used);
    if (i < 7) into[used++] = ':';
  }
  into[used++] = ']';
  return used;
}

/* --------------------------------------------------------------- names */

/* URL Standard, forbidden domain code points. */
static bool forbidden(unsigned char c) {
  return c <= ' ' || c == 0x7f || strchr("%#/:<>?@[\\]^|", c) != NULL;
}

static bool clean_name(char *name, size_t len, const char **why) {
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)name[i];
    if (c >= 0x80) {
      *why = "the host is not ASCII: write it in its xn-- form";
      return false;
    }
    if (forbidden(c)) {
      *why = "the host has a character that is not allowed in it";
      return false;
    }
    if (c >= 'A' && c <= 'Z') name[i] = (char)(c + ('a' - 'A'));
  }
  return true;
}

static ptrdiff_t parse_bracketed(ws_slice host, char *into,
                                 const char **why) {
  uint16_t pieces[8];
  if (host.len < 2 || host.data[host.len - 1] != ']') {
    *why = "the bracket of the IPv6 address is not closed";
    return WS_EURL;
  }
  if (!read_ipv6((ws_slice){host.data + 1, host.len - 2}, pieces)) {
    *why = "the IPv6 address is malformed";
    return WS_EURL;
  }
  return (ptrdiff_t)write_ipv6(pieces, into);
}

size_t ws_url_percent_decode(ws_slice text, char *into) {
  size_t used = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c == '%' && text.len - i > 2) {
      int high = ws_slice_hex(text.data[i + 1]);
      int low = ws_slice_hex(text.data[i + 2]);
      if (high >= 0 && low >= 0) {
        c = (char)(high * 16 + low);
        i += 2;
      }
    }
    into[used++] = c;
  }
  return used;
}

ptrdiff_t ws_url_host_parse(ws_slice host, char *into, ws_host_kind *kind,
                            const char **why) {
  if (host.len > 0 && host.data[0] == '[') {
    *kind = WS_HOST_IPV6;
    return parse_bracketed(host, into, why);
  }
  ws_slice name = {into, ws_url_percent_decode(host, into)};
  if (name.len == 0) {
    *why = "there is no host";
    return WS_EURL;
  }
  if (!clean_name(into, name.len, why)) return WS_EURL;
  *kind = WS_HOST_NAME;
  if (!ends_in_number(name)) return (ptrdiff_t)name.len;
  uint32_t address;
  if (!read_ipv4(name, &address)) {
    *why = "the host ends in a number and is not an IPv4 address";
    return WS_EURL;
  }
  *kind = WS_HOST_IPV4;
  return (ptrdiff_t)write_ipv4(address, into);
}

bool ws_url_host_is_ipv6(ws_slice text) {
  uint16_t pieces[8];
  return read_ipv6(text, pieces);
}

size_t ws_url_host_bytes(ws_slice host, uint8_t bytes[16]) {
  uint16_t pieces[8];
  uint32_t address;
  if (read_ipv6(host, pieces)) {
    for (size_t i = 0; i < 16; i++)
      bytes[i] = (uint8_t)(pieces[i / 2] >> (i % 2 ? 0 : 8));
    return 16;
  }
  if (!read_ipv4(host, &address)) return 0;
  for (size_t i = 0; i < 4; i++)
    bytes[i] = (uint8_t)(address >> (8 * (3 - i)));
  return 4;
}
