-- SPDX-License-Identifier: MIT
-- With Boost.Beast in C++, in both roles. Of its own accord it fragments what is longer
-- than its write buffer, 4096 bytes. It answers a Close without the reason, and with
-- 1000 when there was no code.
--
-- Boost 1.74 inflates a last short code only when there are as many bits as the longest
-- code may have, so a text that compresses to next to nothing can fail with "incomplete
-- deflate block". Therefore its long texts are not that simple.

local programs = require "spec.peers.programs".using(describe, it, setup, teardown)

-- Digits without a pattern, the same in every run.
local function digits(count)
  local list, state = {}, 1
  for i = 1, count do
    state = state * 48271 % 2147483647
    list[i] = state % 10
  end
  return table.concat(list)
end

programs.one_program("Boost.Beast", "beast", "build/peers/beast_peer", {
  compressed = true, secure = true, fragments = true, split = true, pings = true,
  terminate = true, choose = true,
  answers = function(code) return code == 1005 and 1000 or code, "" end,
  filler = digits(65536),
  refused = "^failed .*declined",
})
