/* SPDX-License-Identifier: MIT */
/* netinet/tcp.h without what only Linux has. For csrc, not for tests. */
#pragma once
#include_next <netinet/tcp.h>

#undef TCP_USER_TIMEOUT
