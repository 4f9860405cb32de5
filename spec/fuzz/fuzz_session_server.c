/* SPDX-License-Identifier: MIT */
/* A server's session, from the first byte of its client on. */
#include "sessions.h"

static const char head_text[] =
    "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: chat, v2\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

static fuzz_log serve(fuzz_input in, uint8_t flags, fuzz_cuts cuts) {
  static solo it;
  solo_prepare(&it, true, flags);
  ws_session_init_server(&it.session, &it.config);
  solo_feed_all(&it, in, cuts);
  bool upgraded =
      it.out.len > 12 && memcmp(it.out.data, "HTTP/1.1 101", 12) == 0;
  if (it.out.len > 0)
    PROMISE(it.out.len > 12 && memcmp(it.out.data, "HTTP/1.1 ", 9) == 0);
  solo_check_said(&it, upgraded);
  solo_end(&it);
  return it.log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static uint8_t stream[65536];
  fuzz_input in = {data, len};
  uint8_t flags = fuzz_byte(&in);
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  size_t before = flags & WITH_HANDSHAKE ? sizeof head_text - 1 : 0;
  if (in.len > sizeof stream - before) in.len = sizeof stream - before;
  memcpy(stream, head_text, before);
  if (in.len > 0) memcpy(stream + before, in.data, in.len);
  fuzz_input all = {stream, before + in.len};
  if (flags & NO_MEMORY) {
    fuzz_memory.fail_at = cuts.lengths[3];
    (void)serve(all, flags, cuts);
    return 0;
  }
  fuzz_log whole = serve(all, flags, fuzz_uncut);
  fuzz_log pieces = serve(all, flags, cuts);
  PROMISE(fuzz_log_same(&whole, &pieces));
  return 0;
}
