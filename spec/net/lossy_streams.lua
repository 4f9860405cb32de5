-- SPDX-License-Identifier: MIT
-- Over links that lose, delay, reorder, double and damage packets, both ends receive
-- what was sent, in order.

local helper = require "spec.helper"
local link = require "spec.net.link"
local messages = require "spec.net.messages"
local scene = require "spec.net.scene"

local SIZES = { 0, 1, 2, 125, 126, 127, 1000, 1460, 16384, 40000, 65535, 65536, 100000 }

local WEATHER = { delay = 2, jitter = 4, doubling = 2, damage = 0.5 }

local MIB = tonumber(os.getenv "MIB") or 4 -- of the long stream

local function all(talks, method)
  for _, talk in ipairs(talks) do
    if not talk[method]() then return false end
  end
  return true
end

-- Runs all kinds at once: they mostly wait.
local function converse_all(ground, kinds, list, its)
  local talks = {}
  for i, kind in ipairs(kinds) do
    talks[i] = messages.converse(ground, kind, list, its)
  end
  helper.wait_until(function() return all(talks, "over") end, scene.PATIENCE, "all echoes")
  for _, talk in ipairs(talks) do
    assert.equal("", talk.verdict(), talk.kind)
    talk.sock:close(1000)
  end
  helper.wait_until(function() return all(talks, "ended") end, scene.PATIENCE, "all to close")
  for _, talk in ipairs(talks) do
    assert.same({ 1000, true }, talk.near.closed, talk.kind)
    assert.same({ 1000, true }, talk.far.closed, talk.kind)
  end
  return talks
end

describe("streams", function()
  local ground = scene.ground(setup, before_each, after_each)

  for _, loss in ipairs { 0, 1, 5, 20 } do
    it(("A77 at %d %% of loss, reordered and doubled, arrive as they were sent"):format(loss),
      function()
        link.weather(WEATHER)
        link.weather { loss = loss }
        converse_all(ground, scene.kinds, messages.of(SIZES))
        for _, counts in pairs(link.counts()) do
          assert.equal(loss > 0, counts.lost > 0)
          assert.is_true(counts.doubled > 0 and counts.late > 0)
        end
      end)
  end

  it(("A77 of %d MiB through 1 %% of loss arrive as they were sent"):format(MIB), function()
    link.weather(WEATHER)
    link.weather { loss = 1 }
    local list, some = {}, messages.of { 60000, 65536, 100000, 300000 }
    for i = 1, MIB * 8 do list[i] = some[i % #some + 1] end
    local talk = messages.converse(ground, "secure", list)
    helper.wait_until(talk.over, scene.PATIENCE + MIB * 5000, "the whole stream")
    assert.equal("", talk.verdict())
  end)

  -- A ping that waits behind 2 s of other packets must not end the connection.
  it("A77 through 64 kbit/s, 300 ms and packets of 296 bytes arrive as they were sent", function()
    local pinging = { pingInterval = 500, pingTimeout = 15000 }
    link.set_mtu(296)
    link.weather { delay = 300, kbits = 64, loss = 1, doubling = 1 }
    local ok, why = pcall(converse_all, ground, { "plain", "secure compressed" },
      messages.of { 1, 126, 1500 }, { client = pinging, server = pinging })
    link.set_mtu(1500)
    if not ok then error(why, 0) end
  end)
end)
