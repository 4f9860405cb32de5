/* SPDX-License-Identifier: MIT */
/* Answers of HTTP and SOCKS proxies: our side reacts the same, and uses as
 * many bytes, however they are cut; with names and passwords of any kind. */
#include "fuzz.h"
#include "protocol/http.h"
#include "protocol/tunnel.h"

typedef struct outcome {
  fuzz_log said; /* what we sent, byte by byte */
  size_t used;
  int status;
  char why[WS_TUNNEL_WHY];
} outcome;

static ws_buffer out;

static void note_said(outcome *it) {
  for (size_t i = 0; i < out.len; i++)
    fuzz_log_bytes(&it->said, out.data + i, 1);
  ws_buffer_consume(&out, out.len);
}

static void answer(ws_tunnel *tunnel, fuzz_input in, fuzz_cuts cuts,
                   outcome *it) {
  it->status = WS_EAGAIN;
  while (in.len > 0 && it->status == WS_EAGAIN) {
    ws_slice part = fuzz_run(&in, fuzz_cut(&cuts, in.len));
    size_t used = ws_tunnel_feed(tunnel, fuzz_piece(part.data, part.len),
                                 part.len, &out, &it->status);
    PROMISE(used <= part.len);
    PROMISE(it->status != WS_EAGAIN || used == part.len);
    it->used += used;
    note_said(it);
  }
  PROMISE(it->status == WS_OK || it->status == WS_EAGAIN ||
          it->status == WS_EPROXY);
}

static void check_request(const ws_tunnel_target *target) {
  static ws_http_head head;
  size_t scanned = 0;
  if (target->kind != WS_TUNNEL_HTTP) return;
  size_t len = ws_http_find_end((char *)out.data, out.len, &scanned);
  /* Hosts come from parsed URLs, so only a clean one has to give a head. */
  if (ws_slice_is_token(target->host))
    PROMISE(len == out.len && ws_http_parse_request(
                                  &head, (char *)out.data, len) == WS_OK);
}

static outcome talk(const ws_tunnel_target *target, fuzz_input in,
                    fuzz_cuts cuts) {
  ws_tunnel tunnel;
  outcome it = {.used = 0};
  it.status = ws_tunnel_start(&tunnel, target, fuzz_resize, &out);
  PROMISE(it.status == WS_OK || it.status == WS_EINVAL);
  if (it.status == WS_OK) {
    check_request(target);
    note_said(&it);
    answer(&tunnel, in, cuts, &it);
  }
  const char *why = ws_tunnel_why(&tunnel);
  PROMISE(memchr(why, '\0', WS_TUNNEL_WHY) != NULL);
  PROMISE((*why != '\0') == (it.status < 0 && it.status != WS_EAGAIN));
  strcpy(it.why, why);
  ws_tunnel_deinit(&tunnel);
  ws_buffer_deinit(&out);
  return it;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  uint8_t flags = fuzz_byte(&in);
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  ws_tunnel_target target = {.kind = (ws_tunnel_kind)(flags % 3),
                             .port = (uint16_t)(flags << 6),
                             .has_user = flags & 128};
  target.host = fuzz_counted(&in);
  if (target.has_user) {
    target.user = fuzz_counted(&in);
    target.password = fuzz_counted(&in);
  }
  ws_buffer_init(&out, fuzz_resize, 0);
  outcome whole = talk(&target, in, fuzz_uncut);
  outcome pieces = talk(&target, in, cuts);
  PROMISE(whole.status == pieces.status && whole.used == pieces.used);
  PROMISE(fuzz_log_same(&whole.said, &pieces.said));
  PROMISE(strcmp(whole.why, pieces.why) == 0);
  fuzz_memory_done();
  return 0;
}
