/* SPDX-License-Identifier: MIT */
/* Close payloads: any body is judged by the rules of RFC 6455 sections 5.5.1
 * and 7.4, and what we write, our own peer reads. */
#include "fuzz.h"
#include "bytes/utf8.h"
#include "protocol/receiver.h"
#include "protocol/sender.h"

static const ws_receiver_limits plain = {.masked = false};
static const ws_receiver_limits masked = {.masked = true};

/* 7.4: the codes an endpoint may send. */
static bool may_be_sent(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

static int expected_status(const uint8_t *body, size_t len) {
  if (len == 0) return WS_OK;
  if (len == 1 || !may_be_sent((unsigned)(body[0] << 8 | body[1])))
    return WS_EPROTOCOL;
  return ws_utf8_valid(body + 2, len - 2) ? WS_OK : WS_EUTF8;
}

static ws_event receive(ws_receiver *receiver, const ws_receiver_limits *how,
                        fuzz_input frame, fuzz_cuts cuts) {
  ws_event event = {.type = WS_EVENT_NONE};
  ws_receiver_init(receiver, how, fuzz_resize);
  while (frame.len > 0 && event.type == WS_EVENT_NONE) {
    ws_slice part = fuzz_run(&frame, fuzz_cut(&cuts, frame.len));
    (void)ws_receiver_feed(receiver, fuzz_piece(part.data, part.len),
                           part.len, &event);
  }
  return event;
}

static void check_event(const ws_event *event, const uint8_t *body,
                        size_t len) {
  int expected = expected_status(body, len);
  if (expected != WS_OK) {
    PROMISE(event->type == WS_EVENT_FAIL && event->status == expected);
    return;
  }
  PROMISE(event->type == WS_EVENT_CLOSE);
  PROMISE(event->code == (len ? body[0] << 8 | body[1] : 1005));
  PROMISE(event->len == (len ? len - 2 : 0));
  PROMISE(len == 0 || memcmp(event->data, body + 2, event->len) == 0);
}

static void check_received(const uint8_t *body, size_t len, fuzz_cuts cuts) {
  static uint8_t frame[2 + WS_CONTROL_MAX];
  ws_receiver receiver;
  frame[0] = 0x88;
  frame[1] = (uint8_t)len;
  if (len > 0) memcpy(frame + 2, body, len);
  ws_event event =
      receive(&receiver, &plain, (fuzz_input){frame, len + 2}, cuts);
  check_event(&event, body, len);
  ws_receiver_deinit(&receiver);
}

static void check_sent(const uint8_t *body, size_t len, fuzz_cuts cuts) {
  ws_sender sender;
  ws_receiver receiver;
  uint8_t memory[WS_FRAME_HEAD_MAX + WS_CONTROL_MAX];
  ws_buffer out;
  unsigned code = len < 2 ? 0 : (unsigned)(body[0] << 8 | body[1]);
  size_t reason = len < 2 ? 0 : len - 2;
  ws_buffer_init_fixed(&out, memory, sizeof memory);
  ws_sender_init(&sender, fuzz_random);
  int status = ws_sender_close(&sender, code, body + 2, reason, &out);
  PROMISE(status == (code == 0 && reason > 0 ? WS_EINVAL : WS_OK));
  if (status != WS_OK) return;
  ws_event event =
      receive(&receiver, &masked, (fuzz_input){out.data, out.len}, cuts);
  check_event(&event, body, code == 0 ? 0 : len);
  ws_receiver_deinit(&receiver);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  unsigned code = (unsigned)(cuts.lengths[0] << 8 | cuts.lengths[1]);
  PROMISE(ws_close_code_valid(code) == may_be_sent(code));
  if (in.len > WS_CONTROL_MAX) in.len = WS_CONTROL_MAX;
  check_received(in.data, in.len, cuts);
  if (in.len != 1) check_sent(in.data, in.len, cuts);
  fuzz_memory_done();
  return 0;
}
