/* SPDX-License-Identifier: MIT */
/* Writes frames: header, key, payload, in one run of bytes. What may be sent
 * when is session's business. */
#include "protocol/sender.h"

#include "bytes/mask.h"
#include "bytes/status.h"

#include <string.h>

#define REASON_MAX (WS_CONTROL_MAX - 2)

static inline int write_frame(ws_sender *sender, unsigned opcode,
                              unsigned rsv, const void *data, size_t len,
                              ws_buffer *out) {
  ws_frame frame = {.fin = true,
                    .masked = sender->random != NULL,
                    .rsv = (uint8_t)rsv,
                    .opcode = (uint8_t)opcode,
                    .length = len};
  if (len > SIZE_MAX - WS_FRAME_HEAD_MAX)
    return WS_ETOOBIG;
  /* 5.3: a fresh key for every frame; without one the frame is not sent. */
  if (frame.masked && sender->random(frame.key, sizeof frame.key) != WS_OK)
    return WS_ERANDOM;
  size_t head = ws_frame_head_len(len, frame.masked);
  int status = ws_buffer_reserve(out, head + len);
  if (status != WS_OK)
    return status;
  uint8_t *end = out->data + out->len;
  ws_frame_encode(end, &frame);
  if (len > 0 && frame.masked)
    ws_mask_copy(end + head, data, len, frame.key, 0);
  else if (len > 0)
    memcpy(end + head, data, len);
  out->len += head + len;
  return WS_OK;
}

void ws_sender_init(ws_sender *sender, ws_random *random) {
  sender->random = random;
}

int ws_sender_write(ws_sender *sender, unsigned opcode, const void *data,
                    size_t len, ws_buffer *out) {
  return write_frame(sender, opcode, 0, data, len, out);
}

int ws_sender_write_compressed(ws_sender *sender, unsigned opcode,
                               const void *data, size_t len, ws_buffer *out) {
  return write_frame(sender, opcode, WS_RSV1, data, len, out);
}

size_t ws_sender_head(unsigned opcode, unsigned rsv, uint64_t len,
                      uint8_t head[WS_FRAME_HEAD_MAX]) {
  ws_frame frame = {.fin = true,
                    .rsv = (uint8_t)rsv,
                    .opcode = (uint8_t)opcode,
                    .length = len};
  return ws_frame_encode(head, &frame);
}

int ws_sender_close(ws_sender *sender, unsigned code, const void *reason,
                    size_t len, ws_buffer *out) {
  if (code == 0 && len == 0)
    return ws_sender_write(sender, WS_CLOSE, NULL, 0, out);
  if (code == 0 || code > 0xffff || len > REASON_MAX)
    return WS_EINVAL;
  uint8_t body[WS_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
  if (len > 0)
    memcpy(body + 2, reason, len);
  return ws_sender_write(sender, WS_CLOSE, body, 2 + len, out);
}
