-- SPDX-License-Identifier: MIT
-- ws.poll(ms, maxEvents): a flood must not take up a game's frame.

local core = require "ws.core"
local ws = require "ws"
local helper = require "spec.helper"
local socket = require "socket"

local raised, wait_until = helper.raised, helper.wait_until

local FLOOD = 500 -- messages a peer sends in one go

describe("poll with a budget", function()
  local server, url, got

  -- A peer that floods once it is told to; its messages hold its name.
  local function flooder(name)
    local sock = ws.new(url)
    wait_until(function() return sock.readyState == ws.OPEN end)
    return function()
      for i = 1, FLOOD do sock:send(name .. " " .. i) end
    end, sock
  end

  -- What another loop looks at to know that it should call ws.poll.
  local function has_work()
    if ws.nextTimeout() == 0 or not ws.fd() then return true end -- poll(2) has no fd
    local fd = { getfd = ws.fd }
    return #socket.select({ fd }, nil, 0) == 1
  end

  before_each(function()
    helper.settle()
    got = {}
    server, url = helper.echo_server { message = function(_, data) got[#got + 1] = data end }
  end)

  after_each(function()
    helper.close_server(server)
  end)

  it("serves no more events than asked for, loses none and keeps the order", function()
    local flood = flooder "a"
    flood()
    local deadline = ws.now() + 5000
    while #got < FLOOD and ws.now() < deadline do
      local before = #got
      local served = ws.poll(20, 7)
      assert.is_true(served <= 7)
      assert.is_true(#got - before <= served)
      if #got > 0 and #got < FLOOD then assert.is_true(has_work()) end
    end
    assert.equal(FLOOD, #got)
    for i = 1, FLOOD do assert.equal("a " .. i, got[i]) end
  end)

  it("counts timers", function()
    local fired, ids = 0, {}
    for i = 1, 10 do ids[i] = ws.setTimeout(function() fired = fired + 1 end, 0) end
    while ws.nextTimeout() ~= 0 do assert.is_true(ws.poll(5, 1) <= 1) end
    local before = fired
    assert.equal(3, ws.poll(0, 3))
    assert.equal(3, fired - before)
    wait_until(function() return fired == 10 end)
    for _, id in ipairs(ids) do ws.clearTimeout(id) end
  end)

  it("lets timers fire between two floods, and both floods in", function()
    local one, two = flooder "one", flooder "two"
    local ticks = 0
    local id = ws.setInterval(function() ticks = ticks + 1 end, 0)
    one()
    two()
    local deadline = ws.now() + 5000
    local counts = { one = 0, two = 0 }
    local widest, seen = 0, 0
    while #got < 2 * FLOOD and ws.now() < deadline do
      ws.poll(5, 10)
      for i = seen + 1, #got do
        local name = got[i]:match("^%a+")
        counts[name] = counts[name] + 1
      end
      seen = #got
      local both = counts.one > 0 and counts.two > 0
      if both and seen < 1.5 * FLOOD then
        widest = math.max(widest, math.abs(counts.one - counts.two))
      end
    end
    ws.clearInterval(id)
    assert.equal(FLOOD, counts.one)
    assert.equal(FLOOD, counts.two)
    assert.is_true(widest < FLOOD / 2, "one got ahead by " .. widest)
    assert.is_true(ticks > 10)
  end)

  it("without a budget tells how many events there were", function()
    local flood = flooder "a"
    flood()
    local served, deadline = 0, ws.now() + 5000
    while #got < FLOOD and ws.now() < deadline do served = served + ws.poll(20) end
    assert.equal(FLOOD, #got)
    assert.is_true(served >= FLOOD)
  end)

  it("raises for what is no number of events", function()
    for _, wrong in ipairs { 0, -1, 1.5, 0 / 0, 1 / 0, "5", {}, true } do
      assert.matches("poll_spec.*TypeError: poll: a whole number",
        raised(function() ws.poll(0, wrong) end))
    end
    assert.matches("TypeError: poll: milliseconds", raised(ws.poll, {}, 1))
  end)
end)

describe("an idle frame", function()
  local FRAMES = 10000

  -- By how much FRAMES idle calls increase Lua's memory and the core's blocks.
  local function growth(poll)
    for _ = 1, 200 do poll() end -- LuaJIT's traces are garbage, too
    collectgarbage() collectgarbage()
    collectgarbage("stop")
    local blocks, before = core.live(), collectgarbage("count")
    for _ = 1, FRAMES do poll() end
    local after = collectgarbage("count")
    collectgarbage("restart")
    return (after - before) * 1024, core.live() - blocks
  end

  it("allocates nothing, with a server, a socket and a timer waiting", function()
    helper.settle()
    local server, url = helper.echo_server()
    local sock = ws.new(url)
    wait_until(function() return sock.readyState == ws.OPEN end)
    helper.turn_for(20)
    local id = ws.setTimeout(function() end, 600000)
    for _, poll in ipairs {
      function() ws.poll(0) end, function() ws.poll(0, 64) end, function() ws.poll() end,
      function() ws.nextTimeout() end,
    } do
      local bytes, blocks = growth(poll)
      -- Even one object per frame would be 160,000 bytes; LuaJIT adds its traces.
      assert.is_true(bytes < FRAMES, bytes .. " bytes more")
      assert.is_true(blocks <= 0, blocks .. " blocks more")
    end
    ws.clearTimeout(id)
    sock:close()
    helper.close_server(server)
  end)
end)
