/* SPDX-License-Identifier: MIT */
/* Host names and certificates. OpenSSL verifies the chain up to a trusted root;
 * the name is checked by OpenSSL and by us. */
#include "transport/tls_name.h"

#include "bytes/status.h"

#include <openssl/x509v3.h>
#include <string.h>

/* The common name does not name a host (RFC 9525 section 6.3), and a wildcard
 * must be a whole label. */
#define CHECKS (X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | \
                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

/* One of the four numbers of an IPv4 address, 0 to 255 without leading zeros:
 * those are octal to some systems, decimal to others. */
static const char *take_number(const char *at, unsigned char *number) {
  unsigned value = 0;
  const char *start = at;
  while (is_digit(*at) && at - start < 3) {
    value = value * 10 + (unsigned)(*at - '0');
    at++;
  }
  if (at == start || value > 255) return NULL;
  if (*start == '0' && at - start > 1) return NULL;
  *number = (unsigned char)value;
  return at;
}

static bool take_ipv4(ws_tls_name *name) {
  const char *at = name->text;
  for (size_t i = 0; i < 4; i++) {
    if (i > 0 && *at++ != '.') return false;
    at = take_number(at, &name->ip[i]);
    if (!at) return false;
  }
  if (*at != '\0') return false;
  name->ip_len = 4;
  return true;
}

static bool take_ipv6(ws_tls_name *name) {
  /* A zone ("%eth0") says where the address is, not whose it is. */
  char *zone = strchr(name->text, '%');
  if (zone) *zone = '\0';
  name->len = strlen(name->text);
  for (size_t i = 0; i < name->len; i++)
    if (!is_hex(name->text[i]) && !strchr(":.", name->text[i])) return false;
  if (name->len < 2) return false; /* OpenSSL takes ":" for an address */
  ASN1_OCTET_STRING *octets = a2i_IPADDRESS(name->text);
  if (!octets) return false;
  bool good = ASN1_STRING_length(octets) == 16;
  if (good) {
    memcpy(name->ip, ASN1_STRING_get0_data(octets), 16);
    name->ip_len = 16;
  }
  ASN1_OCTET_STRING_free(octets);
  return good;
}

/* Labels of letters, digits, hyphens and underscores. The last must not be a
 * number, or the host would be an address to the resolver and a name to us. */
static bool is_name(const ws_tls_name *name) {
  const char *label = name->text;
  for (const char *at = name->text;; at++) {
    if (*at == '.' || *at == '\0') {
      if (at == label || at - label > 63) return false;
      if (*at == '\0') break;
      label = at + 1;
    } else if (!is_letter(*at) && !is_digit(*at) && !strchr("-_", *at)) {
      return false;
    }
  }
  if (label[0] == '0' && label[1] == 'x')
    return label[2 + strspn(label + 2, "0123456789abcdef")] != '\0';
  return label[strspn(label, "0123456789")] != '\0';
}

static void copy_lower(ws_tls_name *name, ws_slice host) {
  for (size_t i = 0; i < host.len; i++) {
    char c = host.data[i];
    name->text[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
  }
  name->len = host.len;
}

int ws_tls_name_init(ws_tls_name *name, ws_slice host) {
  memset(name, 0, sizeof *name);
  if (host.len > 0 && host.data[host.len - 1] == '.') host.len--;
  if (host.len == 0 || host.len > WS_TLS_NAME_MOST) return WS_EINVAL;
  if (memchr(host.data, '\0', host.len)) return WS_EINVAL;
  copy_lower(name, host);
  if (strchr(name->text, ':')) return take_ipv6(name) ? WS_OK : WS_EINVAL;
  if (take_ipv4(name)) return WS_OK;
  return is_name(name) ? WS_OK : WS_EINVAL;
}

bool ws_tls_name_expect(const ws_tls_name *name, SSL *ssl, bool verify) {
  if (name->ip_len == 0 && SSL_set_tlsext_host_name(ssl, name->text) != 1)
    return false;
  if (!verify) return true;
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  if (!param) return false;
  X509_VERIFY_PARAM_set_hostflags(param, CHECKS);
  if (name->ip_len > 0)
    return X509_VERIFY_PARAM_set1_ip(param, name->ip, name->ip_len) == 1;
  return X509_VERIFY_PARAM_set1_host(param, name->text, name->len) == 1;
}

bool ws_tls_name_matches(const ws_tls_name *name, X509 *leaf) {
  if (name->len == 0) return false;
  if (name->ip_len > 0)
    return X509_check_ip(leaf, name->ip, name->ip_len, CHECKS) == 1;
  return X509_check_host(leaf, name->text, name->len, CHECKS, NULL) == 1;
}
