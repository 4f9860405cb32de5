/* SPDX-License-Identifier: MIT */
/* For the tests that `make windows` builds. */
#pragma once
#include "transport/socket_system.h"
