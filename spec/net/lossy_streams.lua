-- SPDX-License-Identifier: MIT
-- Over links that lose, delay, reorder, double and damage packets, all that
-- arrives is what was sent, in order, at both ends.

local helper = require "spec.helper"
local link = require "spec.net.link"
local messages = require "spec.net.messages"
local scene = require "spec.net.scene"

local SIZES = { 0, 1, 2, 125, 126, 127, 1000, 1460, 16384, 40000, 65535, 65536, 100000 }

-- As far as retransmission lets them be: 2 % of loss is more than most links have.
local WEATHER = { delay = 2, jitter = 4, doubling = 2, damage = 0.5 }

local function all(talks, method)
  for _, talk in ipairs(talks) do
    if not talk[method]() then return false end
  end
  return true
end

-- All kinds at once, as they would mostly wait one after the other.
local function converse_all(ground, list, its)
  local talks = {}
  for i, kind in ipairs(scene.kinds) do
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
        converse_all(ground, messages.of(SIZES))
        for _, counts in pairs(link.counts()) do
          assert.equal(loss > 0, counts.lost > 0)
          assert.is_true(counts.doubled > 0 and counts.late > 0)
        end
      end)
  end
end)
