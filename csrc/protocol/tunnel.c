/* SPDX-License-Identifier: MIT */
/* Asks proxies for a tunnel, and reads their answers. */
#include "protocol/tunnel.h"

#include "bytes/base64.h"
#include "bytes/status.h"
#include "protocol/excerpt.h"
#include "protocol/http.h"
#include "protocol/url_host.h"

#include <string.h>

#define HEAD_MOST 16384
#define SOCKS_MOST 255 /* bytes of a name, user or password */

static const char not_http[] = "proxy: its answer is not HTTP";

enum { STEP_HTTP, STEP_METHOD, STEP_LOGIN, STEP_ANSWER, STEP_SOCKS4 };

/* ------------------------------------------------------------- saying why */

static int explain(ws_tunnel *tunnel, int status, const char *why) {
  size_t len = strlen(why);
  if (len >= WS_TUNNEL_WHY) len = WS_TUNNEL_WHY - 1;
  memcpy(tunnel->why, why, len);
  tunnel->why[len] = '\0';
  return status;
}

/* "proxy: it answered 407 Proxy Authentication Required" */
static int explain_head(ws_tunnel *tunnel, const ws_http_head *head) {
  ws_slice reason = head->reason;
  if (reason.len == 0) reason = ws_slice_of(ws_http_reason(head->status));
  ws_buffer text;
  ws_buffer_init_fixed(&text, tunnel->why, WS_TUNNEL_WHY - 1);
  (void)ws_buffer_append(&text, "proxy: it answered ", 19);
  (void)ws_http_write_status(&text, head->status);
  (void)ws_buffer_append(&text, " ", reason.len > 0 ? 1 : 0);
  ws_excerpt_append(&text, reason.data, reason.len);
  tunnel->why[text.len] = '\0';
  return WS_EPROXY;
}

/* ---------------------------------------------------------------- HTTP */

static int append_port(ws_buffer *out, unsigned port) {
  char digits[6] = {':'};
  size_t len = 1;
  for (unsigned unit = 10000; unit > 0; unit /= 10)
    if (port >= unit || unit == 1)
      digits[len++] = (char)('0' + port / unit % 10);
  return ws_buffer_append(out, digits, len);
}

/* "host:port", an IPv6 literal in brackets. */
static int append_authority(ws_buffer *out, const ws_tunnel_target *target) {
  bool brackets = memchr(target->host.data, ':', target->host.len) != NULL;
  int status = brackets ? ws_buffer_append(out, "[", 1) : WS_OK;
  if (status == WS_OK)
    status = ws_buffer_append(out, target->host.data, target->host.len);
  if (status == WS_OK && brackets) status = ws_buffer_append(out, "]", 1);
  return status == WS_OK ? append_port(out, target->port) : status;
}

/* "Basic ...", RFC 7617. */
static int append_login(ws_buffer *out, const ws_tunnel_target *target,
                        ws_resize *resize) {
  if (!target->has_user) return WS_OK;
  ws_buffer plain;
  ws_buffer_init(&plain, resize, 0);
  int status = ws_buffer_append(&plain, target->user.data, target->user.len);
  if (status == WS_OK) status = ws_buffer_append(&plain, ":", 1);
  if (status == WS_OK)
    status = ws_buffer_append(&plain, target->password.data,
                              target->password.len);
  static const char name[] = "Proxy-Authorization: Basic ";
  if (status == WS_OK)
    status = ws_buffer_append(out, name, sizeof name - 1);
  size_t size = WS_BASE64_LENGTH(plain.len);
  if (status == WS_OK) status = ws_buffer_reserve(out, size);
  if (status == WS_OK) {
    ws_base64_encode(plain.data, plain.len, (char *)out->data + out->len);
    out->len += size;
    status = ws_buffer_append(out, "\r\n", 2);
  }
  ws_buffer_deinit(&plain);
  return status;
}

static int say_connect(const ws_tunnel_target *target, ws_resize *resize,
                       ws_buffer *out) {
  int status = ws_buffer_append(out, "CONNECT ", 8);
  if (status == WS_OK) status = append_authority(out, target);
  if (status == WS_OK)
    status = ws_buffer_append(out, " HTTP/1.1\r\nHost: ", 17);
  if (status == WS_OK) status = append_authority(out, target);
  if (status == WS_OK) status = ws_buffer_append(out, "\r\n", 2);
  if (status == WS_OK) status = append_login(out, target, resize);
  return status == WS_OK ? ws_buffer_append(out, "\r\n", 2) : status;
}

/* 9.3.6: any 2xx opens the tunnel, whatever its headers say of a body. */
static int judge_head(ws_tunnel *tunnel, size_t len) {
  ws_http_head head;
  int status = ws_http_parse_response(&head, (char *)tunnel->in.data, len);
  if (status == WS_EHEADTOOBIG)
    return explain(tunnel, WS_EPROXY, "proxy: its answer has too many headers");
  if (status != WS_OK)
    return explain(tunnel, WS_EPROXY, not_http);
  if (head.status < 200) { /* not yet the answer */
    ws_buffer_consume(&tunnel->in, len);
    tunnel->scanned = 0;
    if (++tunnel->interim <= WS_HTTP_INTERIM_MAX) return WS_EAGAIN;
    return explain(tunnel, WS_EPROXY,
                   "proxy: it sent too many interim answers");
  }
  if (head.status > 299) return explain_head(tunnel, &head);
  return WS_OK;
}

/* ---------------------------------------------------------------- SOCKS */

/* A length and that many bytes. */
static int append_counted(ws_buffer *out, ws_slice text) {
  uint8_t len = (uint8_t)text.len;
  int status = ws_buffer_append(out, &len, 1);
  return status == WS_OK ? ws_buffer_append(out, text.data, text.len) : status;
}

static int append_port_bytes(ws_buffer *out, uint16_t port) {
  uint8_t bytes[2] = {(uint8_t)(port >> 8), (uint8_t)port};
  return ws_buffer_append(out, bytes, 2);
}

/* RFC 1928 section 4: an address by its bytes, a name as it is. */
static int append_host(ws_buffer *out, ws_slice host) {
  uint8_t bytes[17];
  size_t len = ws_url_host_bytes(host, bytes + 1);
  if (len > 0) {
    bytes[0] = len == 4 ? 1 : 4;
    return ws_buffer_append(out, bytes, 1 + len);
  }
  int status = ws_buffer_append(out, "\3", 1);
  return status == WS_OK ? append_counted(out, host) : status;
}

static int prepare_socks5(ws_tunnel *tunnel, const ws_tunnel_target *target) {
  int status = ws_buffer_append(&tunnel->request, "\5\1\0", 3);
  if (status == WS_OK) status = append_host(&tunnel->request, target->host);
  if (status == WS_OK)
    status = append_port_bytes(&tunnel->request, target->port);
  if (status != WS_OK || !target->has_user) return status;
  status = ws_buffer_append(&tunnel->login, "\1", 1);
  if (status == WS_OK) status = append_counted(&tunnel->login, target->user);
  if (status == WS_OK)
    status = append_counted(&tunnel->login, target->password);
  return status;
}

static int say_socks4(const ws_tunnel_target *target, ws_buffer *out) {
  int status = ws_buffer_append(out, "\4\1", 2);
  if (status == WS_OK) status = append_port_bytes(out, target->port);
  if (status == WS_OK) status = ws_buffer_append(out, "\0\0\0\1", 4);
  if (status == WS_OK)
    status = ws_buffer_append(out, target->user.data, target->user.len);
  if (status == WS_OK) status = ws_buffer_append(out, "\0", 1);
  if (status == WS_OK)
    status = ws_buffer_append(out, target->host.data, target->host.len);
  return status == WS_OK ? ws_buffer_append(out, "\0", 1) : status;
}

/* RFC 1928 section 6. */
static const char *socks5_refusal(uint8_t code) {
  static const char *const texts[] = {
      "proxy: it cannot reach the host",
      "proxy: general failure",
      "proxy: not allowed by its rules",
      "proxy: network unreachable",
      "proxy: host unreachable",
      "proxy: connection refused",
      "proxy: the time to live expired",
      "proxy: it does not support this command",
      "proxy: it does not support this address type"};
  return texts[code < sizeof texts / sizeof *texts ? code : 0];
}

static int take_method(ws_tunnel *tunnel, const uint8_t *answer,
                       ws_buffer *out) {
  if (answer[0] != 5)
    return explain(tunnel, WS_EPROXY, "proxy: its answer is not SOCKS5");
  bool asks = answer[1] == 2 && tunnel->login.len > 0;
  if (answer[1] != 0 && !asks)
    return explain(tunnel, WS_EPROXY,
                   tunnel->login.len
                       ? "proxy: it accepts neither a password nor none"
                       : "proxy: it requires a user and password");
  const ws_buffer *next = asks ? &tunnel->login : &tunnel->request;
  tunnel->step = asks ? STEP_LOGIN : STEP_ANSWER;
  int status = ws_buffer_append(out, next->data, next->len);
  return status == WS_OK ? WS_EAGAIN : status;
}

static int take_login(ws_tunnel *tunnel, const uint8_t *answer,
                      ws_buffer *out) {
  if (answer[1] != 0)
    return explain(tunnel, WS_EPROXY, "proxy: wrong user or password");
  tunnel->step = STEP_ANSWER;
  int status =
      ws_buffer_append(out, tunnel->request.data, tunnel->request.len);
  return status == WS_OK ? WS_EAGAIN : status;
}

static int take_answer(ws_tunnel *tunnel, const uint8_t *answer) {
  if (answer[0] != 5)
    return explain(tunnel, WS_EPROXY, "proxy: its answer is not SOCKS5");
  if (answer[1] != 0)
    return explain(tunnel, WS_EPROXY, socks5_refusal(answer[1]));
  return WS_OK;
}

static int take_socks4(ws_tunnel *tunnel, const uint8_t *answer) {
  if (answer[0] != 0)
    return explain(tunnel, WS_EPROXY, "proxy: its answer is not SOCKS4");
  if (answer[1] != 90)
    return explain(tunnel, WS_EPROXY, "proxy: it refused or cannot reach it");
  return WS_OK;
}

/* How long the answer is, as far as the bytes that have come tell. */
static size_t answer_length(const ws_tunnel *tunnel) {
  const uint8_t *data = tunnel->in.data;
  size_t len = tunnel->in.len;
  if (tunnel->step == STEP_METHOD || tunnel->step == STEP_LOGIN) return 2;
  if (tunnel->step == STEP_SOCKS4) return 8;
  if (len < 2) return 2;
  if (data[1] != 0) return 2; /* refused: the rest says no more */
  if (len < 5) return 5;
  if (data[3] == 1) return 10;
  return data[3] == 4 ? 22 : 7 + (size_t)data[4];
}

static int take_whole(ws_tunnel *tunnel, ws_buffer *out) {
  const uint8_t *data = tunnel->in.data;
  switch (tunnel->step) {
    case STEP_METHOD: return take_method(tunnel, data, out);
    case STEP_LOGIN: return take_login(tunnel, data, out);
    case STEP_ANSWER: return take_answer(tunnel, data);
    default: return take_socks4(tunnel, data);
  }
}

/* ----------------------------------------------------------- exported */

static int check(ws_tunnel *tunnel, const ws_tunnel_target *target) {
  const ws_slice all[] = {target->host, target->user, target->password};
  bool http = target->kind == WS_TUNNEL_HTTP;
  for (size_t i = 0; i < 3; i++) {
    bool clean = all[i].len == 0 || !memchr(all[i].data, 0, all[i].len);
    if (!clean || (!http && all[i].len > SOCKS_MOST))
      return explain(tunnel, WS_EINVAL,
                     "proxy: a host, user or password that is too long "
                     "or has a zero byte");
  }
  if (http && target->has_user && target->user.len &&
      memchr(target->user.data, ':', target->user.len))
    return explain(tunnel, WS_EINVAL, "proxy: a user with a colon");
  return WS_OK;
}

int ws_tunnel_start(ws_tunnel *tunnel, const ws_tunnel_target *target,
                    ws_resize *resize, ws_buffer *out) {
  memset(tunnel, 0, sizeof *tunnel);
  ws_buffer_init(&tunnel->in, resize, HEAD_MOST);
  ws_buffer_init(&tunnel->request, resize, 0);
  ws_buffer_init(&tunnel->login, resize, 0);
  int status = check(tunnel, target);
  if (status != WS_OK) return status;
  if (target->kind == WS_TUNNEL_HTTP) {
    tunnel->step = STEP_HTTP;
    return say_connect(target, resize, out);
  }
  if (target->kind == WS_TUNNEL_SOCKS4) {
    tunnel->step = STEP_SOCKS4;
    return say_socks4(target, out);
  }
  tunnel->step = STEP_METHOD;
  status = prepare_socks5(tunnel, target);
  if (status != WS_OK) return status;
  return target->has_user ? ws_buffer_append(out, "\5\2\0\2", 4)
                          : ws_buffer_append(out, "\5\1\0", 3);
}

void ws_tunnel_deinit(ws_tunnel *tunnel) {
  ws_buffer_deinit(&tunnel->in);
  ws_buffer_deinit(&tunnel->request);
  ws_buffer_deinit(&tunnel->login);
}

/* Byte by byte: an answer is short, and what follows it is not ours. */
static int feed_http(ws_tunnel *tunnel, const uint8_t *byte) {
  int status = ws_buffer_append(&tunnel->in, byte, 1);
  if (status == WS_ETOOBIG)
    return explain(tunnel, WS_EPROXY, "proxy: its answer is too long");
  if (status != WS_OK) return status;
  if (!ws_http_may_be_response(&tunnel->in))
    return explain(tunnel, WS_EPROXY, not_http);
  if (*byte != '\n') return WS_EAGAIN;
  size_t len = ws_http_find_end((char *)tunnel->in.data, tunnel->in.len,
                                &tunnel->scanned);
  return len == 0 ? WS_EAGAIN : judge_head(tunnel, len);
}

static int feed_socks(ws_tunnel *tunnel, const uint8_t *byte,
                      ws_buffer *out) {
  int status = ws_buffer_append(&tunnel->in, byte, 1);
  if (status != WS_OK) return status;
  if (tunnel->in.len < answer_length(tunnel)) return WS_EAGAIN;
  status = take_whole(tunnel, out);
  ws_buffer_consume(&tunnel->in, tunnel->in.len);
  return status;
}

size_t ws_tunnel_feed(ws_tunnel *tunnel, const uint8_t *data, size_t len,
                      ws_buffer *out, int *status) {
  *status = WS_EAGAIN;
  size_t used = 0;
  while (used < len && *status == WS_EAGAIN) {
    const uint8_t *byte = &data[used++];
    *status = tunnel->step == STEP_HTTP ? feed_http(tunnel, byte)
                                        : feed_socks(tunnel, byte, out);
  }
  return used;
}

const char *ws_tunnel_why(const ws_tunnel *tunnel) { return tunnel->why; }
