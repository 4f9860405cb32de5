/* SPDX-License-Identifier: MIT */
/* The ports that belong to other protocols, whose servers could take what is
 * sent to them for something else. Whether to heed it is for floors above. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* True for a "bad port" of the Fetch Standard (S45). */
bool ws_port_is_blocked(uint16_t port);
