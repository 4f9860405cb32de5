/* SPDX-License-Identifier: MIT */
/* A client's session, from the first byte of its server on. */
#include "sessions.h"

static const ws_slice protocols[] = {{"chat", 4}, {"v2", 2}};
static uint8_t stream[65536];
static ws_buffer answers[2]; /* the 101s that this client expects */

static int start(solo *it, uint8_t flags) {
  const ws_handshake_request request = {.target = {"/chat", 5},
                                        .host = {"h:81", 4},
                                        .protocols = protocols,
                                        .protocol_count = 2};
  fuzz_random_state = 1;
  solo_prepare(it, false, flags);
  return ws_session_init_client(&it->session, &it->config, &request,
                                &it->out);
}

static void make_answer(uint8_t flags, ws_buffer *text) {
  static solo it;
  static ws_http_head head;
  char accept[WS_ACCEPT_LENGTH];
  ws_slice deflate = ws_slice_of("permessage-deflate");
  if (!flags) deflate.len = 0;
  PROMISE(start(&it, flags) == WS_OK);
  PROMISE(ws_http_parse_request(&head, (char *)it.out.data, it.out.len) ==
          WS_OK);
  ws_handshake_accept(ws_http_find(&head, "Sec-WebSocket-Key")->value,
                      accept);
  solo_end(&it);
  ws_buffer_init(text, ws_memory_resize, 0);
  PROMISE(ws_handshake_write_accept(text, accept, protocols[1], deflate, NULL,
                                    0) == WS_OK);
}

static fuzz_log browse(fuzz_input in, uint8_t flags, fuzz_cuts cuts) {
  static solo it;
  int status = start(&it, flags);
  PROMISE(status == WS_OK || flags & NO_MEMORY);
  if (status == WS_OK) {
    solo_feed_all(&it, in, cuts);
    solo_check_said(&it, true);
  }
  solo_end(&it);
  return it.log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  uint8_t flags = fuzz_byte(&in);
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  uint8_t deflate = flags & WITH_DEFLATE;
  ws_buffer *answer = &answers[deflate != 0];
  if (answer->len == 0) make_answer(deflate, answer);
  size_t before = flags & WITH_HANDSHAKE ? answer->len : 0;
  memcpy(stream, answer->data, before);
  if (in.len > sizeof stream - before) in.len = sizeof stream - before;
  if (in.len > 0) memcpy(stream + before, in.data, in.len);
  fuzz_input all = {stream, before + in.len};
  if (flags & NO_MEMORY) {
    fuzz_memory.fail_at = cuts.lengths[3];
    (void)browse(all, flags, cuts);
    return 0;
  }
  fuzz_log whole = browse(all, flags, fuzz_uncut);
  fuzz_log pieces = browse(all, flags, cuts);
  PROMISE(fuzz_log_same(&whole, &pieces));
  return 0;
}
