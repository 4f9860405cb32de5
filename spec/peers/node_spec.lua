-- SPDX-License-Identifier: MIT
-- With the npm package ws, in both roles.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.both_ways("npm ws", "node", "node", "js", {
  compressed = true, secure = true, fragments = true, split = true, pings = true,
  terminate = true, choose = true, refused = "^failed .*401",
})
