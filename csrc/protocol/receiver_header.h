/* SPDX-License-Identifier: MIT */
/* Which frame headers may come next. For receiver.c. */
#pragma once
#include "protocol/receiver.h"

/* As ws_frame_decode, into receiver->frame, for a header of which some bytes
 * came earlier. */
ptrdiff_t ws_receiver_decode_spilled(ws_receiver *receiver,
                                     const uint8_t *data, size_t len);

/* True if receiver->frame is allowed to come now. */
bool ws_receiver_accepts(const ws_receiver *receiver);

/* The first fault of a header that may be incomplete (len > 0), static, or
 * NULL. Faults are found in the order of the bytes, so that the answer does not
 * depend on how they come in. */
const char *ws_receiver_header_fault(const ws_receiver *receiver,
                                     const uint8_t *head, size_t len);
