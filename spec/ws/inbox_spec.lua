-- SPDX-License-Identifier: MIT
-- Messages that are held for receive(): in their order, for those that wait in theirs, up
-- to highWaterMark; then the socket reads no more.

local ws = require "ws"
local helper = require "spec.helper"

local wait_until = helper.wait_until

describe("the inbox of receive", function()
  local server, url, socks, there, pongs

  -- A server that says nothing of its own; `there` is its latest socket.
  local function serve(options)
    there, pongs = nil, 0
    server, url = helper.echo_server {
      message = function() end,
      open = function(sock)
        there = sock
        sock.onpong = function() pongs = pongs + 1 end
      end,
    }
    if options then
      server:close()
      for name, value in pairs { open = function(sock) there = sock end } do
        options[name] = options[name] or value
      end
      server, url = helper.echo_server(options)
    end
  end

  local function connect(options)
    local before = there
    local sock = assert(ws.connect(url, nil, options))
    socks[#socks + 1] = sock
    wait_until(function() return there ~= before end)
    return sock
  end

  local function idle(ms) helper.turn_for(ms or 20) end

  before_each(function() socks = {} end)

  after_each(function()
    ws.onerror = nil
    for _, sock in ipairs(socks) do sock:terminate() end
    helper.close_server(server)
  end)

  it("holds what came before anybody asked, in order", function()
    serve()
    local sock = connect()
    for i = 1, 100 do there:send(tostring(i), i % 2 == 0 and "binary" or nil) end
    idle()
    for i = 1, 100 do
      assert.same({ tostring(i), i % 2 == 0 and "binary" or "text" }, { sock:receive(0) })
    end
    assert.same({ nil, "timeout" }, { sock:receive(0) })
  end)

  it("holds what came with the handshake's last bytes", function()
    serve { open = function(sock) there = sock sock:send "welcome" end, message = function() end }
    assert.equal("welcome", connect():receive(1000))
  end)

  it("hands out what it holds before it tells of the end", function()
    serve()
    local sock = connect()
    there:send "one"
    there:send "two"
    there:close(3333, "over")
    helper.closed(sock)
    assert.equal("one", sock:receive())
    assert.equal("two", sock:receive())
    assert.same({ nil, "closed", 3333, "over" }, { sock:receive() })
  end)

  it("does so also when the connection failed", function()
    serve()
    local sock = connect()
    there:send "last words"
    idle()
    there:terminate()
    helper.closed(sock)
    assert.equal("last words", sock:receive())
    assert.same({ nil, "closed", 1006, "" }, { sock:receive() })
  end)

  it("serves waiters in the order they came", function()
    serve()
    local sock, got = connect(), {}
    for i = 1, 3 do
      ws.spawn(function()
        for _ = 1, 2 do
          local data = sock:receive()
          got[#got + 1] = i .. data
        end
      end)
    end
    for letter in ("abcdef"):gmatch(".") do there:send(letter) end
    wait_until(function() return #got == 6 end)
    assert.same({ "1a", "2b", "3c", "1d", "2e", "3f" }, got)
  end)

  it("passes over a waiter whose time was over", function()
    serve()
    local sock, got = connect(), {}
    ws.spawn(function() got.first = { sock:receive(5) } end)
    ws.spawn(function() got.second = { sock:receive(5000) } end)
    wait_until(function() return got.first end)
    there:send "x"
    wait_until(function() return got.second end)
    assert.same({ first = { nil, "timeout" }, second = { "x", "text" } }, got)
  end)

  it("tells all waiters of the end", function()
    serve()
    local sock, got = connect(), {}
    for i = 1, 3 do ws.spawn(function() got[i] = { sock:receive() } end) end
    there:close(1001)
    wait_until(function() return #got == 3 end)
    for i = 1, 3 do assert.same({ nil, "closed", 1001, "" }, got[i]) end
  end)

  it("an error in one waiter is not the others'", function()
    serve()
    local sock, got, reports = connect(), nil, 0
    ws.onerror = function() reports = reports + 1 end
    ws.spawn(function() error("dies of " .. sock:receive()) end)
    ws.spawn(function() got = sock:receive() end)
    there:send "a"
    there:send "b"
    wait_until(function() return got end)
    assert.same({ "b", 1 }, { got, reports })
  end)

  -- ------------------------------------------------------------ back-pressure

  it("above highWaterMark the socket reads no more, until some are taken", function()
    serve()
    local sock = connect() -- 1 MiB
    local message = ("x"):rep(1000000)
    for _ = 1, 14 do there:send(message, "binary") end
    there:ping()
    idle(100)
    assert.is_true(there.bufferedAmount > 1000000) -- the sender notices it
    assert.equal(0, pongs)
    for _ = 1, 14 do assert.equal(1000000, #sock:receive(2000)) end
    wait_until(function() return pongs == 1 end)
    assert.equal(0, there.bufferedAmount)
  end)

  it("highWaterMark is the client's option", function()
    serve()
    local sock = connect { highWaterMark = 10000, lowWaterMark = 0 }
    for round = 1, 2 do
      for i = 1, 20 do there:send(("%04d"):format(i) .. ("x"):rep(996)) end
      there:ping()
      idle(60)
      assert.equal(round - 1, pongs) -- 11 of 20 are held, the ping behind them is unread
      for i = 1, 20 do assert.equal(i, tonumber(sock:receive(2000):sub(1, 4))) end
      wait_until(function() return pongs == round end)
    end
  end)

  it("and the server's, for its own sockets", function()
    serve { highWaterMark = 10000, lowWaterMark = 0, message = function() end }
    local sock, answered = connect(), 0
    sock.onpong = function() answered = answered + 1 end
    assert.same({ nil, "timeout" }, { there:receive(0) })
    for _ = 1, 20 do sock:send(("x"):rep(1000)) end
    sock:ping()
    idle(60)
    assert.equal(0, answered)
    for _ = 1, 20 do assert.equal(1000, #there:receive(2000)) end
    wait_until(function() return answered == 1 end)
  end)

  it("messages that somebody waits for are not held, however many", function()
    serve()
    local sock, count = connect { highWaterMark = 1000, lowWaterMark = 0 }, 0
    ws.spawn(function()
      helper.each(sock:messages(), function() count = count + 1 end)
    end)
    for _ = 1, 500 do there:send(("x"):rep(100)) end
    wait_until(function() return count == 500 end)
  end)

  it("a Close behind held messages comes through once they are taken", function()
    serve()
    local sock = connect { highWaterMark = 1000, lowWaterMark = 0 }
    for _ = 1, 5 do there:send(("x"):rep(500)) end
    there:close(3000)
    idle(30)
    local count = 0
    for _ in sock:messages() do count = count + 1 end
    assert.equal(5, count)
    assert.same({ nil, "closed", 3000, "" }, { sock:receive() })
  end)

  -- ------------------------------------------------------------ whose sockets

  it("works for a server's socket: an echo in four lines", function()
    serve {
      open = function(sock)
        there = sock
        ws.spawn(function()
          helper.each(sock:messages(), function(data, opcode)
            sock:send(data:upper(), opcode)
          end)
          there = "over"
        end)
      end,
      message = function() end,
    }
    local sock = connect()
    sock:send "first"
    sock:send("second", "binary")
    assert.same({ "FIRST", "text" }, { sock:receive(1000) })
    assert.same({ "SECOND", "binary" }, { sock:receive(1000) })
    sock:close()
    wait_until(function() return there == "over" end)
  end)

  it("works for a socket of ws.new, open or not", function()
    serve()
    local sock = ws.new(url)
    socks[1] = sock
    wait_until(function() return there end)
    there:send "x"
    assert.same({ "x", "text" }, { sock:receive(1000) })
    local early, got = ws.new(url), nil
    socks[2] = early
    ws.spawn(function() got = { early:receive() } end)
    wait_until(function() return early.readyState == 1 end)
    there:send "y"
    wait_until(function() return got end)
    assert.same({ "y", "text" }, got)
  end)

  it("tells the end of a connection that never opened", function()
    serve()
    local listener, port = helper.raw_server()
    listener:close()
    local sock = ws.new(("ws://127.0.0.1:%d/"):format(port))
    assert.same({ nil, "closed", 1006, "" }, { sock:receive() })
  end)

  it("tells how it ended also when receive is first used after the end", function()
    serve()
    local sock = ws.new(url)
    wait_until(function() return there end)
    there:close(4002, "gone")
    helper.closed(sock)
    assert.same({ nil, "closed", 4002, "gone" }, { sock:receive() })
  end)

  it("the same for a server's socket that had handlers only", function()
    serve()
    local sock, theirs = connect(), there
    sock:close(3333, "bye")
    helper.closed(theirs)
    assert.same({ nil, "closed", 3333, "bye" }, { theirs:receive() })
  end)

  it("counts what keeping a message costs, too, be it empty", function()
    serve()
    local sock = connect { highWaterMark = 10000 }
    for _ = 1, 200 do there:send "" end
    there:ping()
    idle(50)
    assert.equal(0, pongs)
    for _ = 1, 200 do assert.equal("", sock:receive(2000)) end
    wait_until(function() return pongs == 1 end)
  end)

  it("S91 nothing more is received after close()", function()
    serve()
    local sock = connect()
    there:send "before"
    idle()
    sock:close(1000)
    there:send "crossing"
    assert.equal("before", sock:receive(1000))
    assert.same({ nil, "closed", 1000, "" }, { sock:receive(2000) })
  end)
end)

describe("a socket of ws.connect", function()
  it("tells listeners instead, as long as receive was not called", function()
    local server, url = helper.echo_server()
    local sock = assert(ws.connect(url))
    sock:send "kept"
    helper.turn_for(30)
    local got = {}
    sock.onmessage = function(event) got[#got + 1] = event.data end
    assert.same({}, got)
    sock:send "told"
    helper.wait_until(function() return got[2] end)
    assert.same({ "kept", "told" }, got)
    sock:send "received"
    assert.equal("received", (sock:receive(2000)))
    helper.turn_for(10)
    assert.equal(2, #got)
    sock:terminate()
    server:close()
  end)

  -- A socket that has kept messages 1 to 5 when it gets a listener.
  local function meet(listener)
    local server, url = helper.echo_server()
    local sock, got = assert(ws.connect(url)), {}
    for i = 1, 5 do sock:send(tostring(i)) end
    helper.turn_for(30)
    sock.onmessage = function(event)
      got[#got + 1] = event.data
      if listener then listener(sock, got) end
    end
    return sock, got, server
  end

  it("tells them before what comes later, and before the Close", function()
    local sock, got, server = meet()
    for other in server:clients() do
      other:send "6"
      other:close(4000)
    end
    helper.closed(sock)
    assert.equal("1 2 3 4 5 6", table.concat(got, " "))
    helper.close_server(server)
  end)

  it("tells them one by one: a pause holds up the next", function()
    local sock, got, server = meet(function(sock, got)
      if #got == 2 then sock:pause() end
    end)
    helper.turn_for(30)
    assert.equal("1 2", table.concat(got, " "))
    sock:send "6"
    sock:resume()
    helper.wait_until(function() return got[6] end)
    assert.equal("1 2 3 4 5 6", table.concat(got, " "))
    sock:terminate()
    helper.close_server(server)
  end)

  it("tells no more when its listener goes; the rest is for receive", function()
    local sock, got, server = meet(function(sock) sock.onmessage = nil end)
    helper.wait_until(function() return got[1] end)
    sock:send "6"
    local received = {}
    for i = 1, 5 do received[i] = sock:receive(2000) end
    assert.equal("1", table.concat(got, " "))
    assert.equal("2 3 4 5 6", table.concat(received, " "))
    sock:terminate()
    helper.close_server(server)
  end)

  it("keeps nothing for receive when it has a raw handler", function()
    local server, url = helper.echo_server()
    local told, closed = 0
    local sock = assert(ws.connect(url, {
      highWaterMark = 1000,
      message = function(_, data) told = told + #data end,
      close = function(_, code) closed = code end,
    }))
    for _ = 1, 20 do sock:send(("x"):rep(1000)) end
    helper.wait_until(function() return told == 20000 end)
    sock:close(1000)
    helper.wait_until(function() return closed end)
    helper.close_server(server)
  end)
end)
