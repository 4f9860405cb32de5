-- SPDX-License-Identifier: MIT
-- With Python's aiohttp, both ways. It sends no fragments; its closes always
-- have a code, which is 1000 in answer to any.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("aiohttp", "aiohttp", "/usr/bin/python3 -B spec/peers/aiohttp_peer.py", {
  compressed = true, secure = true, pings = true, choose = true, always_code = true,
  answers = function() return 1000, "" end,
  refused = "^failed .*401",
})
