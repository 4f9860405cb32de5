-- SPDX-License-Identifier: MIT
-- The methods and properties of ws.connection that C gives.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("ws.connection", function()
  local party, conn, log
  before_each(function()
    party = turning.party()
    conn, log = party.client()
  end)
  after_each(function() party.finish() end)

  it("has the properties of a connection", function()
    assert.equal(1, conn.readyState)
    assert.equal(0, conn.bufferedAmount)
    assert.equal(party.url, conn.url)
    assert.equal("", conn.protocol)
    assert.equal("", conn.extensions)
    assert.equal("127.0.0.1", conn.remoteAddress)
    assert.equal(party.server:port(), conn.remotePort)
    assert.equal("127.0.0.1", conn.localAddress)
    assert.is_number(conn.localPort)
    assert.is_nil(conn.tls)
    assert.is_nil(conn.latency)
    assert.is_nil(conn.nonsense)
    assert.is_nil(conn[5])
    assert.equal("WebSocket (OPEN) " .. party.url, tostring(conn))
  end)

  it("has them still when it is closed, but for what is gone", function()
    conn:rawClose(1000)
    party.wait(function() return log.close end)
    assert.equal(3, conn.readyState)
    assert.equal(party.server:port(), conn.remotePort)
    assert.equal(party.url, conn.url)
    assert.equal("WebSocket (CLOSED) " .. party.url, tostring(conn))
  end)

  it("refuses assignments, naming the property and the line", function()
    assert.matches("connection_spec.lua:%d+: TypeError: cannot assign to 'readyState'",
      turning.raised(function() conn.readyState = 3 end))
    assert.error_matches(function() conn.nonsense = 1 end, "cannot assign to 'nonsense'")
    assert.error_matches(function() conn[{}] = 1 end, "TypeError")
  end)

  it("sends text and binary, strings and numbers", function()
    conn:send "text"
    conn:send("\0\255", "binary")
    conn:send(12)
    conn:send("", "text")
    party.wait(function() return log.message == 4 end)
    assert.same({ "message", "text", "text" }, log[2])
    assert.same({ "message", "\0\255", "binary" }, log[3])
    assert.same({ "message", "12", "text" }, log[4])
    assert.same({ "message", "", "text" }, log[5])
  end)

  it("raises for what cannot be sent", function()
    for _, value in ipairs { {}, true, print, conn } do
      assert.matches("spec.lua:%d+: TypeError: send: ",
        turning.raised(function() conn:send(value) end))
    end
    assert.error_matches(function() conn:send() end, "TypeError: send: the data is missing")
    assert.error_matches(function() conn:send(nil) end, "TypeError")
    assert.error_matches(function() conn:send "\xff" end, "TypeError: send: text is not UTF%-8")
    assert.error_matches(function() conn:send("x", "blob") end, 'TypeError: "text" or "binary"')
    assert.error_matches(function() conn:send("x", "text", 5) end, "TypeError")
    assert.error_matches(function() conn:ping(("x"):rep(126)) end, "TypeError: ping: at most 125")
  end)

  it("raises InvalidStateError before it is open", function()
    local early = party.loop:connect { url = party.url, handlers = core.handlers {} }
    assert.error_matches(function() early:send "x" end, "InvalidStateError")
    assert.error_matches(function() early:ping() end, "InvalidStateError")
    assert.error_matches(function() early:send {} end, "TypeError") -- the argument first
    early:terminate()
  end)

  it("says when to stop, and when to go on (drain)", function()
    local slow, slow_log = party.client(nil, { highWaterMark = 1000, lowWaterMark = 100 })
    assert.is_true(slow:send(("x"):rep(1000), "binary"))
    assert.is_false(slow:send("x", "binary"))
    assert.equal(1001, slow.bufferedAmount)
    party.wait(function() return slow_log.drain end)
    assert.equal(0, slow.bufferedAmount)
    assert.equal(1, slow_log.drain)
    slow:terminate()
  end)

  it("counts what it discards", function()
    conn:rawClose(1000)
    assert.is_true(conn:send "12345")
    assert.equal(5, conn.bufferedAmount)
    party.wait(function() return log.close end)
    conn:send "67"
    assert.equal(7, conn.bufferedAmount)
  end)

  it("has topics on a server only", function()
    local peer
    local other = turning.party {
      handlers = core.handlers { open = function(sock) peer = sock end },
    }
    local client, client_log = other.client()
    peer:subscribe "a"
    peer:subscribe "b"
    peer:subscribe "a"
    local topics = peer:topics()
    table.sort(topics)
    assert.same({ "a", "b" }, topics)
    assert.equal(1, other.server:publish("a", "hello"))
    assert.equal(0, peer:publish("a", "not to itself"))
    other.wait(function() return client_log.message end)
    assert.equal("hello", (client_log.last "message"))
    assert.is_true(peer:unsubscribe "a")
    assert.is_false(peer:unsubscribe "a")
    for _, method in ipairs { "subscribe", "unsubscribe", "publish" } do
      assert.error_matches(function() client[method](client, "x", "y") end,
        "TypeError: topics are for a server's sockets")
    end
    assert.error_matches(function() peer:publish("a", "\xff") end, "TypeError")
    client:terminate()
    other.wait(function() return peer.readyState == 3 end)
    peer:subscribe "late" -- nothing happens
    assert.same({}, peer:topics())
    other.finish()
  end)

  it("pins a long string until it is sent", function()
    local before = core.live()
    for i = 1, 30 do
      conn:send((tostring(i % 10)):rep(100000))
      collectgarbage()
    end
    party.wait(function() return log.message == 30 end)
    assert.equal(("0"):rep(100000), (log.last "message"))
    assert.is_true(core.live() <= before + 4)
  end)

  it("takes foreign selves for what they are", function()
    for _, method in ipairs { "send", "ping", "terminate", "pause", "topics", "state", "hold" } do
      for _, wrong in ipairs { {}, "x", io.stdout, party.loop } do
        assert.error_matches(function() conn[method](wrong, "x") end, "TypeError")
      end
      assert.has_error(function() conn[method]() end)
    end
  end)

  it("keeps a state for the floor above", function()
    assert.is_nil(conn:state())
    local state = {}
    conn:setState(state)
    assert.equal(state, conn:state())
    conn:setState(nil)
    assert.is_nil(conn:state())
  end)
end)
