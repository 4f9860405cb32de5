-- SPDX-License-Identifier: MIT
-- With gorilla/websocket in Go, both ways. It fragments what is longer than
-- its write buffer, 4096 bytes, and nothing else: the long echoes have it.
-- It answers a Close without its reason.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("gorilla/websocket", "gorilla", "build/peers/gorilla_peer", {
  compressed = true, secure = true, pings = true, terminate = true, choose = true,
  answers = function(code) return code, "" end,
  refused = "^failed .*401",
})
