/* SPDX-License-Identifier: MIT */
/* The ports of other protocols, whose servers could misunderstand what is sent
 * to them. Floors above decide whether to refuse these. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* True for a "bad port" of the Fetch Standard (S45). */
bool ws_port_is_blocked(uint16_t port);
