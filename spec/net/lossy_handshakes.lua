-- SPDX-License-Identifier: MIT
-- Partitions after each packet of the opening handshake (with TLS's) and of the closing
-- handshake: both sides end by their deadlines, with one close event.

local helper = require "spec.helper"
local link = require "spec.net.link"
local proving = require "spec.attacks.proving"
local scene = require "spec.net.scene"
local ws = require "ws"

local OPENING = 150 * helper.patience -- both sides' deadline
local CLOSING = 150
local GRACE = 1000 -- how long the server has to end TCP after both Closes
local INTERVAL, TIMEOUT = 100, 250 -- of pings, for a side that considers it open

local closing = { closeTimeout = CLOSING, pingInterval = INTERVAL, pingTimeout = TIMEOUT }
local its = { client = closing, server = closing }

-- Patterns for the story of a connection (see ground.pair).
local NEVER_OPEN, CUT_OFF = "error:%u+ close:1006", "open error:%u+ close:1006"
local CLEAN = "open close:1000:clean"

local function one_of(text, ...)
  for _, pattern in ipairs { ... } do
    if text:find("^" .. pattern .. "$") then return end
  end
  error("it happened otherwise: '" .. text .. "'", 2)
end

describe("a partition in the opening handshake", function()
  local ground = scene.ground(setup, before_each, after_each)

  -- Cuts after so many packets; returns the stage in which the client failed, or "open".
  -- With more packets it gets more time, so that at last it opens on any machine.
  local function cut_after(kind, direction, packets)
    local deadline = OPENING + 20 * packets
    local began = ws.now()
    local pair = ground.opening(kind, {
      client = { timeout = deadline, pingInterval = INTERVAL, pingTimeout = TIMEOUT },
      server = { handshakeTimeout = deadline, idleTimeout = INTERVAL + TIMEOUT },
    })
    link.cut(direction, packets, pair.server.port)
    pair.wait()
    scene.took(began, pair.ended.near, 0, deadline + INTERVAL + TIMEOUT)
    scene.took(began, ws.now(), 0, 2 * deadline + INTERVAL + TIMEOUT)
    one_of(pair.story.near, NEVER_OPEN, CUT_OFF)
    one_of(pair.story.far, "", CUT_OFF)
    link.mend()
    proving.echo(ground.fresh_echo(kind))
    return pair.story.near:match "^open" or pair.why.near:match "^%a+"
  end

  -- How many packets a handshake takes depends on how they are acknowledged, so the
  -- number grows until the client opens.
  local stages_of = { plain = { "tcp", "http" }, secure = { "tcp", "tls", "http" } }
  local directions = { plain = { "both", "out", "in" }, secure = { "both", "in" } }
  for _, kind in ipairs { "plain", "secure" } do
    for _, direction in ipairs(directions[kind]) do
      it(("ends both sides by their deadlines: %s, %s"):format(kind, direction), function()
        local seen, packets, stage = {}, 0
        repeat
          stage = cut_after(kind, direction, packets)
          seen[stage], packets = true, packets + 1
        until stage == "open" or packets > 20
        assert.equal("open", stage)
        for _, expected in ipairs(stages_of[kind]) do
          assert.is_true(seen[expected], "never cut while in stage " .. expected)
        end
      end)
    end
  end
end)

describe("a partition in the closing handshake", function()
  local ground = scene.ground(setup, before_each, after_each)

  for _, kind in ipairs { "plain", "secure" } do
    for _, closer in ipairs { "near", "far" } do
      it(("that loses the Close ends by closeTimeout: %s, %s"):format(kind, closer), function()
        local other = closer == "near" and "far" or "near"
        local pair = ground.pair(kind, its)
        local began = ws.now()
        link.cut()
        pair[closer]:close(1000)
        pair.wait()
        scene.took(began, pair.ended[closer], CLOSING - 10, CLOSING)
        assert.equal("open error:ETIMEDOUT close:1006", pair.story[closer])
        assert.matches("Close frame", pair.why[closer])
        scene.took(began, pair.ended[other], TIMEOUT, INTERVAL + TIMEOUT)
        assert.equal("open error:ETIMEDOUT close:1006", pair.story[other])
      end)
    end

    it("that loses the answer: who gave it ends well, who waits for it does not: " .. kind,
      function()
        local pair = ground.pair(kind, its)
        local began = ws.now()
        link.cut "in"
        pair.near:close(1000)
        pair.wait()
        scene.took(began, pair.ended.near, CLOSING - 10, CLOSING)
        assert.equal("open error:ETIMEDOUT close:1006", pair.story.near)
        assert.matches("Close frame", pair.why.near)
        assert.equal(CLEAN, pair.story.far)
      end)

    it("after any packet of it ends both sides: " .. kind, function()
      local clean = false
      for packets = 0, 3 do
        local pair = ground.pair(kind, its)
        link.cut("both", packets, pair.server.port)
        local began = ws.now()
        pair.near:close(1000)
        pair.wait()
        scene.took(began, ws.now(), 0, CLOSING + GRACE + INTERVAL + TIMEOUT)
        one_of(pair.story.near, CUT_OFF, CLEAN)
        one_of(pair.story.far, CUT_OFF, CLEAN)
        clean = clean or pair.story.near == CLEAN
        link.mend()
      end
      assert.is_true(clean) -- with more packets, nothing that matters was lost
    end)

    it("that heals in time is none: " .. kind, function()
      local pair = ground.pair(kind)
      link.cut()
      pair.near:close(3001, "in the middle")
      helper.wait_until(function() return link.stopped() > 0 end, 5000, "a lost Close")
      link.mend()
      pair.wait()
      assert.same({ near = "open close:3001:clean", far = "open close:3001:clean" }, pair.story)
    end)
  end
end)
