-- SPDX-License-Identifier: MIT
-- With libwebsockets in C, in both roles. It ends a connection with a code or without a
-- Close. Without permessage-deflate, because in version 4.1 assertions of its own then
-- end the program when it sends an empty message, or some long ones that compress well.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("libwebsockets", "lws", "build/peers/lws_peer", {
  secure = true, fragments = true, split = true, pings = true,
  terminate = true, choose = true, always_code = true,
  refused = "^failed .*unauthorized",
})
