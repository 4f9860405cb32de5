-- SPDX-License-Identifier: MIT
-- With nhooyr.io/websocket in Go, both ways. The payload of its pings is its
-- own business, and it ends no connection without a Close.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("nhooyr.io/websocket", "nhooyr", "build/peers/nhooyr_peer", {
  compressed = true, secure = true, fragments = true, own_pings = true, choose = true,
  refused = "^failed .*401",
})
