-- SPDX-License-Identifier: MIT
-- With nhooyr.io/websocket in Go, in both roles. It chooses the payload of its pings
-- itself, and ends no connection without a Close.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("nhooyr.io/websocket", "nhooyr", "build/peers/nhooyr_peer", {
  compressed = true, secure = true, fragments = true, own_pings = true, choose = true,
  refused = "^failed .*401",
})
