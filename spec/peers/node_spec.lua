-- SPDX-License-Identifier: MIT
-- With the npm package ws, both ways.

local suite = require "spec.peers.suite".using(describe, it, setup, teardown)

suite.both_ways("npm ws", "node", "node", "js", {
  compressed = true, secure = true, fragments = true, split = true, pings = true,
  terminate = true, choose = true, refused = "^failed .*401",
})
