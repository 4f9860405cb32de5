-- SPDX-License-Identifier: MIT
-- S45: ports of other protocols are never contacted, which is reported like a failure
-- of the network.

local helper = require "spec.helper"
local ws = require "ws"

describe("S45 a port of another protocol", function()
  local server, contacts

  -- Serves on any port of Fetch's list that an ordinary user may use and that is free.
  before_each(function()
    contacts = 0
    for _, port in ipairs { 10080, 6697, 6679, 6566, 4190, 5061, 3659, 6669 } do
      server = ws.serve {
        port = port,
        upgrade = function() contacts = contacts + 1 return true end,
      }
      if server then return end
    end
    error "none of the blocked ports is free"
  end)
  local function stop(one)
    one:close()
    helper.wait_until(function() return one.connections == 0 end)
  end
  after_each(function() stop(server) end)

  local function url() return ("ws://127.0.0.1:%d/"):format(server.port) end

  -- The events of a new socket until it is closed; `open` ones are closed.
  local function told(target, options)
    local events = {}
    local sock = ws.new(target, nil, options)
    local function note(event)
      events[#events + 1] = event.type .. sock.readyState
      events.last = event
      if event.type == "error" then events.code, events.why = event.code, event.message end
    end
    sock.onopen = function(event) note(event) sock:close() end
    sock.onerror, sock.onclose = note, note
    assert.equal(0, sock.readyState)
    assert.same({}, events)
    helper.closed(sock)
    return events
  end

  it("is not contacted: error, then close 1006", function()
    local events = told(url())
    assert.same({ "error3", "close3" }, { events[1], events[2], events[3] })
    assert.equal("ECONNREFUSED", events.code)
    assert.matches("anyPort", events.why)
    assert.same({ 1006, "", false },
      { events.last.code, events.last.reason, events.last.wasClean })
    assert.equal(0, contacts)
  end)

  it("can be given up at once", function()
    local closed = 0
    for _, how in ipairs { "close", "terminate" } do
      local sock = ws.new(url())
      sock.onclose = function() closed = closed + 1 end
      sock[how](sock)
    end
    helper.wait_until(function() return closed == 2 end)
    helper.settle()
    assert.equal(2, closed)
  end)

  it("is contacted with the option anyPort", function()
    local events = told(url(), { anyPort = true })
    assert.same({ "open1", "close3" }, events[1] and { events[1], events[2] })
    assert.equal(1, contacts)
  end)

  it("is not contacted by way of a redirect", function()
    local first = assert(ws.serve {
      port = 0,
      upgrade = function() return false, 302, nil, { Location = url() } end,
    })
    local from = ("ws://127.0.0.1:%d/"):format(first.port)
    local events = told(from, { followRedirects = 1 })
    assert.equal("error3", events[1])
    assert.matches("anyPort", events.why)
    assert.equal(0, contacts)
    assert.equal("open1", told(from, { followRedirects = 1, anyPort = true })[1])
    stop(first)
  end)

  it("is another protocol's through a proxy, too, but not on a Unix socket", function()
    local events = told("ws://irc.test:6667/", { proxy = "http://127.0.0.1:" .. server.port })
    assert.matches("anyPort", events.why)
    events = told("ws://irc.test:6667/", { path = "/nowhere/x.sock" })
    assert.equal("ENOENT", events.code)
    assert.equal(0, contacts)
  end)
end)
