-- SPDX-License-Identifier: MIT
-- Partitions in both directions or in one: those that heal in time lose nothing, the
-- others are noticed by both ends.

local helper = require "spec.helper"
local link = require "spec.net.link"
local messages = require "spec.net.messages"
local proving = require "spec.attacks.proving"
local scene = require "spec.net.scene"
local ws = require "ws"

local INTERVAL, TIMEOUT = 200, 300 -- of pings
local CONNECTING = 250 -- deadline for connecting
local PARTITION = 600 -- how long one lasts that heals

local pinging = { pingInterval = INTERVAL, pingTimeout = TIMEOUT }
local both_pinging = { server = pinging, client = pinging }

local took = scene.took
local directions = { "both", "out", "in" }

describe("a partition", function()
  local ground = scene.ground(setup, before_each, after_each)

  -- Slow enough that most is still to come when the link breaks.
  for _, direction in ipairs(directions) do
    it("that heals loses nothing: " .. direction, function()
      link.weather { delay = 1, kbits = 16000 }
      local list = messages.of { 1, 1000, 65536, 100000, 7 }
      local patient = { pingInterval = 1000, pingTimeout = 20000 }
      local talks = {}
      for i, kind in ipairs(scene.kinds) do
        talks[i] = messages.converse(ground, kind, list, { client = patient, server = patient })
      end
      for _, talk in ipairs(talks) do
        helper.wait_until(function() return talk.far.count > 2 end, scene.PATIENCE, "a start")
      end
      link.cut(direction)
      helper.turn_for(PARTITION)
      for _, talk in ipairs(talks) do assert.is_true(talk.near.count < #list, "too late") end
      assert.is_true(link.stopped() > 0)
      link.mend()
      for _, talk in ipairs(talks) do
        helper.wait_until(talk.over, scene.PATIENCE, "all echoes")
        assert.equal("", talk.verdict(), talk.kind)
      end
    end)
  end

  it("that heals lets what was sent meanwhile through, then the Close behind it", function()
    local heard = {}
    local pair = ground.pair("secure", { server = { message = function(_, data)
      heard[#heard + 1] = data
    end } })
    link.cut()
    for i = 1, 100 do pair.near:send("message " .. i) end
    pair.near:close(3000, "done")
    helper.wait_until(function() return link.stopped() >= 3 end)
    assert.same({}, heard)
    link.mend()
    pair.wait()
    assert.equal(100, #heard)
    for i = 1, 100 do assert.equal("message " .. i, heard[i]) end
    assert.equal("open close:3000:clean", pair.story.near)
    assert.equal("open close:3000:clean", pair.story.far)
  end)
end)

describe("a peer that a partition took away", function()
  local ground = scene.ground(setup, before_each, after_each)

  for _, kind in ipairs { "plain", "secure compressed" } do
    -- In one direction: the side that hears nothing gives up, and the other side gets
    -- its FIN or RST.
    for _, direction in ipairs(directions) do
      it(("is noticed by its pings: %s, %s"):format(kind, direction), function()
        local pair = ground.pair(kind, both_pinging)
        local began = ws.now()
        link.cut(direction)
        pair.wait()
        for _, side in ipairs { "near", "far" } do
          took(began, pair.ended[side], TIMEOUT, INTERVAL + TIMEOUT)
          assert.matches("^open error:%u+ close:1006$", pair.story[side])
        end
        if direction ~= "out" then assert.matches("ETIMEDOUT", pair.story.near) end
        if direction ~= "in" then assert.matches("ETIMEDOUT", pair.story.far) end
      end)
    end

    it("is noticed when much is still unsent: " .. kind, function()
      local pair = ground.pair(kind, both_pinging)
      local began = ws.now()
      link.cut()
      pair.near:send(("unsent"):rep(250000))
      pair.far:send(("unsent"):rep(250000))
      pair.wait()
      for _, side in ipairs { "near", "far" } do
        took(began, pair.ended[side], TIMEOUT, INTERVAL + TIMEOUT)
        assert.equal("open error:ETIMEDOUT close:1006", pair.story[side])
      end
    end)

    it("is noticed by the server's idleTimeout: " .. kind, function()
      local pair = ground.pair(kind, { server = { idleTimeout = 400 } })
      local began = ws.now()
      link.cut()
      helper.wait_until(function() return pair.ended.far end)
      took(began, pair.ended.far, 390, 400)
      assert.equal("open error:ETIMEDOUT close:1006", pair.story.far)
      assert.equal("open", pair.story.near)
    end)
  end

  it("is told to who waits for a message", function()
    local server, url = ground.far_server "plain"
    local sock = assert(ws.connect(url, scene.client_options("plain", pinging)))
    table.insert(ground.socks, sock)
    sock:send "hello"
    assert.equal("hello", (sock:receive(scene.PATIENCE)))
    local began = ws.now()
    link.cut()
    local data, why, code = sock:receive(scene.PATIENCE)
    assert.is_nil(data)
    assert.equal("closed 1006", why .. " " .. code)
    took(began, ws.now(), TIMEOUT, INTERVAL + TIMEOUT)
    assert.equal(1, server.connections) -- the server does not ping
  end)

  it("is noticed when it is our own device that went down", function()
    local pair = ground.pair("plain", { client = pinging })
    local began = ws.now()
    link.set_up(false)
    local ok, why = pcall(function()
      pair.near:send "into the void"
      helper.wait_until(function() return pair.ended.near end, scene.PATIENCE, "the end")
      took(began, pair.ended.near, 0, INTERVAL + TIMEOUT)
      assert.equal("open error:ETIMEDOUT close:1006", pair.story.near)
      local _, _, code = ws.connect(pair.url, scene.client_options "plain")
      assert.equal("ENETUNREACH", code) -- at once, without a deadline
    end)
    link.set_up(true)
    if not ok then error(why, 0) end
    proving.echo(ground.fresh_echo "plain")
  end)

  it("is no dead one while packets get through at all: 20 % of loss", function()
    local pings = { near = 0, far = 0 }
    local lively = { pingInterval = 50, pingTimeout = 10000 }
    local pair = ground.pair("plain", { client = lively, server = lively })
    pair.near:addEventListener("ping", function() pings.near = pings.near + 1 end)
    pair.far:addEventListener("ping", function() pings.far = pings.far + 1 end)
    link.weather { loss = 20, delay = 5, jitter = 5 }
    helper.wait_until(function() return pings.near >= 12 and pings.far >= 12 end,
      scene.PATIENCE, "twelve pings each way")
    assert.same({ near = "open", far = "open" }, pair.story)
  end)
end)

describe("connecting", function()
  local ground = scene.ground(setup, before_each, after_each)

  for _, kind in ipairs { "plain", "secure" } do
    for _, direction in ipairs { "both", "in" } do
      it(("into a black hole ends by its deadline: %s, %s"):format(kind, direction), function()
        local server, url = ground.far_server(kind)
        link.cut(direction)
        local began = ws.now()
        local options = scene.client_options(kind, { timeout = CONNECTING })
        local sock, why, code = ws.connect(url, options)
        assert.is_nil(sock)
        assert.equal("ETIMEDOUT", code)
        assert.matches("^tcp: ", why)
        took(began, ws.now(), CONNECTING - 10, CONNECTING)
        assert.equal(0, server.connections)
      end)
    end
  end

  it("goes on when the partition heals before the deadline", function()
    local _, url = ground.far_server "secure"
    local sock, log = ground.near_client("secure", url, { timeout = scene.PATIENCE })
    link.cut()
    helper.wait_until(function() return link.stopped() > 0 end, 5000, "a lost SYN")
    assert.equal("", log.types())
    link.mend()
    helper.wait_until(function() return sock.readyState ~= 0 end, scene.PATIENCE, "it to open")
    assert.equal("open", log.types())
  end)
end)
