/* SPDX-License-Identifier: MIT */
/* URLs: the normal form parses to itself, its parts lie inside it, and our own
 * server accepts the Host that a client makes from it. */
#include "fuzz.h"
#include "protocol/authority.h"
#include "protocol/url.h"
#include "protocol/url_host.h"

static ws_buffer text;

static void check_inside(const ws_url *url) {
  const ws_slice parts[] = {url->host, url->username, url->password,
                            url->authority, url->target};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    PROMISE(fuzz_inside(parts[i], url->text.data, url->text.len));
  PROMISE(url->target.len > 0 && url->target.data[0] == '/');
  PROMISE(url->host.len > 0);
  for (size_t i = 0; i < url->text.len; i++)
    PROMISE(url->text.data[i] > ' ' && url->text.data[i] <= '~');
}

static void check_again(const ws_url *url) {
  ws_url again;
  const char *why = NULL;
  ws_slice whole = fuzz_text(&url->text);
  PROMISE(ws_url_parse(&again, whole, fuzz_resize, &why) == WS_OK);
  PROMISE(ws_slice_equal(fuzz_text(&again.text), whole));
  PROMISE(ws_slice_equal(again.host, url->host));
  PROMISE(ws_slice_equal(again.target, url->target));
  PROMISE(ws_slice_equal(again.username, url->username));
  PROMISE(ws_slice_equal(again.password, url->password));
  PROMISE(again.port == url->port && again.secure == url->secure);
  PROMISE(again.host_kind == url->host_kind);
  ws_url_deinit(&again);
}

/* The URL Standard allows these characters in a host, RFC 3986 does not. */
static bool is_odd(ws_slice host) {
  for (size_t i = 0; i < host.len; i++)
    if (strchr("\"`{}", host.data[i])) return true;
  return false;
}

static void check_authority(const ws_url *url) {
  ws_slice host;
  long port;
  bool good = ws_authority_split(url->authority, &host, &port);
  PROMISE(good == !is_odd(url->host));
  if (!good) return;
  PROMISE(ws_slice_equal(host, url->host));
  PROMISE(port == (url->port == (url->secure ? 443 : 80) ? -1 : url->port));
  bool brackets = url->host.data[0] == '[';
  PROMISE(brackets == (url->host_kind == WS_HOST_IPV6));
  if (!brackets) return;
  ws_slice address = {url->host.data + 1, url->host.len - 2};
  PROMISE(ws_url_host_is_ipv6(address));
}

static void check_written(const ws_url *url) {
  ws_buffer_consume(&text, text.len);
  ws_slice scheme = ws_slice_of(url->secure ? "wss://" : "ws://");
  PROMISE(ws_buffer_append(&text, scheme.data, scheme.len) == WS_OK);
  PROMISE(ws_buffer_append(&text, url->authority.data,
                           url->authority.len) == WS_OK);
  ws_url origin;
  const char *why = NULL;
  PROMISE(ws_url_parse(&origin, fuzz_text(&text), fuzz_resize, &why) ==
          WS_OK);
  PROMISE(ws_slice_equal(origin.authority, url->authority));
  ws_url_deinit(&origin);
  ws_buffer_consume(&text, text.len);
  PROMISE(ws_url_decode(url->username, &text) == WS_OK);
  PROMISE(text.len <= url->username.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  ws_url url;
  const char *why = NULL;
  if (!text.resize) ws_buffer_init(&text, fuzz_resize, 0);
  ws_slice input = {(char *)fuzz_piece(data, len), len};
  size_t before = fuzz_memory.blocks;
  int status = ws_url_parse(&url, input, fuzz_resize, &why);
  ws_slice host;
  long port;
  if (ws_authority_split(input, &host, &port))
    PROMISE(fuzz_inside(host, input.data, len) && port <= 65535);
  if (status != WS_OK) {
    PROMISE(status == WS_EURL && why && fuzz_memory.blocks == before);
    return 0;
  }
  check_inside(&url);
  check_again(&url);
  check_authority(&url);
  check_written(&url);
  ws_url_deinit(&url);
  return 0;
}
