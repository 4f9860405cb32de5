-- SPDX-License-Identifier: MIT
-- With gorilla/websocket in Go, in both roles. It fragments only what is longer than
-- its write buffer, 4096 bytes, as the long echoes are. It answers a Close without
-- the reason.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("gorilla/websocket", "gorilla", "build/peers/gorilla_peer", {
  compressed = true, secure = true, pings = true, terminate = true, choose = true,
  answers = function(code) return code, "" end,
  refused = "^failed .*401",
})
