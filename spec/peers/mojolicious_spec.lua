-- SPDX-License-Identifier: MIT
-- With Perl's Mojolicious, in both roles.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

programs.one_program("Mojolicious", "mojolicious", "perl spec/peers/mojolicious_peer.pl", {
  compressed = true, secure = true, fragments = true, split = true, pings = true,
  terminate = true, choose = true, refused = "^failed 401",
})
