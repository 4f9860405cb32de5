-- SPDX-License-Identifier: MIT
-- With Python's Tornado, in both roles. It sends no fragments, and answers a Close
-- without the reason.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("Tornado", "tornado", "/usr/bin/python3 -B spec/peers/tornado_peer.py", {
  compressed = true, secure = true, pings = true, choose = true,
  answers = function(code) return code, "" end,
  refused = "^failed .*401",
})
