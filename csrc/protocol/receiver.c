/* SPDX-License-Identifier: MIT */
/* Frames -> messages. A frame that is whole in the input is delivered in place;
 * only what comes in pieces is kept. session.c does what follows from events
 * (pongs, the echo of a Close, states). */
#include "protocol/receiver.h"

#include "bytes/mask.h"
#include "bytes/status.h"
#include "protocol/receiver_header.h"

#include <string.h>

#define FIRST_BLOCK 4096
#define SPARE ((size_t)16 * 1024) /* most unused bytes behind a message */

static const char not_utf8[] = "a text message that is not UTF-8";
static const char too_big[] = "a message above the limit (option maxPayload)";

/* ------------------------------------------------------------ failing */

static void drop_message(ws_receiver *receiver) {
  if (receiver->message) (void)receiver->resize(receiver->message, 0);
  receiver->message = NULL;
  receiver->message_len = receiver->message_size = 0;
  if (receiver->deflate)
    ws_buffer_deinit(&receiver->deflate->text);
  receiver->deliver = false;
}

static void say_failure(const ws_receiver *receiver, ws_event *event) {
  event->type = WS_EVENT_FAIL;
  event->status = receiver->failed;
  event->why = receiver->why;
}

static void drop_control(ws_receiver *receiver) {
  if (receiver->control) (void)receiver->resize(receiver->control, 0);
  receiver->control = NULL;
}

static void fail(ws_receiver *receiver, int status, const char *why,
                 ws_event *event) {
  drop_message(receiver);
  receiver->failed = status;
  receiver->why = why;
  say_failure(receiver, event);
}

/* ------------------------------------------------------------- events */

static void give(ws_event *event, ws_event_type type, const uint8_t *data,
                 size_t len) {
  event->type = type;
  event->data = data;
  event->len = len;
}

static void give_message(ws_receiver *receiver, unsigned opcode,
                         const uint8_t *data, size_t len, ws_event *event) {
  if (receiver->muted) {
    drop_message(receiver);
    return;
  }
  event->opcode = (uint8_t)opcode;
  /* Not NULL even for a message of empty fragments. */
  give(event, WS_EVENT_MESSAGE, data ? data : receiver->spill, len);
}

/* 5.5.1: nothing, or a code and a reason in UTF-8. */
static void give_close(ws_receiver *receiver, const uint8_t *body, size_t len,
                       ws_event *event) {
  if (len == 0) {
    event->code = 1005;
    give(event, WS_EVENT_CLOSE, body, 0);
    return;
  }
  if (len == 1) {
    fail(receiver, WS_EPROTOCOL, "a Close frame with half a code", event);
    return;
  }
  event->code = (uint16_t)(body[0] << 8 | body[1]);
  if (!ws_close_code_valid(event->code))
    fail(receiver, WS_EPROTOCOL, "a Close frame with a reserved code", event);
  else if (!ws_utf8_valid(body + 2, len - 2))
    fail(receiver, WS_EUTF8, "a Close reason that is not UTF-8", event);
  else
    give(event, WS_EVENT_CLOSE, body + 2, len - 2);
}

static void give_control(ws_receiver *receiver, const uint8_t *body,
                         size_t len, ws_event *event) {
  if (receiver->frame.opcode == WS_CLOSE)
    give_close(receiver, body, len, event);
  else
    give(event,
         receiver->frame.opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG,
         body, len);
}

/* ------------------------------------------------------------ headers */

/* The rare case in start: the header is malformed or incomplete. */
static size_t keep_header(ws_receiver *receiver, const uint8_t *data,
                          size_t len, ws_event *event) {
  size_t before = receiver->spilled;
  size_t room = WS_FRAME_HEAD_MAX - before;
  size_t more = len < room ? len : room;
  memcpy(receiver->spill + before, data, more);
  const char *fault =
      ws_receiver_header_fault(receiver, receiver->spill, before + more);
  if (fault)
    fail(receiver, WS_EPROTOCOL, fault, event);
  else
    receiver->spilled = (uint8_t)(before + more);
  return more;
}

/* ----------------------------------------------------------- payloads */

/* Makes room for `need` more bytes of the message. If it has to grow, it makes
 * room for `want`, but never for more than can still come by the last frame's
 * length or the limit, which a ws_buffer would not know. */
static int grow(ws_receiver *receiver, size_t need, size_t want) {
  size_t len = receiver->message_len;
  if (need <= receiver->message_size - len) return WS_OK;
  size_t most = receiver->frame.fin
                    ? (size_t)receiver->left
                    : ws_receiver_limit(receiver->limits) - len;
  size_t size = len + (want < most ? want : most);
  uint8_t *block = receiver->resize(receiver->message, size);
  if (!block) return WS_ENOMEM;
  receiver->message = block;
  receiver->message_size = size;
  return WS_OK;
}

/* By doubling, so that each byte is moved about once in all. */
static int grow_for(ws_receiver *receiver, size_t more) {
  size_t len = receiver->message_len;
  size_t size = 2 * (len + more);
  return grow(receiver, more, (size < FIRST_BLOCK ? FIRST_BLOCK : size) - len);
}

static int take_control(ws_receiver *receiver, const uint8_t *data,
                        size_t len) {
  if (len == 0) return WS_OK;
  if (!receiver->control)
    receiver->control = receiver->resize(NULL, WS_CONTROL_MAX);
  if (!receiver->control) return WS_ENOMEM;
  uint8_t *into = receiver->control + receiver->done;
  memcpy(into, data, len);
  if (receiver->frame.masked)
    ws_mask(into, len, receiver->frame.key, receiver->done);
  return WS_OK;
}

/* Bytes already in place (ws_receiver_space) are not copied. */
static bool in_place(const ws_receiver *receiver, const uint8_t *data) {
  return receiver->message_size > receiver->message_len &&
         data == receiver->message + receiver->message_len;
}

/* 8.1: fails at the first invalid byte, and checks while the bytes are in the
 * cache. */
static int check_text(ws_receiver *receiver, const uint8_t *text, size_t len) {
  bool good =
      receiver->opcode != WS_TEXT || ws_utf8_feed(&receiver->utf8, text, len);
  return good ? WS_OK : WS_EUTF8;
}

/* What was inflated is validated even if inflating failed: so the failure is
 * the same however the input was cut. */
static int check_expanded(ws_receiver *receiver, size_t before, int status) {
  const ws_buffer *text = &receiver->deflate->text;
  if (text->len == before) return status;
  int found = check_text(receiver, text->data + before, text->len - before);
  return found != WS_OK ? found : status;
}

/* RFC 7692 7.2.2: unmasked in place, inflated into deflate->text. */
static int take_compressed(ws_receiver *receiver, uint8_t *data, size_t len) {
  size_t before = receiver->deflate->text.len;
  if (receiver->frame.masked)
    ws_mask(data, len, receiver->frame.key, receiver->done);
  int status = ws_deflate_feed(receiver->deflate, data, len);
  return check_expanded(receiver, before, status);
}

static int end_compressed(ws_receiver *receiver) {
  size_t before = receiver->deflate->text.len;
  int status = ws_deflate_end(receiver->deflate);
  return check_expanded(receiver, before, status);
}

static int take_data(ws_receiver *receiver, uint8_t *data, size_t len) {
  const ws_frame *frame = &receiver->frame;
  if (len == 0) return WS_OK;
  if (receiver->compressed)
    return receiver->muted ? WS_OK : take_compressed(receiver, data, len);
  bool placed = in_place(receiver, data);
  if (!placed && grow_for(receiver, len) != WS_OK) return WS_ENOMEM;
  uint8_t *into = receiver->message + receiver->message_len;
  receiver->message_len += len;
  if (frame->masked && placed)
    ws_mask(into, len, frame->key, receiver->done);
  else if (frame->masked)
    ws_mask_copy(into, data, len, frame->key, receiver->done);
  else if (!placed)
    memcpy(into, data, len);
  return check_text(receiver, into, len);
}

static void fail_message(ws_receiver *receiver, int status, ws_event *event) {
  const char *why = status == WS_EUTF8    ? not_utf8
                    : status == WS_ETOOBIG ? too_big
                                           : NULL;
  fail(receiver, status, why, event);
}

/* Frees unused memory first, as whoever takes the message makes a copy. */
static void trim(ws_receiver *receiver) {
  size_t len = receiver->message_len;
  if (receiver->compressed)
    ws_buffer_trim(&receiver->deflate->text, SPARE);
  if (len == 0 || receiver->message_size - len <= SPARE) return;
  uint8_t *block = receiver->resize(receiver->message, len);
  receiver->message_size = block ? len : receiver->message_size;
  receiver->message = block ? block : receiver->message;
}

static void end_message(ws_receiver *receiver, ws_event *event) {
  unsigned opcode = receiver->opcode;
  bool expands = receiver->compressed && !receiver->muted;
  int status = expands ? end_compressed(receiver) : WS_OK;
  if (status == WS_OK && opcode == WS_TEXT &&
      !ws_utf8_complete(&receiver->utf8))
    status = WS_EUTF8;
  receiver->opcode = 0;
  if (status != WS_OK) {
    fail_message(receiver, status, event);
    return;
  }
  receiver->deliver = true;
  trim(receiver);
  if (receiver->compressed)
    give_message(receiver, opcode, receiver->deflate->text.data,
                 receiver->deflate->text.len, event);
  else
    give_message(receiver, opcode, receiver->message, receiver->message_len,
                 event);
}

/* A frame that comes in pieces, or is one piece of a message. */
static size_t go_on(ws_receiver *receiver, uint8_t *data, size_t len,
                    ws_event *event) {
  bool control = ws_opcode_is_control(receiver->frame.opcode);
  size_t take = receiver->left < len ? (size_t)receiver->left : len;
  int status = control ? take_control(receiver, data, take)
                       : take_data(receiver, data, take);
  if (status != WS_OK) {
    fail_message(receiver, status, event);
    return take;
  }
  receiver->done += take;
  receiver->left -= take;
  if (receiver->left > 0) return take;
  receiver->in_frame = false;
  if (control)
    give_control(receiver,
                 receiver->control ? receiver->control : receiver->spill,
                 (size_t)receiver->done, event);
  else if (receiver->frame.fin)
    end_message(receiver, event);
  return take;
}

static void begin(ws_receiver *receiver) {
  const ws_frame *frame = &receiver->frame;
  receiver->in_frame = true;
  receiver->left = frame->length;
  receiver->done = 0;
  if (ws_opcode_is_control(frame->opcode) || frame->opcode == WS_CONTINUATION)
    return;
  receiver->opcode = frame->opcode;
  receiver->compressed = frame->rsv != 0;
  receiver->utf8 = (ws_utf8){0};
}

/* ------------------------------------------------- a frame in one piece */

static void give_whole(ws_receiver *receiver, uint8_t *payload, size_t len,
                       ws_event *event) {
  const ws_frame *frame = &receiver->frame;
  if (frame->masked) ws_mask(payload, len, frame->key, 0);
  if (ws_opcode_is_control(frame->opcode))
    give_control(receiver, payload, len, event);
  else if (frame->opcode == WS_TEXT && !ws_utf8_valid(payload, len))
    fail_message(receiver, WS_EUTF8, event);
  else
    give_message(receiver, frame->opcode, payload, len, event);
}

static size_t start(ws_receiver *receiver, uint8_t *data, size_t len,
                    ws_event *event) {
  const ws_frame *frame = &receiver->frame;
  ptrdiff_t whole = receiver->spilled == 0
                        ? ws_frame_decode(&receiver->frame, data, len)
                        : ws_receiver_decode_spilled(receiver, data, len);
  if (whole <= 0 || !ws_receiver_accepts(receiver))
    return keep_header(receiver, data, len, event);
  size_t head = (size_t)whole - receiver->spilled;
  receiver->spilled = 0;
  bool control = ws_opcode_is_control(frame->opcode);
  bool first = frame->opcode != WS_CONTINUATION;
  bool compressed = first ? frame->rsv != 0 : receiver->compressed;
  /* Checked before anything is allocated, and written so that nothing wraps
   * around. A compressed message is measured as it is inflated. */
  if (!control && !compressed &&
      frame->length >
          ws_receiver_limit(receiver->limits) - receiver->message_len) {
    fail_message(receiver, WS_ETOOBIG, event);
    return head;
  }
  /* 5.5: true of every control frame. */
  bool alone = frame->fin && first && !compressed;
  if (alone && frame->length <= len - head) {
    give_whole(receiver, data + head, (size_t)frame->length, event);
    return head + (size_t)frame->length;
  }
  begin(receiver);
  return head + go_on(receiver, data + head, len - head, event);
}

/* The most common frame: a short message in one frame that is complete. Two
 * bytes of header show that; returns 0 for anything else. */
static size_t take_short(ws_receiver *receiver, uint8_t *data, size_t len,
                         ws_event *event) {
  if (len < 2 || receiver->spilled > 0 || receiver->opcode != 0) return 0;
  bool masked = receiver->limits->masked;
  unsigned opcode = data[0] ^ 0x80u; /* above 15: no FIN, or a reserved bit */
  size_t length = data[1] ^ (masked ? 0x80u : 0u);
  size_t head = masked ? 6 : 2;
  if ((opcode != WS_TEXT && opcode != WS_BINARY) || length > 125 ||
      head + length > len || length > ws_receiver_limit(receiver->limits))
    return 0;
  uint8_t *payload = data + head;
  if (masked) ws_mask(payload, length, data + 2, 0);
  if (opcode == WS_TEXT && !ws_utf8_valid(payload, length))
    fail_message(receiver, WS_EUTF8, event);
  else
    give_message(receiver, opcode, payload, length, event);
  return head + length;
}

/* ----------------------------------------------------------- exported */

void ws_receiver_init(ws_receiver *receiver, const ws_receiver_limits *limits,
                      ws_resize *resize) {
  memset(receiver, 0, sizeof *receiver);
  receiver->limits = limits;
  receiver->resize = resize;
}

void ws_receiver_use_deflate(ws_receiver *receiver, ws_deflate *deflate) {
  receiver->deflate = deflate;
}

void ws_receiver_deinit(ws_receiver *receiver) {
  drop_message(receiver);
  drop_control(receiver);
}

size_t ws_receiver_feed(ws_receiver *receiver, uint8_t *data, size_t len,
                        ws_event *event) {
  *event = (ws_event){0};
  if (receiver->deliver) drop_message(receiver);
  if (receiver->control && !receiver->in_frame) drop_control(receiver);
  if (receiver->failed != WS_OK) {
    say_failure(receiver, event);
    return 0;
  }
  size_t used = receiver->in_frame ? 0 : take_short(receiver, data, len, event);
  while (used < len && event->type == WS_EVENT_NONE)
    used += receiver->in_frame
                ? go_on(receiver, data + used, len - used, event)
                : start(receiver, data + used, len - used, event);
  return used;
}

uint8_t *ws_receiver_space(ws_receiver *receiver, size_t least, size_t *room) {
  if (!receiver->in_frame || receiver->failed != WS_OK ||
      ws_opcode_is_control(receiver->frame.opcode) || receiver->compressed ||
      least == 0 || receiver->left < least)
    return NULL;
  size_t len = receiver->message_len;
  if (grow(receiver, least, len < least ? least : len) != WS_OK) return NULL;
  size_t fits = receiver->message_size - len;
  *room = receiver->left < fits ? (size_t)receiver->left : fits;
  return receiver->message + len;
}
