/* SPDX-License-Identifier: MIT */
/* What the files of a session share; private to session*.c. */
#pragma once
#include "protocol/session.h"

enum {
  PHASE_OPENING,
  PHASE_FRAMES,
  PHASE_SWALLOW, /* the peer's Close has come: ignores the rest */
  PHASE_OVER     /* takes nothing */
};

void ws_session_drop_opening(ws_session *session);

/* CLOSED; nothing is taken any more. */
void ws_session_over_now(ws_session *session);

/* Keeps a copy of what was agreed, as long as the session. WS_OK or
 * WS_ENOMEM. */
int ws_session_keep_agreed(ws_session *session, ws_slice protocol,
                           ws_slice extensions,
                           const ws_deflate_agreed *agreed);
void ws_session_forget_agreed(ws_session *session);

/* OPEN: frames from now on. */
void ws_session_begin_frames(ws_session *session);
