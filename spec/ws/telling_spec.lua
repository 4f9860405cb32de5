-- SPDX-License-Identifier: MIT
-- How a socket's handlers are called when there are few or many. Which events come, and
-- with which contents, is in websocket_spec.lua.

local ws = require "ws"
local helper = require "spec.helper"

local wait_until = helper.wait_until

describe("a message's event", function()
  local server, sock, reports

  before_each(function()
    reports = {}
    ws.onerror = function(message) reports[#reports + 1] = message end
    server = assert(ws.serve {
      port = 0, message = function(peer, data, opcode) peer:send(data, opcode) end,
    })
    sock = ws.new("ws://127.0.0.1:" .. server.port)
    wait_until(function() return sock.readyState == 1 end)
  end)

  after_each(function()
    sock:terminate()
    helper.close_server(server)
    ws.onerror = nil
  end)

  local function phase_of(event)
    return { event.eventPhase, event.currentTarget, event.target }
  end

  -- What fn(event) saw of an echo of "x", told through `listen`.
  local function told(listen, fn)
    local kept, seen
    listen(function(event)
      kept = event
      seen = fn and fn(event) or phase_of(event)
    end)
    sock:send "x"
    wait_until(function() return kept end)
    return kept, seen
  end

  local function by_handler(fn) sock.onmessage = fn end
  local function by_many(fn)
    sock:addEventListener("message", function() end)
    sock:addEventListener("message", fn)
  end

  for name, listen in pairs { ["one function"] = by_handler, ["several"] = by_many } do
    it("S79 is at its target while " .. name .. " listens, and afterwards no more", function()
      local event, seen = told(listen)
      assert.same({ 2, sock, sock }, seen)
      assert.same({ 0, nil, sock }, phase_of(event))
      assert.is_nil(event.currentTarget)
      assert.equal("message", event.type)
      assert.equal("x", event.data)
      assert.equal("text", event.opcode)
      assert.equal("ws://127.0.0.1:" .. server.port, event.origin)
      assert.is_true(event.isTrusted)
    end)

    it("S86 can be dispatched again afterwards, not meanwhile: " .. name, function()
      local event, message = told(listen, function(event)
        return helper.raised(sock.dispatchEvent, sock, event)
      end)
      assert.matches("InvalidStateError", message)
      local again
      sock.onmessage = function(same) again = same end
      assert.is_true(sock:dispatchEvent(event))
      assert.equal(event, again)
      assert.is_false(event.isTrusted)
    end)

    it("S88 forgets that it was stopped: " .. name, function()
      local stops, count = true, 0
      local event = told(listen, function(event)
        if stops then event:stopImmediatePropagation() end
        return true
      end)
      stops = false
      for i = 1, 2 do -- different functions, in Lua 5.2 and 5.3, too
        sock:addEventListener("message", function() count = count + (i > 0 and 1 or 0) end)
      end
      sock:dispatchEvent(event)
      assert.equal(2, count)
    end)
  end

  it("S87 goes to the listener that one with capture adds", function()
    local seen = {}
    sock:addEventListener("message", function(event)
      seen[1] = event.data
      sock.onmessage = function(same) seen[2] = same.data end
    end, true)
    sock:send "x"
    sock:ping()
    local ponged
    sock.onpong = function() ponged = true end
    wait_until(function() return ponged end)
    assert.same({ "x", "x" }, seen)
  end)

  it("has no origin from a server's socket", function()
    local origin
    for peer in server:clients() do
      peer.onmessage = function(event) origin = event.origin end
    end
    sock:send "x"
    wait_until(function() return origin end)
    assert.equal("", origin)
  end)

  it("whose handler raises is reported, and over when the next one is told", function()
    local kept, count = nil, 0
    sock.onmessage = function(event)
      count = count + 1
      if count > 1 then return end
      kept = event
      error "on purpose"
    end
    sock:send "1"
    sock:send "2"
    wait_until(function() return count == 2 end)
    assert.equal(1, #reports)
    assert.matches("on purpose", reports[1])
    assert.equal(0, kept.eventPhase)
    assert.is_nil(kept.currentTarget)
  end)

  it("goes to the raw handler's data first, and to nobody once that has ended it", function()
    local seen = {}
    local other = ws.new("ws://127.0.0.1:" .. server.port, {
      message = function(this, data)
        seen[#seen + 1] = "raw " .. data
        if data == "2" then this:terminate() end
      end,
    })
    other.onmessage = function(event) seen[#seen + 1] = "event " .. event.data end
    wait_until(function() return other.readyState == 1 end)
    other:send "1"
    other:send "2"
    helper.closed(other)
    assert.same({ "raw 1", "event 1", "raw 2" }, seen)
  end)

  -- What comes of two messages when a close listener exists already: the raw handler adds
  -- them to a list, and calls begin(sock, list) at the first.
  local function told_beside_raw(begin)
    local seen = {}
    local other = ws.new("ws://127.0.0.1:" .. server.port, {
      message = function(this, data)
        seen[#seen + 1] = "raw " .. data
        if data == "1" then begin(this, seen) end
      end,
    })
    other.onclose = function() end
    wait_until(function() return other.readyState == 1 end)
    other:send "1"
    other:send "2"
    wait_until(function() return seen[3] end)
    other:terminate()
    helper.closed(other)
    return seen
  end

  it("goes to no receive that begins in its raw handler: that gets the next one", function()
    assert.same({ "raw 1", "raw 2", "received 2" }, told_beside_raw(function(this, seen)
      ws.spawn(function()
        local data = this:receive()
        seen[#seen + 1] = "received " .. data
      end)
    end))
  end)

  it("nor to a listener that is added in it", function()
    assert.same({ "raw 1", "raw 2", "event 2" }, told_beside_raw(function(this, seen)
      this.onmessage = function(event) seen[#seen + 1] = "event " .. event.data end
    end))
  end)
end)
