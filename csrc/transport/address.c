/* SPDX-License-Identifier: MIT */
/* Socket addresses: parsing literals, paths, and writing them out. */
#include "transport/address.h"

#include "bytes/status.h"
#include "transport/socket_system.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct sockaddr_un) <= 128, "a path fits");
_Static_assert(sizeof(struct sockaddr_in6) <= 128, "an address fits");
_Static_assert(sizeof((struct sockaddr_un *)0)->sun_path < WS_ADDRESS_TEXT,
               "a path's text fits");

static void store(ws_address *address, const void *from, size_t len) {
  memset(address, 0, sizeof *address);
  memcpy(address->sockaddr.bytes, from, len);
  address->len = (uint32_t)len;
}

static bool parse_v4(ws_address *address, const char *text, uint16_t port) {
  struct sockaddr_in in;
  memset(&in, 0, sizeof in);
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  if (inet_pton(AF_INET, text, &in.sin_addr) != 1) return false;
  store(address, &in, sizeof in);
  return true;
}

static bool parse_digits(const char *digits, uint32_t *number) {
  uint64_t value = 0;
  if (*digits == '\0') return false;
  for (; *digits != '\0'; digits++) {
    if (*digits < '0' || *digits > '9') return false;
    value = value * 10 + (uint64_t)(*digits - '0');
    if (value > UINT32_MAX) return false;
  }
  *number = (uint32_t)value;
  return true;
}

/* A zone is an interface's name or number, RFC 4007 section 11. */
static bool parse_zone(const char *zone, uint32_t *index) {
  *index = if_nametoindex(zone);
  return *index != 0 || parse_digits(zone, index);
}

static bool parse_v6(ws_address *address, char *text, uint16_t port) {
  struct sockaddr_in6 in;
  memset(&in, 0, sizeof in);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  char *zone = strchr(text, '%');
  if (zone) {
    uint32_t index; /* the type of sin6_scope_id differs between systems */
    *zone = '\0';
    if (!parse_zone(zone + 1, &index)) return false;
    in.sin6_scope_id = index;
  }
  if (inet_pton(AF_INET6, text, &in.sin6_addr) != 1) return false;
  store(address, &in, sizeof in);
  return true;
}

bool ws_address_parse(ws_address *address, ws_slice text, uint16_t port) {
  char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
  if (text.len == 0 || text.len >= sizeof copy) return false;
  if (memchr(text.data, '\0', text.len)) return false;
  memcpy(copy, text.data, text.len);
  copy[text.len] = '\0';
  return parse_v4(address, copy, port) || parse_v6(address, copy, port);
}

int ws_address_unix(ws_address *address, ws_slice path) {
  struct sockaddr_un un;
  memset(&un, 0, sizeof un);
  un.sun_family = AF_UNIX;
  if (path.len == 0 || path.len >= sizeof un.sun_path) return WS_EINVAL;
  if (memchr(path.data, '\0', path.len)) return WS_EINVAL;
  memcpy(un.sun_path, path.data, path.len);
  store(address, &un, offsetof(struct sockaddr_un, sun_path) + path.len + 1);
  return WS_OK;
}

static int family_of(const ws_address *address) {
  struct sockaddr head;
  memcpy(&head, address->sockaddr.bytes, sizeof head);
  return address->len ? head.sa_family : AF_UNSPEC;
}

int ws_address_family(const ws_address *address) {
  int family = family_of(address);
  if (family == AF_INET) return 4;
  return family == AF_INET6 ? 6 : 0;
}

bool ws_address_same(const ws_address *a, const ws_address *b) {
  return a->len == b->len &&
         memcmp(a->sockaddr.bytes, b->sockaddr.bytes, a->len) == 0;
}

uint32_t ws_address_hash(const ws_address *address) {
  return ws_slice_hash(
      (ws_slice){(const char *)address->sockaddr.bytes, address->len});
}

uint16_t ws_address_port(const ws_address *address) {
  if (ws_address_family(address) == 0) return 0;
  struct sockaddr_in in; /* the port is at the same place in both */
  memcpy(&in, address->sockaddr.bytes, sizeof in);
  return ntohs(in.sin_port);
}

static void text_v6(const ws_address *address, char *text) {
  struct sockaddr_in6 in;
  memcpy(&in, address->sockaddr.bytes, sizeof in);
  inet_ntop(AF_INET6, &in.sin6_addr, text, INET6_ADDRSTRLEN);
  if (in.sin6_scope_id == 0) return;
  size_t len = strlen(text);
  snprintf(text + len, WS_ADDRESS_TEXT - len, "%%%u",
           (unsigned)in.sin6_scope_id);
}

/* The system may count a NUL after a path that fills its field: the length of
 * an address that another program made can exceed the struct. */
static void text_path(const ws_address *address, char *text) {
  const size_t before = offsetof(struct sockaddr_un, sun_path);
  const size_t most = sizeof((struct sockaddr_un *)0)->sun_path;
  size_t len = address->len > before ? address->len - before : 0;
  if (len > most) len = most;
  snprintf(text, WS_ADDRESS_TEXT, "%.*s", (int)len,
           (const char *)address->sockaddr.bytes + before);
}

void ws_address_text(const ws_address *address, char text[WS_ADDRESS_TEXT]) {
  text[0] = '\0';
  int family = family_of(address);
  if (family == AF_INET6) {
    text_v6(address, text);
  } else if (family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address->sockaddr.bytes, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, text, INET_ADDRSTRLEN);
  } else if (family == AF_UNIX) {
    text_path(address, text);
  }
}
