-- SPDX-License-Identifier: MIT
-- Event, MessageEvent, CloseEvent and ErrorEvent.

local events = require "ws.events"
local helper = require "spec.helper"
local ws = require "ws"

describe("events made by hand", function()
  it("S80 have the defaults of their class", function()
    local event = ws.CloseEvent "close"
    assert.equal("close", event.type)
    assert.is_false(event.wasClean)
    assert.equal(0, event.code)
    assert.equal("", event.reason)
    event = ws.CloseEvent("close", { wasClean = true, code = 3000, reason = "why" })
    assert.same({ true, 3000, "why" }, { event.wasClean, event.code, event.reason })
    event = ws.MessageEvent("message", { data = "x" })
    assert.same({ "x", "", "" }, { event.data, event.origin, event.lastEventId })
    assert.equal(0, #event.ports)
    assert.is_nil(event.source)
    assert.equal("", ws.ErrorEvent("error").message)
  end)

  it("S76 do not bubble, cannot be cancelled, are not trusted", function()
    for _, class in ipairs { "Event", "MessageEvent", "CloseEvent", "ErrorEvent" } do
      local event = ws[class] "x"
      assert.is_false(event.bubbles)
      assert.is_false(event.cancelable)
      assert.is_false(event.isTrusted)
      assert.is_false(event.defaultPrevented)
      assert.equal(0, event.eventPhase)
      assert.equal(class .. ": x", tostring(event))
      event:preventDefault()
      assert.is_false(event.defaultPrevented)
    end
    local event = ws.Event("x", { cancelable = true })
    event:preventDefault()
    assert.is_true(event.defaultPrevented)
  end)

  it("need a type, and fields in a table", function()
    for _, class in ipairs { "Event", "MessageEvent", "CloseEvent", "ErrorEvent" } do
      local message = helper.raised_there("TypeError", function() ws[class]() end)
      assert.matches(class .. ": the type is missing$", message)
      message = helper.raised_there("TypeError", function() ws[class]("x", 5) end)
      assert.matches(class .. ": a table of fields expected, got number$", message)
    end
    assert.equal("5", ws.Event(5).type)
    local fields = { data = "x" }
    local event = ws.Event("x", fields)
    event.data = "y"
    assert.same({ data = "x" }, fields)
  end)

  it("S40 have no initCloseEvent", function()
    assert.is_nil(ws.CloseEvent("close").initCloseEvent)
  end)

  it("are told from other tables", function()
    assert.is_true(events.is_event(ws.Event "x"))
    assert.is_false(events.is_event { type = "x" })
    assert.is_false(events.is_event "x")
    assert.is_false(events.is_event(nil))
  end)
end)

describe("the real events of a connection", function()
  it("S75 S76 S77 S78 S79 say what the standard says", function()
    local server, url = helper.echo_server()
    local sock = ws.new(url)
    local seen = {}
    local function keep(event)
      seen[event.type] = event
      assert.equal(sock, event.target)
      assert.equal(sock, event.currentTarget)
      assert.equal(2, event.eventPhase)
      assert.is_true(event.isTrusted)
    end
    sock.onopen = function(event)
      keep(event)
      sock:send "x"
    end
    sock.onmessage = function(event)
      keep(event)
      sock:close(3000, "why")
    end
    sock.onclose = keep
    helper.wait_until(function() return seen.close end)
    for _, event in pairs(seen) do
      assert.is_nil(event.currentTarget)
      assert.equal(0, event.eventPhase)
      assert.equal(sock, event.target)
    end
    assert.is_nil(seen.open.code)
    assert.same({ "x", "text", "", 0 }, { seen.message.data, seen.message.opcode,
      seen.message.lastEventId, #seen.message.ports })
    assert.equal(url:gsub("/$", ""), seen.message.origin)
    assert.same({ 3000, "why", true }, { seen.close.code, seen.close.reason, seen.close.wasClean })
    assert.equal("CloseEvent: close", tostring(seen.close))
    assert.equal("MessageEvent: message", tostring(seen.message))
    server:close()
  end)

  it("an error has a code and a message (API), S78 and nothing of a close", function()
    local sock = ws.new "ws://127.0.0.1:1/"
    local seen
    sock.onerror = function(event) seen = event end
    helper.closed(sock)
    assert.equal("ECONNREFUSED", seen.code)
    assert.matches("^tcp: ", seen.message)
    assert.is_nil(seen.reason)
    assert.is_nil(seen.wasClean)
    assert.equal("ErrorEvent: error", tostring(seen))
    assert.same({ true, 0, sock }, { seen.isTrusted, seen.eventPhase, seen.target })
  end)

  it("S77 the origin has no path, no user and no default port", function()
    local path = os.tmpname()
    os.remove(path)
    local server = assert(ws.serve { path = path,
      open = function(sock) sock:send "x" end })
    for url, origin in pairs {
      ["ws://u:p@H/a?b"] = "ws://h", ["http://h:80/"] = "ws://h", ["ws://h:443"] = "ws://h:443",
      ["ws://[0::1]:81/a"] = "ws://[::1]:81",
    } do
      local sock = ws.new(url, nil, { path = path })
      local seen
      sock.onmessage = function(event) seen = event.origin end
      helper.wait_until(function() return seen end)
      assert.equal(origin, seen)
      sock:terminate()
    end
    helper.wait_until(function() return server.connections == 0 end)
    server:close()
    os.remove(path)
  end)
end)
