-- SPDX-License-Identifier: MIT
-- With the Python package websockets, in both roles.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.both_ways("Python websockets", "python", "/usr/bin/python3 -B", "py", {
  compressed = true, secure = true, fragments = true, pings = true,
  terminate = true, choose = true, refused = "^failed .*401",
})
