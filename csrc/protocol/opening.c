/* SPDX-License-Identifier: MIT */
/* Heads and bodies before the first frame, for both sides. handshake.h decides
 * what a good handshake is, session.c which state it leads to. */
#include "protocol/opening.h"

#include "bytes/status.h"
#include "protocol/excerpt.h"
#include "protocol/redirect.h"

#include <string.h>

#define MAX_HEAD 16384
#define NOT_HTTP "the request is not well-formed HTTP/1.1"
#define BODY_TOO_BIG "the request's body is too large"

/* -------------------------------------------------- failures in words */

static void put(ws_buffer *text, const char *words) {
  (void)ws_buffer_append(text, words, strlen(words));
}

static void fail(ws_event *event, int status, const char *why) {
  event->type = WS_EVENT_FAIL;
  event->status = status;
  event->why = why;
}

/* `text` lies over opening->why, and leaves a byte for the terminating zero. */
static void fail_with(ws_opening *opening, const ws_buffer *text,
                      ws_event *event) {
  opening->why[text->len] = '\0';
  fail(event, WS_EHANDSHAKE, opening->why);
}

static void fail_not_http(ws_opening *opening, ws_event *event) {
  ws_buffer text;
  ws_buffer_init_fixed(&text, opening->why, sizeof opening->why - 1);
  put(&text, "the server's answer is not HTTP: ");
  ws_excerpt_append(&text, opening->bytes.data, opening->bytes.len);
  fail_with(opening, &text, event);
}

static void fail_refused(ws_opening *opening, ws_event *event) {
  const ws_http_head *head = &opening->head;
  ws_slice said = {(const char *)opening->excerpt, opening->excerpt_len};
  if (ws_redirect_is(head)) said = ws_http_find(head, "location")->value;
  while (said.len > 0 && strchr(" \t\r\n", said.data[said.len - 1]))
    said.len--;
  ws_slice reason = head->reason;
  if (reason.len == 0)
    reason = ws_slice_of(ws_http_reason(head->status));
  ws_buffer text;
  ws_buffer_init_fixed(&text, opening->why, sizeof opening->why - 1);
  put(&text, "the server answered ");
  (void)ws_http_write_status(&text, head->status);
  put(&text, reason.len > 0 ? " " : "");
  ws_excerpt_append(&text, reason.data, reason.len);
  put(&text, said.len > 0 ? ": " : "");
  ws_excerpt_append(&text, said.data, said.len);
  fail_with(opening, &text, event);
}

/* -------------------------------------------------------------- heads */

/* Adds bytes to the head. WS_OK once it is whole, WS_EAGAIN, WS_ENOMEM, or
 * WS_EHEADTOOBIG; `*used` does not count what comes after the head. */
static int collect(ws_opening *opening, const uint8_t *data, size_t len,
                   size_t *used) {
  ws_buffer *bytes = &opening->bytes;
  size_t before = bytes->len, room = opening->max_head - before;
  size_t take = len < room ? len : room;
  *used = 0;
  if (ws_buffer_append(bytes, data, take) != WS_OK) return WS_ENOMEM;
  *used = take;
  size_t end = ws_http_find_end((const char *)bytes->data, bytes->len,
                                &opening->scanned);
  if (end == 0)
    return bytes->len < opening->max_head ? WS_EAGAIN : WS_EHEADTOOBIG;
  bytes->len = end;
  *used = end - before;
  return WS_OK;
}

/* ------------------------------------------------------------- client */

/* One step through a body. Returns the bytes used, or WS_EHTTP. `*run` is the
 * part of them that belongs to the body; opening->body_whole is set at its
 * end. */
static ptrdiff_t take_run(ws_opening *opening, const uint8_t *data, size_t len,
                          ws_slice *run) {
  *run = (ws_slice){(const char *)data, 0};
  if (opening->body == WS_BODY_CHUNKED)
    return ws_http_chunks_feed(&opening->chunks, (const char *)data, len, run,
                               &opening->body_whole);
  run->len = len;
  if (opening->body == WS_BODY_LENGTH) {
    if (opening->left < len)
      run->len = (size_t)opening->left;
    opening->left -= run->len;
    opening->body_whole = opening->left == 0;
  }
  return (ptrdiff_t)run->len;
}

static void keep_excerpt(ws_opening *opening, ws_slice run) {
  size_t room = sizeof opening->excerpt - opening->excerpt_len;
  size_t keep = run.len < room ? run.len : room;
  if (keep > 0)
    memcpy(opening->excerpt + opening->excerpt_len, run.data, keep);
  opening->excerpt_len += keep;
}

/* Waits only for as much of the body as the failure quotes. */
static size_t take_refusal(ws_opening *opening, const uint8_t *data,
                           size_t len, ws_event *event) {
  size_t used = 0;
  bool over = false;
  while (used < len && !over) {
    ws_slice run;
    ptrdiff_t took = take_run(opening, data + used, len - used, &run);
    keep_excerpt(opening, run);
    over = took < 0 || opening->body_whole ||
           opening->excerpt_len == sizeof opening->excerpt;
    used += took < 0 ? len - used : (size_t)took;
  }
  if (over) fail_refused(opening, event);
  return used;
}

static void begin_refusal(ws_opening *opening, ws_event *event) {
  if (ws_http_body(&opening->head, true, &opening->body, &opening->left) !=
      WS_OK)
    opening->body = WS_BODY_NONE;
  opening->stage = WS_OPENING_REFUSAL;
  if (opening->body == WS_BODY_NONE) fail_refused(opening, event);
}

static void judge_switch(ws_opening *opening, ws_event *event) {
  const char *why = NULL;
  int status = ws_handshake_judge_response(
      &opening->head, opening->accept, opening->protocols,
      opening->protocol_count, opening->offered_extensions, &opening->answer,
      &why);
  if (status == WS_OK) event->type = WS_EVENT_OPEN;
  else
    fail(event, status, why);
}

/* Judges a whole response head. An interim one gives no event. */
static void judge_response(ws_opening *opening, ws_event *event) {
  ws_buffer *bytes = &opening->bytes;
  ws_http_head *head = &opening->head;
  int status =
      ws_http_parse_response(head, (const char *)bytes->data, bytes->len);
  if (status == WS_EHEADTOOBIG)
    fail(event, status, "the server's answer has too many headers");
  else if (status != WS_OK)
    fail_not_http(opening, event);
  else if (head->status == 101)
    judge_switch(opening, event);
  else if (head->status >= 200)
    begin_refusal(opening, event);
  else if (++opening->interim > WS_HTTP_INTERIM_MAX)
    fail(event, WS_EHANDSHAKE, "the server sent too many interim answers");
  else
    bytes->len = opening->scanned = 0;
}

static size_t take_heads(ws_opening *opening, const uint8_t *data, size_t len,
                         ws_event *event) {
  size_t used = 0;
  while (used < len && event->type == WS_EVENT_NONE &&
         opening->stage == WS_OPENING_RESPONSE) {
    size_t more;
    int status = collect(opening, data + used, len - used, &more);
    used += more;
    if (status == WS_ENOMEM)
      fail(event, status, NULL);
    else if (!ws_http_may_be_response(&opening->bytes))
      fail_not_http(opening, event);
    else if (status == WS_EHEADTOOBIG)
      fail(event, status, "the head of the server's answer is too large");
    else if (status == WS_OK)
      judge_response(opening, event);
  }
  return used;
}

static size_t take_response(ws_opening *opening, const uint8_t *data,
                            size_t len, ws_event *event) {
  size_t used = 0;
  if (opening->stage == WS_OPENING_RESPONSE)
    used = take_heads(opening, data, len, event);
  if (opening->stage == WS_OPENING_REFUSAL && event->type == WS_EVENT_NONE)
    used += take_refusal(opening, data + used, len - used, event);
  return used;
}

/* Copies the offered names into one block, after the slices that hold them. */
static int keep_offer(ws_opening *opening,
                      const ws_handshake_request *request) {
  size_t count = request->protocol_count, size = count * sizeof(ws_slice);
  for (size_t i = 0; i < count; i++)
    size += request->protocols[i].len;
  opening->offered_extensions = request->extensions.len > 0;
  if (size == 0) return WS_OK;
  opening->protocols = opening->resize(NULL, size);
  if (!opening->protocols) return WS_ENOMEM;
  opening->protocol_count = count;
  char *text = (char *)(opening->protocols + count);
  for (size_t i = 0; i < count; i++) {
    ws_slice from = request->protocols[i];
    if (from.len > 0)
      memcpy(text, from.data, from.len);
    opening->protocols[i] = (ws_slice){text, from.len};
    text += from.len;
  }
  return WS_OK;
}

/* ------------------------------------------------------------- server */

static void refuse(ws_opening *opening, ws_buffer *out, unsigned http_status,
                   int status, const char *why, ws_event *event) {
  /* Without memory for the refusal the connection just ends. */
  (void)ws_handshake_write_refusal(out, &opening->head, http_status,
                                   ws_slice_of(why), NULL, 0);
  fail(event, status, why);
}

static void begin_body(ws_opening *opening, ws_buffer *out, ws_event *event) {
  const ws_handshake_verdict *verdict = &opening->verdict;
  opening->body = verdict->body;
  opening->left = verdict->body_length;
  opening->body_whole = opening->body == WS_BODY_NONE;
  if (opening->left > opening->max_body) {
    refuse(opening, out, 413, WS_ETOOBIG, BODY_TOO_BIG, event);
    return;
  }
  opening->stage = WS_OPENING_BODY;
  event->type = WS_EVENT_REQUEST;
}

static void judge_request(ws_opening *opening, ws_buffer *out,
                          ws_event *event) {
  ws_http_head *head = &opening->head;
  ws_handshake_verdict *verdict = &opening->verdict;
  ws_slice text = ws_http_skip_empty_line(&opening->bytes);
  int status = ws_http_parse_request(head, text.data, text.len);
  if (status == WS_OK) ws_handshake_judge_request(head, verdict);
  if (status == WS_EHEADTOOBIG) {
    refuse(opening, out, 431, status, "the request has too many headers",
           event);
  } else if (status != WS_OK) {
    refuse(opening, out, head->major > 1 ? 505 : 400, status, NOT_HTTP, event);
  } else if (verdict->kind == WS_REQUEST_REFUSED) {
    refuse(opening, out, verdict->status, WS_EHANDSHAKE, verdict->why, event);
  } else if (verdict->kind == WS_REQUEST_PLAIN) {
    begin_body(opening, out, event);
  } else {
    opening->stage = WS_OPENING_UPGRADE;
    event->type = WS_EVENT_REQUEST;
  }
}

/* A request begins with a token; a TLS hello, for one, does not. */
static bool may_be_request(const ws_buffer *bytes) {
  ws_slice text = ws_http_skip_empty_line(bytes);
  return text.len == 0 || ws_slice_is_token((ws_slice){text.data, 1});
}

/* RFC 9112 section 3: 414 if the request line alone is too long. */
static void refuse_large(ws_opening *opening, ws_buffer *out, ws_event *event) {
  ws_slice text = ws_http_skip_empty_line(&opening->bytes);
  bool line = !memchr(text.data, '\n', text.len);
  refuse(opening, out, line ? 414 : 431, WS_EHEADTOOBIG,
         line ? "the request's target is too long"
              : "the head of the request is too large",
         event);
}

static size_t take_request(ws_opening *opening, const uint8_t *data,
                           size_t len, ws_buffer *out, ws_event *event) {
  size_t used;
  if (len == 0) return 0;
  int status = collect(opening, data, len, &used);
  if (status == WS_ENOMEM)
    fail(event, status, NULL);
  else if (!may_be_request(&opening->bytes))
    refuse(opening, out, 400, WS_EHTTP, NOT_HTTP, event);
  else if (status == WS_EHEADTOOBIG)
    refuse_large(opening, out, event);
  else if (status == WS_OK)
    judge_request(opening, out, event);
  return used;
}

/* A chunk counts as soon as its size has come, so that one too large is
 * refused at its first line and not after some of its bytes. */
static bool is_above_limit(const ws_opening *opening, ws_slice run) {
  uint64_t rest = ws_http_chunks_left(&opening->chunks);
  return run.len + rest > opening->max_body - opening->taken;
}

static size_t take_body(ws_opening *opening, const uint8_t *data, size_t len,
                        ws_buffer *out, ws_event *event) {
  size_t used = 0;
  while (!opening->body_whole && used < len) {
    ws_slice run;
    ptrdiff_t took = take_run(opening, data + used, len - used, &run);
    if (took < 0) {
      refuse(opening, out, 400, WS_EHTTP, "the request's body is malformed",
             event);
      return used;
    }
    used += (size_t)took;
    if (is_above_limit(opening, run)) {
      refuse(opening, out, 413, WS_ETOOBIG, BODY_TOO_BIG, event);
      return used;
    }
    opening->taken += run.len;
    if (run.len > 0) {
      event->type = WS_EVENT_BODY;
      event->data = (const uint8_t *)run.data;
      event->len = run.len;
      return used;
    }
  }
  if (opening->body_whole) {
    opening->stage = WS_OPENING_PLAIN;
    event->type = WS_EVENT_BODY_END;
  }
  return used;
}

/* ----------------------------------------------------------- exported */

ws_opening *ws_opening_new(ws_resize *resize, size_t max_head,
                           uint64_t max_body) {
  ws_opening *opening = resize(NULL, sizeof *opening);
  if (!opening) return NULL;
  memset(opening, 0, sizeof *opening);
  opening->resize = resize;
  opening->max_head = max_head > 0 ? max_head : MAX_HEAD;
  opening->max_body = max_body;
  ws_buffer_init(&opening->bytes, resize, opening->max_head);
  return opening;
}

void ws_opening_free(ws_opening *opening) {
  if (!opening) return;
  ws_buffer_deinit(&opening->bytes);
  if (opening->protocols)
    (void)opening->resize(opening->protocols, 0);
  (void)opening->resize(opening, 0);
}

int ws_opening_start(ws_opening *opening, const ws_handshake_request *request,
                     ws_random *random, ws_buffer *out) {
  uint8_t key[16];
  opening->stage = WS_OPENING_RESPONSE;
  if (random(key, sizeof key) != WS_OK) return WS_ERANDOM;
  int status = keep_offer(opening, request);
  if (status != WS_OK) return status;
  return ws_handshake_write_request(out, request, key, opening->accept);
}

size_t ws_opening_feed(ws_opening *opening, const uint8_t *data, size_t len,
                       ws_buffer *out, ws_event *event) {
  *event = (ws_event){0};
  switch (opening->stage) {
    case WS_OPENING_REQUEST:
      return take_request(opening, data, len, out, event);
    case WS_OPENING_BODY:
      return take_body(opening, data, len, out, event);
    case WS_OPENING_RESPONSE:
    case WS_OPENING_REFUSAL:
      return take_response(opening, data, len, event);
    case WS_OPENING_UPGRADE:
    case WS_OPENING_PLAIN:
      break;
  }
  return 0;
}

void ws_opening_end(ws_opening *opening, ws_event *event) {
  *event = (ws_event){0};
  if (opening->stage == WS_OPENING_REFUSAL)
    fail_refused(opening, event);
  else if (opening->stage == WS_OPENING_RESPONSE)
    fail(event, WS_EHANDSHAKE,
         opening->bytes.len > 0
             ? "the server ended the connection within its answer"
             : "the server ended the connection without an answer");
}
