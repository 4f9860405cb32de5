/* SPDX-License-Identifier: MIT */
/* Which frame headers may come next. For receiver.c. */
#pragma once
#include "protocol/receiver.h"

/* Into receiver->frame, as ws_frame_decode: a header of which some came
 * before. */
ptrdiff_t ws_receiver_decode_spilled(ws_receiver *receiver,
                                     const uint8_t *data, size_t len);

/* True when receiver->frame may stand where the receiver is. */
bool ws_receiver_accepts(const ws_receiver *receiver);

/* The first thing wrong with what is there of a header (len > 0), or NULL. In
 * the order of the bytes, so that it is the same however they come in.
 * Static. */
const char *ws_receiver_header_fault(const ws_receiver *receiver,
                                     const uint8_t *head, size_t len);
