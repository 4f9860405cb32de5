-- SPDX-License-Identifier: MIT
-- The browser's object over real connections: SEMANTICS parts C, E to J as they
-- show in Lua, and API.md section 1 row by row.

local core = require "ws.core"
local helper = require "spec.helper"
local ws = require "ws"

local raised = helper.raised

-- What a raw server answers to a handshake, with more header lines.
local function answer(raw, more)
  raw:wait(function() return raw.bytes:find("\r\n\r\n", 1, true) end)
  local key = raw.bytes:match "Sec%-WebSocket%-Key: (%S+)"
  local accept = core.base64(core.sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
  raw:send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: " .. accept .. "\r\n" .. (more or "") .. "\r\n")
end

describe("a socket", function()
  local server, url, others

  before_each(function()
    others = {}
    server, url = helper.echo_server {
      open = function(sock) others[#others + 1] = sock end,
    }
  end)
  after_each(function()
    server:close()
    helper.wait_until(function() return server.connections == 0 end)
  end)

  local function open(...)
    local sock, log = helper.recorded(ws.new(url, ...))
    helper.wait_until(function() return sock.readyState == 1 end)
    return sock, log
  end

  local function closed(sock)
    return helper.wait_until(function() return sock.readyState == 3 end)
  end

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

  it("S32 S70 S126 goes from 0 to 3, never back, open to close", function()
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
      "remoteAddress", "tls", "nonsense" } do
      local before = sock[name]
      assert.matches("websocket_spec.lua:%d+: TypeError: cannot assign to '" .. name,
        raised(function() sock[name] = 5 end))
      assert.equal(before, sock[name])
    end
    sock:terminate()
  end)

  it("S37 S38 S39 S93 keeps binaryType, and ignores unknown ones", function()
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
    for _, bad in ipairs { "ws://127.0.0.1:1/", "ws://nobody.invalid/",
      "wss://127.0.0.1:" .. server.port } do
      local sock, log = helper.recorded(ws.new(bad, nil, { timeout = 3000 }))
      closed(sock)
      assert.equal("error close", log.types())
      assert.same({ 3, 3 }, { log[1][3], log[2][3] })
      assert.same({ 1006, "", false },
        { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
      assert.matches("^E%u+$", log[1][2].code)
      sock:close()
      helper.turn_for(20)
      assert.equal(2, #log)
    end
  end)

  it("S58 fails for a subprotocol header that is none", function()
    for _, header in ipairs { "", "a, b", "a\r\nSec-WebSocket-Protocol: a" } do
      local listener, port, accept = helper.raw_server()
      local sock, log = helper.recorded(ws.new("ws://127.0.0.1:" .. port, { "a", "b" }))
      local raw = accept()
      answer(raw, "Sec-WebSocket-Protocol: " .. header .. "\r\n")
      closed(sock)
      assert.equal("error close", log.types(), header)
      assert.equal("EHANDSHAKE", log[1][2].code)
      raw:close()
      listener:close()
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

  it("S112 S119 S120 S130 close without a code, with a reason alone, with a code alone", function()
    for _, case in ipairs { { nil, nil, 1005, "" }, { nil, "why", 1000, "why" },
      { nil, "", 1005, "" }, { 1000, "", 1000, "" }, { 1000, nil, 1000, "" } } do
      local sock, log = open()
      sock:close(case[1], case[2])
      closed(sock)
      assert.same({ case[3], case[4], true },
        { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
    end
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

  it("S140 is CLOSING when the peer's Close has come, before the close event", function()
    local listener, port, accept = helper.raw_server()
    local sock, log = helper.recorded(ws.new("ws://127.0.0.1:" .. port))
    local raw = accept()
    answer(raw)
    raw:send "\136\2\3\232"
    helper.wait_until(function() return sock.readyState == 2 end)
    assert.equal("open", log.types())
    assert.is_true(sock:send "only counted")
    assert.equal(#"only counted", sock.bufferedAmount)
    raw:close() -- the server ends TCP
    closed(sock)
    assert.equal("open close", log.types())
    assert.same({ 1000, "", true },
      { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
    listener:close()
  end)

  it("S97 S98 S100 send: what it takes, and when", function()
    local sock = ws.new(url)
    assert.matches("TypeError", raised(sock.send, sock))
    assert.matches("InvalidStateError", raised(sock.send, sock, "x"))
    assert.equal(0, sock.bufferedAmount)
    assert.matches("websocket_spec.lua:%d+: InvalidStateError",
      raised(function() sock:send "x" end))
    helper.wait_until(function() return sock.readyState == 1 end)
    for _, wrong in ipairs { {}, true, print } do
      assert.matches("websocket_spec.lua:%d+: TypeError", raised(function() sock:send(wrong) end))
    end
    assert.matches("TypeError", raised(sock.send, sock, nil))
    assert.matches("TypeError", raised(sock.send, sock, "\xff"))
    assert.is_true(sock:send("\xff", "binary"))
    assert.is_true(sock:send(5))
    sock:terminate()
  end)

  it("S92 S94 S101 S102 sends and gets exactly the bytes", function()
    local sock = open()
    for _, data in ipairs { "", "\239\187\191hi", "a\0b", "grüße", ("x"):rep(70000) } do
      for _, opcode in ipairs { "text", "binary" } do
        sock:send(data, opcode)
        assert.same({ data, opcode }, { sock:receive(2000) })
      end
    end
    sock:terminate()
  end)

  it("S96 never sends text that is not UTF-8 (X3)", function()
    local sock = open()
    for _, bad in ipairs { "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "ab\xfe" } do
      assert.matches("TypeError: send: text is not UTF%-8", raised(sock.send, sock, bad))
    end
    assert.equal(0, sock.bufferedAmount)
    sock:terminate()
  end)

  it("S99 S103 S106 counts bufferedAmount, also what is discarded", function()
    local sock = open()
    local sum = 0
    for _, text in ipairs { "x", "å", "匶", "𐑾" } do
      sock:send(text)
      sum = sum + #text
      assert.equal(sum, sock.bufferedAmount)
    end
    sock:close()
    sock:send "xyz"
    assert.equal(sum + 3, sock.bufferedAmount)
    closed(sock)
    assert.equal(3, sock.bufferedAmount) -- what was sent is gone, S105
    assert.is_true(sock:send "more")
    assert.equal(7, sock.bufferedAmount)
  end)

  it("S99 counts in CLOSING that was reached from CONNECTING", function()
    local sock = ws.new(url)
    sock:close()
    sock:send "xyz"
    assert.equal(3, sock.bufferedAmount)
    closed(sock)
  end)

  it("S104 S105 S107 bufferedAmount falls between turns only, to 0", function()
    local sock = open()
    local stayed
    sock.onmessage = function(event)
      if event.data == "go" then
        sock:send(("x"):rep(1000))
        local before = sock.bufferedAmount
        local deadline = ws.now() + 5
        while ws.now() < deadline do end -- luacheck: ignore 542
        stayed = before == 1000 and sock.bufferedAmount == before
      end
    end
    sock:send "go"
    helper.wait_until(function() return stayed ~= nil end)
    assert.is_true(stayed)
    helper.wait_until(function() return sock.bufferedAmount == 0 end)
    sock:terminate()
  end)

  it("S110 everything sent before close() arrives, in order", function()
    local got, bytes, code = 0, 0, nil
    server:close()
    server = assert(ws.serve { port = 0, maxPayload = 10000000,
      message = function(_, data)
        got = got + 1
        bytes = bytes + #data
      end,
      close = function(_, its_code) code = its_code end })
    url = "ws://127.0.0.1:" .. server.port
    local sock = open()
    sock:send(("x"):rep(8000000))
    sock:send "y"
    sock:close(3000)
    closed(sock)
    helper.wait_until(function() return code end)
    assert.same({ 2, 8000001, 3000 }, { got, bytes, code })
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

  it("S155 S156 S186 ping and pong, with events for both", function()
    local sock = open()
    local log = {}
    sock.onping = function(event) log[#log + 1] = { "ping", event.data } end
    sock.onpong = function(event) log[#log + 1] = { "pong", event.data } end
    sock:ping()
    sock:ping(("p"):rep(125))
    helper.wait_until(function() return log[2] end)
    assert.same({ { "pong", "" }, { "pong", ("p"):rep(125) } }, log)
    others[1]:ping "from there"
    others[1]:pong "nobody asked"
    helper.wait_until(function() return log[4] end)
    assert.same({ "ping", "from there" }, log[3])
    assert.same({ "pong", "nobody asked" }, log[4])
    assert.matches("websocket_spec.lua:%d+: TypeError: ping",
      raised(function() sock:ping(("p"):rep(126)) end))
    assert.matches("TypeError: pong", raised(function() sock:pong(("p"):rep(126)) end))
    sock:close()
    closed(sock)
    sock:ping() -- nothing
  end)

  it("pause and resume hold the peer back", function()
    local sock, log = open()
    sock:pause()
    sock:send "x"
    helper.turn_for(50)
    assert.equal("open", log.types())
    sock:resume()
    helper.wait_until(function() return log[2] end)
    sock:terminate()
  end)

  it("send says false above highWaterMark, drain says when it is over", function()
    local sock = open(nil, { highWaterMark = 1000, lowWaterMark = 100 })
    local drained = 0
    sock.ondrain = function()
      drained = drained + 1
      assert.is_true(sock.bufferedAmount <= 100)
    end
    assert.is_true(sock:send(("x"):rep(1000)))
    assert.is_false(sock:send "x")
    helper.wait_until(function() return drained > 0 end)
    helper.turn_for(20)
    assert.equal(1, drained)
    sock:terminate()
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

  it("S183 S184 lives without being held, while it is connected", function()
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
    helper.wait_until(function() return sock.readyState == 3 end)
    assert.equal("error close", log.types())
    assert.equal("ETIMEDOUT", log[1][2].code)
    assert.matches("^http: ", log[1][2].message)
    listener:close()
  end)

  it("S127 the closing handshake has one: unclean 1006", function()
    local listener, port, accept = helper.raw_server()
    local sock, log = helper.recorded(ws.new("ws://127.0.0.1:" .. port, nil,
      { closeTimeout = 50 }))
    local raw = accept()
    answer(raw)
    helper.wait_until(function() return sock.readyState == 1 end)
    sock:close(1000)
    helper.wait_until(function() return sock.readyState == 3 end)
    local event = log[#log][2]
    assert.same({ "close", 1006, "", false },
      { event.type, event.code, event.reason, event.wasClean })
    raw:close()
    listener:close()
  end)

  it("a silent peer is noticed by pings", function()
    local listener, port, accept = helper.raw_server()
    local sock, log = helper.recorded(ws.new("ws://127.0.0.1:" .. port, nil,
      { pingInterval = 30, pingTimeout = 30 }))
    local raw = accept()
    answer(raw)
    helper.wait_until(function() return sock.readyState == 3 end)
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
    server:close()
  end)
end)
