/* SPDX-License-Identifier: MIT */
/* A server's answers to the request it has: RFC 6455 section 4.2.2. */
#include "bytes/status.h"
#include "protocol/opening.h"
#include "protocol/session_parts.h"

/* ------------------------------------------------- answering a request */

/* The opening of a request that waits to be answered, or NULL. */
static ws_opening *waiting(const ws_session *session) {
  if (session->phase != PHASE_OPENING || !session->opening)
    return NULL;
  ws_opening_stage stage = session->opening->stage;
  bool waits = stage == WS_OPENING_UPGRADE || stage == WS_OPENING_BODY ||
               stage == WS_OPENING_PLAIN;
  return waits ? session->opening : NULL;
}

const ws_http_head *ws_session_request(const ws_session *session) {
  const ws_opening *opening = waiting(session);
  return opening ? &opening->head : NULL;
}

const ws_handshake_verdict *ws_session_verdict(const ws_session *session) {
  const ws_opening *opening = waiting(session);
  return opening ? &opening->verdict : NULL;
}

int ws_session_accept(ws_session *session, ws_slice protocol,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out) {
  char text[WS_DEFLATE_TEXT];
  ws_deflate_agreed agreed;
  const ws_opening *opening = waiting(session);
  if (!opening || opening->stage != WS_OPENING_UPGRADE)
    return WS_EINVAL;
  /* 4.2.2: none, or one of those offered. */
  if (protocol.len > 0 && !ws_handshake_offers(&opening->head, protocol))
    return WS_EINVAL;
  ws_slice extensions = {text, 0};
  extensions.len = ws_deflate_choose(&session->config->deflate,
                                     &opening->head, &agreed, text);
  int status =
      ws_session_keep_agreed(session, protocol, extensions, &agreed);
  if (status != WS_OK)
    return status;
  status = ws_handshake_write_accept(out, opening->verdict.accept, protocol,
                                     extensions, headers, header_count);
  if (status == WS_OK)
    ws_session_begin_frames(session);
  else
    ws_session_forget_agreed(session);
  return status;
}

int ws_session_refuse(ws_session *session, unsigned status, ws_slice body,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out) {
  const ws_http_head *request = ws_session_request(session);
  if (!request)
    return WS_EINVAL;
  int result = ws_handshake_write_refusal(out, request, status, body, headers,
                                          header_count);
  if (result == WS_OK)
    ws_session_finish(session);
  return result;
}

void ws_session_finish(ws_session *session) {
  if (!waiting(session))
    return;
  ws_session_over_now(session);
}
