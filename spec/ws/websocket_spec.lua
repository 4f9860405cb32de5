-- SPDX-License-Identifier: MIT
-- The browser's object over real connections: its properties, its events and its end.
-- Sending is in websocket_send_spec.lua, the bytes on the wire in
-- websocket_wire_spec.lua.

local helper = require "spec.helper"
local core = require "ws.core"
local ws = require "ws"

local raised = helper.raised

describe("a socket", function()
  local server, url, others

  before_each(function()
    others = {}
    server, url = helper.echo_server {
      open = function(sock) others[#others + 1] = sock end,
    }
  end)
  after_each(function()
    helper.close_server(server)
  end)

  local function open(...) return helper.opened(url, ...) end

  local closed = helper.closed

  it("S21 S33 starts like this", function()
    local sock = ws.new(url)
    assert.equal(0, sock.readyState)
    assert.equal(0, sock.bufferedAmount)
    assert.equal("", sock.extensions) -- S34
    assert.equal("", sock.protocol) -- S35
    assert.equal("blob", sock.binaryType) -- S37
    assert.equal(url, sock.url)
    for _, name in ipairs { "onopen", "onmessage", "onerror", "onclose", "tls", "data",
      "remoteAddress", "remotePort", "localAddress", "localPort", "URL", "nonsense" } do
      assert.is_nil(sock[name], name) -- S40: no URL
    end
    local opened = false -- S21: set now, and misses nothing
    sock.onopen = function() opened = true end
    helper.wait_until(function() return opened end)
    sock:close()
    closed(sock)
  end)

  it("S31 has the constants, as ws has", function()
    local sock = ws.new(url)
    for name, value in pairs { CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3 } do
      assert.equal(value, ws[name])
      assert.equal(value, sock[name])
      assert.matches("TypeError", raised(function() sock[name] = 5 end))
    end
    sock:terminate()
  end)

  it("S32 S70 goes from 0 to 3, never back, open to close", function()
    local sock, log = open()
    sock:send "x"
    helper.wait_until(function() return log[2] end)
    sock:close()
    assert.equal(2, sock.readyState)
    closed(sock)
    assert.equal("open message close", log.types())
    assert.same({ 1, 1, 3 }, { log[1][3], log[2][3], log[3][3] })
    helper.turn_for(30)
    assert.equal(3, #log) -- S73
  end)

  it("S36 S109 has properties that cannot be assigned", function()
    local sock = open()
    for _, name in ipairs { "url", "readyState", "bufferedAmount", "extensions", "protocol",
      "remoteAddress", "remotePort", "localAddress", "localPort", "tls", "OPEN", "send", "close",
      "nonsense" } do
      local before = sock[name]
      local message = helper.raised_there("TypeError", function() sock[name] = 5 end)
      assert.matches("cannot assign to '" .. name .. "'", message)
      assert.equal(before, sock[name])
    end
    assert.matches("cannot assign to '5'", helper.raised_there("TypeError",
      function() sock[5] = 5 end))
    sock:terminate()
  end)

  it("has methods that know a wrong self, and say who they are", function()
    local sock = open()
    for _, name in ipairs { "send", "close", "terminate", "ping", "pong", "pause", "resume",
      "addEventListener", "removeEventListener", "dispatchEvent", "receive", "messages",
      "subscribe", "unsubscribe", "publish", "topics" } do
      local method = sock[name]
      helper.raised_there("TypeError", function() method() end)
      for _, wrong in ipairs { "x", 5, {}, io.stdout, ws } do
        local message = helper.raised_there("TypeError", function() method(wrong) end)
        assert.matches(name .. ": a WebSocket expected, got " .. type(wrong), message)
        assert.matches("call it as sock:" .. name, message)
      end
    end
    sock:terminate()
  end)

  it("shows nothing of what only its own modules call", function()
    local sock = open()
    for name in pairs(core.connection.internals) do assert.is_nil(sock[name], name) end
    sock:terminate()
  end)

  it("S37 S38 S93 keeps binaryType, and ignores unknown ones", function()
    local sock = open()
    sock.binaryType = "arraybuffer"
    assert.equal("arraybuffer", sock.binaryType)
    for _, wrong in ipairs { "Blob", "", "text", 5 } do
      sock.binaryType = wrong
      assert.equal("arraybuffer", sock.binaryType)
    end
    local got = {}
    sock.onmessage = function(event)
      got[#got + 1] = { event.data, event.opcode }
      sock.binaryType = "blob" -- binary data is a string either way
    end
    sock:send("\0\1", "binary")
    sock:send("\2", "binary")
    helper.wait_until(function() return got[2] end)
    assert.same({ { "\0\1", "binary" }, { "\2", "binary" } }, got)
    sock:terminate()
  end)

  it("S35 S67 knows the subprotocol and the extensions in open", function()
    server:close()
    server, url = helper.echo_server { protocols = { "b" }, compression = true }
    local sock = ws.new(url, { "a", "b" })
    local seen
    sock.onopen = function() seen = { sock.readyState, sock.protocol, sock.extensions } end
    helper.wait_until(function() return seen end)
    assert.same({ 1, "b", "permessage-deflate" }, seen)
    assert.equal("127.0.0.1", sock.remoteAddress)
    assert.equal(server.port, sock.remotePort)
    assert.equal("127.0.0.1", sock.localAddress)
    assert.is_number(sock.localPort)
    sock:terminate()
  end)

  it("S66 S68 S69 S72 S73 fails with one error and one close, once", function()
    for bad, code in pairs { ["ws://127.0.0.1:1/"] = "ECONNREFUSED",
      ["ws://nobody.invalid/"] = "ENOTFOUND", ["wss://127.0.0.1:" .. server.port] = "ETLS" } do
      local sock, log = helper.recorded(ws.new(bad, nil, { timeout = 3000 }))
      closed(sock)
      assert.equal("error close", log.types())
      assert.same({ 3, 3 }, { log[1][3], log[2][3] })
      assert.same({ 1006, "", false },
        { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
      assert.equal(code, log[1][2].code)
      assert.is_true(#log[1][2].message > 0)
      sock:close()
      helper.turn_for(20)
      assert.equal(2, #log)
    end
  end)

  it("S74 tells nothing inside a call of the user's", function()
    local sock, log = helper.recorded(ws.new(url))
    sock:close()
    assert.equal(2, sock.readyState)
    assert.equal(0, #log)
    closed(sock)
    assert.equal("error close", log.types()) -- S121
    assert.equal("ECONNABORTED", log[1][2].code)
  end)

  it("S91 S122 S123 close: CLOSING at once, no messages after", function()
    local sock, log = open()
    sock:send "late"
    sock:close(3000, "bye")
    assert.equal(2, sock.readyState)
    sock:close(4000, "again") -- nothing
    closed(sock)
    assert.equal("open close", log.types())
    assert.same({ 3000, "bye", true },
      { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
    sock:close()
    assert.matches("InvalidAccessError", raised(sock.close, sock, 1001)) -- S116
  end)

  it("S129 S141 tells the other side's code when both close", function()
    local sock, log = open()
    helper.wait_until(function() return others[1] end)
    sock:close(3001, "ours")
    others[1]:close(3002, "theirs")
    closed(sock)
    assert.same({ 3002, "theirs", true },
      { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
  end)

  it("terminate drops it now: close 1006, no error", function()
    local sock, log = open()
    sock:terminate()
    assert.equal("open", log.types())
    closed(sock)
    assert.equal("open close", log.types())
    assert.same({ 1006, "", false },
      { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
    sock:terminate()
  end)

  it("terminate before it is open: one error, one close, no open", function()
    local sock, log = helper.recorded(ws.new(url))
    sock:terminate()
    assert.equal(0, #log)
    closed(sock)
    helper.turn_for(20)
    assert.equal("error close", log.types())
    assert.equal(1006, log[2][2].code)
  end)

  it("S70 S89 S91 nothing but close follows terminate or close in a handler", function()
    for _, how in ipairs { "terminate", "close" } do
      local sock, log = open()
      sock:pause()
      for i = 1, 3 do sock:send(i) end
      helper.turn_for(10)
      sock.onmessage = function() sock[how](sock) end
      sock:resume()
      closed(sock)
      helper.turn_for(10)
      assert.equal("open message close", log.types())
      assert.equal(how == "close", log[3][2].wasClean)
    end
    local sock, log = helper.recorded(ws.new(url))
    sock.onopen = function() sock:close(3000) end
    closed(sock)
    assert.equal("open close", log.types())
    assert.equal(3000, log[2][2].code)
  end)

  it("data is a place for anything", function()
    local sock = ws.new(url)
    for _, value in ipairs { 5, "x", {}, print, true } do
      sock.data = value
      assert.equal(value, sock.data)
    end
    sock.data = nil
    assert.is_nil(sock.data)
    sock:terminate()
  end)

  it("S183 lives without being held, while it is connected", function()
    local messages = 0
    do
      local sock = ws.new(url)
      sock.onopen = function(event) event.target:send "x" end
      sock.onmessage = function(event)
        messages = messages + 1
        event.target:close()
      end
    end
    for _ = 1, 3 do collectgarbage() end
    helper.wait_until(function()
      collectgarbage()
      return messages == 1
    end)
  end)
end)

describe("timeouts", function()
  it("the whole opening has one (S66)", function()
    local listener, port = helper.raw_server()
    local sock, log = helper.recorded(ws.new("ws://127.0.0.1:" .. port, nil, { timeout = 50 }))
    helper.closed(sock)
    assert.equal("error close", log.types())
    assert.equal("ETIMEDOUT", log[1][2].code)
    assert.matches("^http: ", log[1][2].message)
    listener:close()
  end)

  it("a silent peer is noticed by pings", function()
    local listener, port, accept = helper.raw_server()
    local sock, log = helper.recorded(ws.new("ws://127.0.0.1:" .. port, nil,
      { pingInterval = 30, pingTimeout = 30 }))
    local raw = accept()
    raw:welcome()
    helper.closed(sock)
    assert.equal("open error close", log.types())
    assert.equal("ETIMEDOUT", log[2][2].code)
    raw:close()
    listener:close()
  end)

  it("a living one is not, and its latency is known", function()
    local server, url = helper.echo_server()
    local sock = ws.new(url, nil, { pingInterval = 20, pingTimeout = 1000 })
    helper.wait_until(function() return sock.latency end)
    assert.is_true(sock.latency >= 0 and sock.latency < 1000)
    assert.equal(1, sock.readyState)
    sock:terminate()
    helper.wait_until(function() return server.connections == 0 end)
    server:close()
  end)
end)
