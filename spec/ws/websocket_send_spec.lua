-- SPDX-License-Identifier: MIT
-- What a socket sends, and how it shows what is not sent yet: send(), ping(),
-- bufferedAmount, drain, pause.

local helper = require "spec.helper"
local ws = require "ws"

local raised = helper.raised

describe("sending", function()
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

  it("S97 S98 S100 send: what it takes, and when, else the caller's line", function()
    local there = helper.raised_there
    local sock = ws.new(url)
    there("TypeError", function() sock:send() end)
    there("InvalidStateError", function() sock:send "x" end)
    assert.equal(0, sock.bufferedAmount)
    helper.wait_until(function() return sock.readyState == 1 end)
    local got = {}
    sock.onmessage = function(event) got[#got + 1] = { event.data, event.opcode } end
    for _ = 1, 2 do -- OPEN, then CLOSED
      for _, wrong in ipairs { {}, true, print } do
        there("TypeError", function() sock:send(wrong) end)
        there("TypeError", function() sock:send("x", wrong) end)
      end
      there("TypeError", function() sock:send(nil) end)
      there("TypeError", function() sock:send() end)
      there("TypeError", function() sock:send "\255" end)
      there("TypeError", function() sock:send("x", "txt") end)
      there("TypeError", function() sock.send("x") end)
      assert.is_true(sock:send("\255", "binary"))
      assert.is_true(sock:send(5))
      if sock.readyState == 1 then
        helper.wait_until(function() return got[2] end)
        sock:close()
        closed(sock)
      end
    end
    assert.same({ { "\255", "binary" }, { "5", "text" } }, got)
  end)

  it("what it raises begins with its name", function()
    local sock = ws.new(url)
    local function says(what, ...)
      local message = helper.raised(sock.send, sock, ...)
      assert.equal(1, (message:gsub("^.-Error: ", ""):find(what, 1, true)), message)
    end
    says("send: the data is missing")
    says("send: a string expected, got nil", nil)
    says('send: "text" or "binary" expected, got bin', "x", "bin")
    says('send: "text" or "binary" expected, got table', "x", { compress = false })
    says("send: a table of options expected, got number", "x", "text", 5)
    says("send: unknown option 'compres'", "x", "text", { compres = false })
    says("send: unknown option 'number'", "x", "text", { false })
    says("send: still in CONNECTING state", "x", "text", { compress = false })
    sock:terminate()
  end)

  it("S92 S94 S102 sends and gets exactly the bytes", function()
    local sock = open()
    for _, data in ipairs { "", "\239\187\191hi", "a\0b", "grüße", ("x"):rep(70000) } do
      for _, opcode in ipairs { "text", "binary" } do
        sock:send(data, opcode)
        assert.same({ data, opcode }, { sock:receive(2000) })
      end
    end
    sock:terminate()
  end)

  it("S101 what was sent stays as it was, though nobody holds it", function()
    local sock = open()
    local got = {}
    sock.onmessage = function(event) got[#got + 1] = event.data end
    for i = 1, 20 do
      sock:send(("%d "):format(i):rep(20000))
      collectgarbage()
    end
    helper.wait_until(function()
      collectgarbage()
      return got[20]
    end)
    for i = 1, 20 do assert.is_true(got[i] == ("%d "):format(i):rep(20000)) end
    sock:terminate()
  end)

  it("S111 sends and counts a view's own bytes, not its neighbours'", function()
    local counted = {}
    local lender = assert(ws.serve {
      port = 0, views = true,
      message = function(sock, view)
        local before = sock.bufferedAmount
        sock:send(view)
        counted[#counted + 1] = sock.bufferedAmount - before
      end,
    })
    local sock, log = helper.recorded(ws.new("ws://127.0.0.1:" .. lender.port))
    helper.wait_until(function() return sock.readyState == 1 end)
    local sent = { "left", "the middle", "", "right" }
    for _, data in ipairs(sent) do sock:send(data) end -- they leave in one write
    helper.wait_until(function() return #log == 5 end)
    for i, data in ipairs(sent) do
      assert.equal(data, log[i + 1][2].data)
      assert.equal(#data, counted[i])
    end
    lender:close()
    closed(sock)
  end)

  it("S96 never sends text that is not UTF-8 (X3)", function()
    local sock = open()
    for _, bad in ipairs { "\195", "\237\160\128", "\244\144\128\128", "\192\128", "ab\254" } do
      assert.matches("TypeError: send: text is not UTF%-8", raised(sock.send, sock, bad))
    end
    assert.equal(0, sock.bufferedAmount)
    sock:terminate()
  end)

  it("S99 S103 S105 counts bufferedAmount, also what is discarded", function()
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
        sock:ping "does not count"
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
    sock:close()
    closed(sock)
    sock:ping() -- nothing
    sock:pong "x"
    helper.turn_for(10)
    assert.equal(4, #log)
  end)

  it("ping and pong raise at the caller's line", function()
    local sock = ws.new(url)
    for _, name in ipairs { "ping", "pong" } do
      assert.matches(name .. ": still in CONNECTING", helper.raised_there("InvalidStateError",
        function() sock[name](sock) end))
      local message = helper.raised_there("TypeError",
        function() sock[name](sock, ("p"):rep(126)) end)
      assert.matches(name .. ": at most 125 bytes", message)
      for _, wrong in ipairs { {}, true, print } do
        assert.matches(name .. ": a string expected", helper.raised_there("TypeError",
          function() sock[name](sock, wrong) end))
      end
      helper.raised_there("TypeError", function() sock[name]() end)
    end
    for _, name in ipairs { "pause", "resume", "terminate" } do
      helper.raised_there("TypeError", function() sock[name]({}) end)
    end
    sock:terminate()
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
end)
