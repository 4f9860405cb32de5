/* SPDX-License-Identifier: MIT */
/* Frames -> messages. A frame that is whole in the input is handed out where
 * it lies; only what comes in pieces is kept. What the events lead to (pongs,
 * the echo of a Close, states) is session's business. */
#include "protocol/receiver.h"

#include "bytes/mask.h"
#include "bytes/status.h"

#include <string.h>

#define FIRST_BLOCK 4096

/* ------------------------------------------------------------ failing */

static void drop_message(ws_receiver *receiver) {
  if (receiver->message)
    (void)receiver->resize(receiver->message, 0);
  receiver->message = NULL;
  receiver->message_len = receiver->message_size = 0;
  receiver->deliver = false;
}

static void say_failure(const ws_receiver *receiver, ws_event *event) {
  event->type = WS_EVENT_FAIL;
  event->status = receiver->failed;
  event->why = receiver->why;
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
  event->opcode = (uint8_t)opcode;
  /* Not NULL even for a message of empty fragments. */
  give(event, WS_EVENT_MESSAGE, data ? data : receiver->control, len);
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

/* 5.2: the bits an extension has claimed for a frame of this opcode. */
static unsigned claimed_bits(const ws_receiver *receiver, unsigned opcode) {
  (void)receiver;
  (void)opcode;
  return 0;
}

/* 5.4: a continuation needs an open message, a new one must find none. */
static bool follows(const ws_receiver *receiver, unsigned opcode) {
  return ws_opcode_is_control(opcode) ||
         (opcode == WS_CONTINUATION) == (receiver->opcode != 0);
}

static bool acceptable(const ws_receiver *receiver) {
  const ws_frame *frame = &receiver->frame;
  return frame->masked == receiver->limits->masked &&
         (frame->rsv & ~claimed_bits(receiver, frame->opcode)) == 0 &&
         follows(receiver, frame->opcode);
}

static const char *first_byte_fault(const ws_receiver *receiver,
                                    uint8_t first) {
  unsigned opcode = first & 15u;
  uint8_t final = first | 0x80u;
  ws_frame frame;
  if (ws_frame_decode(&frame, &final, 1) < 0)
    return "a frame with a reserved opcode";
  if (ws_frame_decode(&frame, &first, 1) < 0)
    return "a fragmented control frame";
  if (((first >> 4 & 7u) & ~claimed_bits(receiver, opcode)) != 0)
    return "a frame with a reserved bit set";
  if (follows(receiver, opcode))
    return NULL;
  return opcode == WS_CONTINUATION
             ? "a continuation frame with no message to continue"
             : "a new message inside an unfinished one";
}

/* The first thing wrong with what is there of a header, or NULL. In the order
 * of the bytes, so that it is the same however they come in. */
static const char *header_fault(const ws_receiver *receiver,
                                const uint8_t *head, size_t len) {
  const char *fault = first_byte_fault(receiver, head[0]);
  if (fault || len < 2)
    return fault;
  if ((head[1] >> 7 != 0) != receiver->limits->masked)
    return receiver->limits->masked ? "an unmasked frame from a client"
                                    : "a masked frame from a server";
  ws_frame frame;
  if (ws_frame_decode(&frame, head, len) >= 0)
    return NULL;
  return ws_opcode_is_control(head[0] & 15u)
             ? "a control frame above 125 bytes"
             : "a frame length not in its shortest form";
}

/* The header is broken or has not all come: the rare way out of start. */
static size_t keep_header(ws_receiver *receiver, const uint8_t *data,
                          size_t len, ws_event *event) {
  size_t before = receiver->spilled;
  size_t room = WS_FRAME_HEAD_MAX - before;
  size_t more = len < room ? len : room;
  memcpy(receiver->spill + before, data, more);
  const char *fault = header_fault(receiver, receiver->spill, before + more);
  if (fault)
    fail(receiver, WS_EPROTOCOL, fault, event);
  else
    receiver->spilled = (uint8_t)(before + more);
  return more;
}

static ptrdiff_t decode_spilled(ws_receiver *receiver, const uint8_t *data,
                                size_t len) {
  uint8_t head[WS_FRAME_HEAD_MAX];
  size_t before = receiver->spilled;
  size_t room = sizeof head - before;
  size_t more = len < room ? len : room;
  memcpy(head, receiver->spill, before);
  memcpy(head + before, data, more);
  return ws_frame_decode(&receiver->frame, head, before + more);
}

/* ----------------------------------------------------------- payloads */

static size_t limit_of(const ws_receiver *receiver) {
  uint64_t most = receiver->limits->max_payload;
  return most == 0 || most > SIZE_MAX / 4 ? SIZE_MAX / 4 : (size_t)most;
}

/* Makes room for `need` more bytes of the message, if it must for `want`, but
 * never past what the frame's length says will come: an end that a ws_buffer
 * would not know. */
static int grow(ws_receiver *receiver, size_t need, size_t want) {
  size_t len = receiver->message_len;
  if (need <= receiver->message_size - len)
    return WS_OK;
  size_t most =
      receiver->frame.fin ? (size_t)receiver->left : limit_of(receiver) - len;
  size_t size = len + (want < most ? want : most);
  uint8_t *block = receiver->resize(receiver->message, size);
  if (!block)
    return WS_ENOMEM;
  receiver->message = block;
  receiver->message_size = size;
  return WS_OK;
}

/* By doubling, so that a message is moved about once in all. */
static int grow_for(ws_receiver *receiver, size_t more) {
  size_t want = receiver->message_len + more + more;
  return grow(receiver, more, want < FIRST_BLOCK ? FIRST_BLOCK : want);
}

static void take_control(ws_receiver *receiver, const uint8_t *data,
                         size_t len) {
  uint8_t *into = receiver->control + receiver->done;
  if (len == 0)
    return;
  memcpy(into, data, len);
  if (receiver->frame.masked)
    ws_mask(into, len, receiver->frame.key, receiver->done);
}

/* Bytes already in place (ws_receiver_space) are not copied. */
static bool in_place(const ws_receiver *receiver, const uint8_t *data) {
  return receiver->message_size > receiver->message_len &&
         data == receiver->message + receiver->message_len;
}

static int take_data(ws_receiver *receiver, const uint8_t *data, size_t len) {
  const ws_frame *frame = &receiver->frame;
  if (len == 0)
    return WS_OK;
  bool placed = in_place(receiver, data);
  if (!placed && grow_for(receiver, len) != WS_OK)
    return WS_ENOMEM;
  uint8_t *into = receiver->message + receiver->message_len;
  receiver->message_len += len;
  if (frame->masked && placed)
    ws_mask(into, len, frame->key, receiver->done);
  else if (frame->masked)
    ws_mask_copy(into, data, len, frame->key, receiver->done);
  else if (!placed)
    memcpy(into, data, len);
  /* 8.1: at the first byte that cannot be, while it is in the cache. */
  if (receiver->opcode == WS_TEXT &&
      !ws_utf8_feed(&receiver->utf8, into, len))
    return WS_EUTF8;
  return WS_OK;
}

static void end_message(ws_receiver *receiver, ws_event *event) {
  unsigned opcode = receiver->opcode;
  receiver->opcode = 0;
  if (opcode == WS_TEXT && !ws_utf8_complete(&receiver->utf8)) {
    fail(receiver, WS_EUTF8, "a text message that is not UTF-8", event);
    return;
  }
  receiver->deliver = true;
  give_message(receiver, opcode, receiver->message, receiver->message_len,
               event);
}

/* A frame that comes in pieces, or is one piece of a message. */
static size_t go_on(ws_receiver *receiver, const uint8_t *data, size_t len,
                    ws_event *event) {
  bool control = ws_opcode_is_control(receiver->frame.opcode);
  size_t take = receiver->left < len ? (size_t)receiver->left : len;
  if (control) {
    take_control(receiver, data, take);
  } else {
    int status = take_data(receiver, data, take);
    if (status != WS_OK) {
      fail(receiver, status,
           status == WS_EUTF8 ? "a text message that is not UTF-8" : NULL,
           event);
      return take;
    }
  }
  receiver->done += take;
  receiver->left -= take;
  if (receiver->left > 0)
    return take;
  receiver->in_frame = false;
  if (control)
    give_control(receiver, receiver->control, (size_t)receiver->done, event);
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
  receiver->utf8 = (ws_utf8){0};
}

/* ------------------------------------------------- a frame in one piece */

static void give_whole(ws_receiver *receiver, uint8_t *payload, size_t len,
                       ws_event *event) {
  const ws_frame *frame = &receiver->frame;
  if (frame->masked)
    ws_mask(payload, len, frame->key, 0);
  if (ws_opcode_is_control(frame->opcode))
    give_control(receiver, payload, len, event);
  else if (frame->opcode == WS_TEXT && !ws_utf8_valid(payload, len))
    fail(receiver, WS_EUTF8, "a text message that is not UTF-8", event);
  else
    give_message(receiver, frame->opcode, payload, len, event);
}

static size_t start(ws_receiver *receiver, uint8_t *data, size_t len,
                    ws_event *event) {
  const ws_frame *frame = &receiver->frame;
  ptrdiff_t whole = receiver->spilled == 0
                        ? ws_frame_decode(&receiver->frame, data, len)
                        : decode_spilled(receiver, data, len);
  if (whole <= 0 || !acceptable(receiver))
    return keep_header(receiver, data, len, event);
  size_t head = (size_t)whole - receiver->spilled;
  receiver->spilled = 0;
  bool control = ws_opcode_is_control(frame->opcode);
  /* Before anything is allocated, and so written that nothing wraps. */
  if (!control && frame->length > limit_of(receiver) - receiver->message_len) {
    fail(receiver, WS_ETOOBIG, "a message above the limit", event);
    return head;
  }
  bool alone = control || (frame->fin && frame->opcode != WS_CONTINUATION);
  if (alone && frame->length <= len - head) {
    give_whole(receiver, data + head, (size_t)frame->length, event);
    return head + (size_t)frame->length;
  }
  begin(receiver);
  return head + go_on(receiver, data + head, len - head, event);
}

/* ----------------------------------------------------------- exported */

void ws_receiver_init(ws_receiver *receiver, const ws_receiver_limits *limits,
                      ws_resize *resize) {
  memset(receiver, 0, sizeof *receiver);
  receiver->limits = limits;
  receiver->resize = resize;
}

void ws_receiver_deinit(ws_receiver *receiver) {
  drop_message(receiver);
}

size_t ws_receiver_feed(ws_receiver *receiver, uint8_t *data, size_t len,
                        ws_event *event) {
  *event = (ws_event){0};
  if (receiver->deliver)
    drop_message(receiver);
  if (receiver->failed != WS_OK) {
    say_failure(receiver, event);
    return 0;
  }
  size_t used = 0;
  while (used < len && event->type == WS_EVENT_NONE)
    used += receiver->in_frame
                ? go_on(receiver, data + used, len - used, event)
                : start(receiver, data + used, len - used, event);
  return used;
}

uint8_t *ws_receiver_space(ws_receiver *receiver, size_t least, size_t *room) {
  if (!receiver->in_frame || receiver->failed != WS_OK ||
      ws_opcode_is_control(receiver->frame.opcode) || least == 0 ||
      receiver->left < least)
    return NULL;
  size_t len = receiver->message_len;
  if (grow(receiver, least, len < least ? least : len) != WS_OK)
    return NULL;
  size_t fits = receiver->message_size - len;
  *room = receiver->left < fits ? (size_t)receiver->left : fits;
  return receiver->message + len;
}
