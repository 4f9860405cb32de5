-- SPDX-License-Identifier: MIT
-- With Python's aiohttp, in both roles. It sends no fragments. Its Close always has a
-- code; as an answer, it is always 1000.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("aiohttp", "aiohttp", "/usr/bin/python3 -B spec/peers/aiohttp_peer.py", {
  compressed = true, secure = true, pings = true, choose = true, always_code = true,
  answers = function() return 1000, "" end,
  refused = "^failed .*401",
})
