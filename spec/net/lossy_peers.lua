-- SPDX-License-Identifier: MIT
-- Programs that use other libraries, behind a bad link, and their sudden ends.

local helper = require "spec.helper"
local link = require "spec.net.link"
local messages = require "spec.net.messages"
local peer = require "spec.peers.peer"
local scene = require "spec.net.scene"
local ws = require "ws"

local SIZES = { 1, 126, 1000, 16384, 65536, 100000 }
local WEATHER = { loss = 5, delay = 2, jitter = 4, doubling = 2, damage = 0.5 }
local INTERVAL, TIMEOUT = 300, 500 -- of pings

local pinging = { pingInterval = INTERVAL, pingTimeout = TIMEOUT, timeout = scene.PATIENCE }

local process -- the current test's

local function start(name, command)
  process = link.far(peer.start, "lossy_" .. name, command)
end

local function stop()
  if process then process.stop() end
  process = nil
end

-- Kills the program; behind a cut nobody hears of it, as in a power failure. It has
-- ended when its output does.
local function kill()
  assert(os.execute("kill -KILL -" .. process.pid))
  assert.is_nil(process.read())
end

-- The peer echoes; what comes back has to be what was sent.
local function converse(sock, list)
  local heard = messages.ear(list)
  sock:addEventListener("message", function(event) heard.hear(event.data, event.opcode) end)
  for _, message in ipairs(list) do sock:send(message.data, message.opcode) end
  helper.wait_until(function() return heard.wrong or heard.count == #list end,
    scene.PATIENCE, "all echoes")
  assert.is_nil(heard.wrong)
end

local function until_state(sock, state)
  helper.wait_until(function() return sock.readyState == state end, scene.PATIENCE,
    "state " .. state)
end

-- The events except messages, and how the connection ended.
local function story(log)
  local types, event = log.types():gsub("message ", ""), log[#log][2]
  return ("%s: %s %s"):format(types, event.code, event.wasClean)
end

describe("npm ws as the far server", function()
  local ports
  before_each(function()
    start("node", "node spec/peers/node_server.js " .. link.FAR)
    ports = { assert(process.read()):match "(%d+) (%d+)" }
  end)
  after_each(stop)
  local ground = scene.ground(setup, before_each, after_each)

  local function url(kind)
    local secure = kind:find "secure"
    return ("%s://%s:%s/"):format(secure and "wss" or "ws", link.FAR, ports[secure and 2 or 1])
  end

  local function opened(kind)
    local sock, log = ground.near_client(kind, url(kind), pinging)
    until_state(sock, ws.OPEN)
    return sock, log
  end

  it("gets and gives what was sent: 5 % of loss", function()
    link.weather(WEATHER)
    for _, kind in ipairs(scene.kinds) do
      local sock, log = ground.near_client(kind, url(kind), { timeout = scene.PATIENCE })
      until_state(sock, ws.OPEN)
      assert.equal(kind:find "compressed" and "permessage-deflate" or "",
        sock.extensions:match "^[^;]*")
      converse(sock, messages.of(SIZES))
      sock:close(1000)
      until_state(sock, ws.CLOSED)
      assert.equal("open close: 1000 true", story(log))
    end
    assert.is_true(link.counts().out.lost > 0)
  end)

  for _, kind in ipairs { "plain", "secure" } do
    it("that dies behind a partition is noticed by our pings: " .. kind, function()
      local sock, log = opened(kind)
      local began = ws.now()
      link.cut()
      kill()
      until_state(sock, ws.CLOSED)
      scene.took(began, ws.now(), TIMEOUT, INTERVAL + TIMEOUT)
      assert.equal("open error close: 1006 false", story(log))
      assert.equal("ETIMEDOUT", log[2][2].code)
    end)
  end

  it("that died is noticed when the partition has healed, before our pings do", function()
    local sock, log = ground.near_client("plain", url "plain", { pingInterval = 100,
      pingTimeout = scene.PATIENCE })
    until_state(sock, ws.OPEN)
    link.cut()
    kill()
    sock:send "anybody there?"
    assert.equal("open", log.types())
    link.mend()
    until_state(sock, ws.CLOSED)
    assert.equal("open error close: 1006 false", story(log))
    assert.not_equal("ETIMEDOUT", log[2][2].code)
  end)
end)

describe("Python websockets as the far client", function()
  local control, sock, closed
  after_each(function()
    stop()
    control, sock, closed = nil, nil, nil
  end)
  local ground = scene.ground(setup, before_each, after_each)

  -- Here our server is near.
  before_each(function()
    local options = scene.server_options("compressed", {
      host = link.NEAR, highWaterMark = 1e9, pingInterval = INTERVAL, pingTimeout = TIMEOUT,
      open = function(opened, request)
        if request.path == "/control" then control = opened else sock = opened end
      end,
      message = function() end,
      close = function(ended, code, _, clean)
        if ended == sock then closed = ("%d %s"):format(code, clean) end
      end,
    })
    local server = assert(ws.serve(options))
    table.insert(ground.servers, server)
    local url = ("ws://%s:%d"):format(link.NEAR, server.port)
    start("python", "/usr/bin/python3 -B spec/peers/python_client.py " .. url)
    helper.wait_until(function() return control end, scene.PATIENCE, "the peer")
    control:send("open " .. url .. "/obey ")
    helper.wait_until(function() return sock end, scene.PATIENCE, "its connection")
  end)

  it("gets and gives what was sent: 5 % of loss", function()
    link.weather(WEATHER)
    assert.equal("permessage-deflate", sock.extensions:match "^[^;]*")
    converse(sock, messages.of(SIZES))
    sock:close(1000)
    helper.wait_until(function() return closed end, scene.PATIENCE, "the end")
    assert.equal("1000 true", closed)
    assert.is_true(link.counts()["in"].lost > 0)
  end)

  it("that dies behind a partition is noticed by our pings", function()
    local began = ws.now()
    link.cut()
    kill()
    helper.wait_until(function() return closed end, scene.PATIENCE, "the end")
    scene.took(began, ws.now(), TIMEOUT, INTERVAL + TIMEOUT)
    assert.equal("1006 false", closed)
  end)
end)
