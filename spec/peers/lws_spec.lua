-- SPDX-License-Identifier: MIT
-- With libwebsockets in C, both ways. It ends a connection by a code or without
-- a Close. Without permessage-deflate: in version 4.1 that ends the program by
-- assertions of its own, for an empty message to send and for some long ones
-- that compress well.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("libwebsockets", "lws", "build/peers/lws_peer", {
  secure = true, fragments = true, split = true, pings = true,
  terminate = true, choose = true, always_code = true,
  refused = "^failed .*unauthorized",
})
