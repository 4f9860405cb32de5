/* SPDX-License-Identifier: MIT */
/* Request heads: finding their end, whole and in pieces; parsing them; writing
 * them again from their parts; the server's verdict and possible answers. */
#include "heads.h"
#include "protocol/deflate_offer.h"
#include "protocol/handshake.h"

static ws_buffer text;

static void write_again(const ws_http_head *head) {
  char version[16];
  int len = snprintf(version, sizeof version, " HTTP/%u.%u\r\n", head->major,
                     head->minor);
  heads_add(&text, head->method);
  heads_add(&text, (ws_slice){" ", 1});
  heads_add(&text, head->target);
  heads_add(&text, (ws_slice){version, (size_t)len});
  heads_write_lines(&text, head);
}

static void check_again(const ws_http_head *head) {
  static ws_http_head again;
  ws_buffer_consume(&text, text.len);
  write_again(head);
  PROMISE(ws_http_parse_request(&again, (char *)text.data, text.len) == WS_OK);
  PROMISE(ws_slice_equal(again.method, head->method));
  PROMISE(ws_slice_equal(again.target, head->target));
  PROMISE(again.minor == head->minor);
  heads_same_lines(&again, head);
}

static void check_offers(const ws_http_head *head) {
  ws_offer_walk walk = {.head = head};
  ws_slice protocol;
  size_t count = 0;
  while (ws_handshake_next_offer(&walk, &protocol)) {
    PROMISE(ws_handshake_offers(head, protocol));
    count++;
  }
  PROMISE(count <= WS_PROTOCOLS_MAX);
}

/* What was agreed on is within the limits, and its text is one header. */
static void check_deflate(const ws_http_head *head) {
  const ws_deflate_options options = {.enabled = true, .level = 6};
  ws_deflate_agreed agreed = {.on = false};
  char answer[WS_DEFLATE_TEXT];
  size_t len = ws_deflate_choose(&options, head, &agreed, answer);
  PROMISE(len <= sizeof answer && agreed.on == (len > 0));
  if (len == 0) return;
  PROMISE(agreed.server_bits >= 8 && agreed.server_bits <= 15);
  PROMISE(agreed.client_bits >= 8 && agreed.client_bits <= 15);
  PROMISE(ws_http_value_ok((ws_slice){answer, len}));
}

static void check_answer(const ws_http_head *request,
                         const ws_handshake_verdict *verdict) {
  static ws_http_head answer;
  ws_slice none = {NULL, 0};
  ws_buffer_consume(&text, text.len);
  int status =
      verdict->kind == WS_REQUEST_UPGRADE
          ? ws_handshake_write_accept(&text, verdict->accept, none, none, NULL,
                                      0)
          : ws_handshake_write_refusal(&text, request, verdict->status,
                                       ws_slice_of(verdict->why), NULL, 0);
  size_t scanned = 0;
  PROMISE(status == WS_OK);
  size_t len = ws_http_find_end((char *)text.data, text.len, &scanned);
  PROMISE(ws_http_parse_response(&answer, (char *)text.data, len) == WS_OK);
}

static void check_verdict(const ws_http_head *head) {
  ws_handshake_verdict verdict;
  ws_handshake_judge_request(head, &verdict);
  PROMISE((verdict.kind == WS_REQUEST_REFUSED) == (verdict.why != NULL));
  if (verdict.kind == WS_REQUEST_UPGRADE) {
    check_offers(head);
    check_deflate(head);
    PROMISE(verdict.body == WS_BODY_NONE);
  }
  if (verdict.kind != WS_REQUEST_PLAIN) check_answer(head, &verdict);
  (void)ws_handshake_same_origin(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static ws_http_head head;
  fuzz_input in = {data, len};
  if (!text.resize) ws_buffer_init(&text, fuzz_resize, 0);
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  const char *bytes = (char *)fuzz_piece(in.data, in.len);
  size_t end = heads_find_end(bytes, in.len, &cuts);
  int status = ws_http_parse_request(&head, bytes, end ? end : in.len);
  PROMISE(status == WS_OK || status == WS_EHTTP || status == WS_EHEADTOOBIG);
  if (status != WS_OK) return 0;
  PROMISE(end > 0 && head.major == 1);
  PROMISE(fuzz_inside(head.method, bytes, end));
  PROMISE(fuzz_inside(head.target, bytes, end));
  heads_check_lines(&head, bytes, end);
  heads_check_body(&head, false);
  check_verdict(&head);
  check_again(&head);
  return 0;
}
