-- SPDX-License-Identifier: MIT
-- Attacks A62 to A66, A74, A75, A78 and A79: peers that do not read, vanish or reset,
-- and how a server's memory develops. Those that need a process of their own:
-- transport_process_spec.lua.

local deflating = require "spec.attacks.deflating"
local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local frame, handshake = helper.frame, helper.handshake
local KIB, MIB = 1024, 2 ^ 20

local function connected(socks, from)
  helper.wait_until(function()
    for i = from or 1, #socks do if socks[i].readyState == 0 then return false end end
    return true
  end, 5000, "clients to open")
end

describe("a peer that does not read", function()
  local ground = proving.ground(before_each, after_each)

  it("A62 is dropped at maxBackpressure, with 1013 (CVE-2020-35896 CVE-2017-15268)", function()
    local refused, most, closed = 0, 0, {}
    local text = ("x"):rep(64 * KIB)
    ground:serve { maxBackpressure = 2 * MIB,
      message = function(sock, data)
        if data == "proof" then return sock:send(data) end
        for _ = 1, 500 do
          if sock.readyState ~= 1 then return end
          if not sock:send(text) then refused = refused + 1 end
          most = math.max(most, sock.bufferedAmount)
          ws.setTimeout(function() end, 0)
        end
      end,
      close = function(_, code) closed[#closed + 1] = code end }
    local raw = ground:open()
    local before = proving.resident()
    raw:send(frame(1, "go"))
    helper.wait_until(function() return closed[1] end, 5000, "the server's patience to end")
    assert.is_true(refused > 0)
    assert.is_true(most <= 500 * #text)
    assert.is_true(proving.resident() - before < 40 * KIB * helper.patience)
    assert.same({ 1013 }, closed)
  end)

  it("A62 a ping tells that it has gone, though output waits for it", function()
    local closed = {}
    local text = ("x"):rep(8 * MIB)
    ground:serve { idleTimeout = 600, message = function(sock, data)
      if data == "proof" then sock:send(data) else sock:send(text) end
    end, close = function(_, code) closed[#closed + 1] = code end }
    local raw = ground:open()
    raw:send(frame(1, "go"))
    helper.wait_until(function() return closed[1] end, 8000, "the server's patience to end")
    assert.same({ 1006 }, closed)
  end)

  it("A63 ten of thirty stall: the others get all, and what waits is there once", function()
    local joined = 0
    ground:serve { open = function(sock)
      sock:subscribe "t"
      joined = joined + 1
    end }
    local count, socks = 0, {}
    for _ = 1, 10 do ground:open() end
    for i = 1, 20 do
      socks[i] = ws.new(ground.url) -- not ground:client, whose log keeps all messages
      ground.socks[i] = socks[i]
      socks[i].onmessage = function(event) count = count + #event.data end
    end
    connected(socks)
    helper.wait_until(function() return joined == 30 end)
    local before = proving.resident()
    local text = ("x"):rep(256 * KIB)
    for i = 1, 40 do
      assert.equal(30, ground.server:publish("t", text, "binary"))
      helper.wait_until(function() return count == i * 20 * #text end, 8000, "20 to have it")
      collectgarbage()
    end
    collectgarbage() collectgarbage()
    local grown = proving.resident() - before
    assert.is_true(grown < 40 * KIB * helper.patience, grown .. " KiB")
  end)

  it("A65 is noticed by both roles when it answers no ping", function()
    local closed
    ground:serve { idleTimeout = 300, close = function(_, code) closed = closed or code end }
    ground:open()
    helper.wait_until(function() return closed end, 5000, "the server to notice")
    assert.equal(1006, closed)
    local sock, log = ground:opened { pingInterval = 100, pingTimeout = 100 }
    helper.wait_until(function() return sock.readyState == 3 end, 5000, "the client to notice")
    assert.equal("open error close", log.types())
    assert.equal(1006, log[3][2].code)
  end)
end)

describe("an end", function()
  setup(deflating.fill_pools)
  local ground = proving.ground(before_each, after_each)
  local closes, opens

  local function serve()
    closes, opens = {}, 0
    ground:serve { compression = true,
      open = function() opens = opens + 1 end,
      close = function(_, code) closes[#closes + 1] = code end }
  end

  -- A client's side of a conversation as bytes: a handshake, a fragmented message with a
  -- ping inside, a compressed message, a Close.
  local function said()
    return handshake(deflating.OFFER) .. frame(1, "ab", { fin = false }) .. frame(9, "p")
      .. frame(0, ("c"):rep(200)) .. deflating.frame(deflating.HELLO) .. frame(8, "\3\232")
  end

  for _, how in ipairs { "RST", "FIN" } do
    it("A66 by " .. how .. " at every 5th byte of a conversation: 1006 once", function()
      serve()
      local bytes, raws = said(), 0
      local head = #handshake(deflating.OFFER)
      for cut = 1, #bytes - 1, 5 do
        local raw = helper.raw_client(ground.server.port, bytes:sub(1, cut))
        ws.poll(1)
        raw:close(how == "RST")
        if cut >= head then raws = raws + 1 end
        ws.poll(0)
      end
      helper.wait_until(function() return ground.server.connections == 0 end)
      helper.turn_for(20)
      assert.equal(opens, #closes)
      assert.is_true(opens >= 1 and opens <= raws)
      for _, code in ipairs(closes) do assert.equal(1006, code) end
    end)

    it("A66 by " .. how .. " from a server at every 5th byte: one error, one close", function()
      for cut = 0, 60, 5 do
        local sock, log, raw = ground:opened({ compression = true }, deflating.ANSWER)
        local bytes = frame(1, "abc", { masked = false })
          .. deflating.frame(deflating.HELLO, { masked = false })
          .. frame(2, ("x"):rep(200), { masked = false })
        raw:send(bytes:sub(1, cut))
        ws.poll(0)
        raw:close(how == "RST")
        helper.closed(sock)
        assert.matches("^open [message ]*error close$", log.types())
        assert.equal(1006, log[#log][2].code)
      end
    end)
  end

  it("A66 by RST before it is accepted", function()
    serve()
    for _ = 1, 50 do helper.raw_client(ground.server.port, "GET"):close(true) end
    helper.turn_for(20)
    assert.equal(0, opens)
    assert.same({}, closes)
  end)
end)

describe("coming and going:", function()
  local ground = proving.ground(before_each, after_each)

  local function round(n)
    local socks = {}
    for i = 1, n do socks[i] = ground:client(ground.url) end
    connected(socks)
    for i, sock in ipairs(socks) do
      if i % 2 == 0 then sock:close() else sock:terminate() end
    end
    helper.wait_until(function()
      for _, sock in ipairs(socks) do if sock.readyState ~= 3 then return false end end
      return ground.server.connections == 0
    end)
    ground.socks = {}
    collectgarbage() collectgarbage()
  end

  it("A74 1,000 connections leave the process as large as 500 did", function()
    ground:serve()
    for _ = 1, 10 do round(50) end
    local half = proving.resident()
    for _ = 1, 10 do round(50) end
    -- AddressSanitizer keeps freed memory for a while.
    local allowed = helper.patience > 1 and 64 * KIB or 1 * KIB
    assert.is_true(proving.resident() - half <= allowed)
  end)

  it("A74 300 idle pairs take at most 24 KiB each", function()
    ground:serve()
    round(10)
    local before, socks = proving.resident(), {}
    for i = 1, 300 do
      socks[i] = ws.new(ground.url)
      ground.socks[#ground.socks + 1] = socks[i]
    end
    connected(socks)
    collectgarbage() collectgarbage()
    local each = (proving.resident() - before) / 300
    assert.is_true(each <= 24 * helper.patience, each .. " KiB")
  end)

  it("A75 a server starts again on its port 300 times, with somebody connected", function()
    local server = assert(ws.serve { port = 0 })
    local port = server.port
    for i = 1, 300 do
      local sock = i % 10 == 0 and ws.new("ws://127.0.0.1:" .. port .. "/")
      if sock then connected { sock } end
      server:close()
      ws.poll(0)
      server = assert(ws.serve { port = port })
      if sock then
        helper.closed(sock)
      end
    end
    server:close()
  end)

  it("A75 a server closes while handshakes and closes run", function()
    for most = 1, 30 do
      local server, url = helper.echo_server { closeTimeout = 500 }
      for i = 1, 3 do
        local sock = ground:client(url, { closeTimeout = 500, timeout = 2000 })
        if i == 1 then sock.onopen = function() sock:close() end end
      end
      for _ = 1, most % 10 do ws.poll(1) end
      helper.close_server(server)
    end
    helper.wait_until(function()
      for _, sock in ipairs(ground.socks) do if sock.readyState ~= 3 then return false end end
      return true
    end, 8000, "all clients to end")
  end)
end)

describe("what a peer says", function()
  local ground = proving.ground(before_each, after_each)

  it("A78 is escaped and cut in errors", function()
    for _, bytes in ipairs {
      "HTTP/1.1 500 \27[31mred\7\r\n\r\n", "SSH-2.0-\27]0;title\7\r\n", ("\200"):rep(5000),
      "HTTP/1.1 404 " .. ("very "):rep(900) .. "long\r\n\r\n", "\0\1\2\r\n\r\n",
      "HTTP/1.1 101 X\r\nUpgrade: \27[2J\r\nConnection: Upgrade\r\n\r\n",
      "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Accept: \27" .. ("x"):rep(2000) .. "\r\n\r\n",
    } do
      local sock, log, raw = ground:meet()
      raw:send(bytes)
      raw:close()
      helper.closed(sock)
      assert.equal("error close", log.types())
      local message = log[1][2].message
      assert.is_nil(message:find "[%c\128-\255]", message)
      assert.is_true(#message <= 300, #message)
    end
  end)

  it("A79 paths of Unix sockets have their limits", function()
    local long = "/tmp/" .. ("x"):rep(104)
    for _, path in ipairs { long, long .. ("y"):rep(70000) } do
      assert.is_nil((ws.serve { path = path }))
      helper.raised_there("TypeError", function() ws.new("ws://localhost/", { path = path }) end)
    end
    assert.is_nil((ws.serve { path = "/no/such/folder/x" }))
    local sock, log = ground:client("ws://localhost/", { path = "/no/such/folder/x" })
    helper.closed(sock)
    assert.equal("error close", log.types())
    assert.error_matches(function() ws.serve { path = "" } end, "'path': a path expected")
    assert.error_matches(function() ws.new("ws://localhost/", { path = "" }) end,
      "'path': a path expected")
    for _, url in ipairs { "ws://[fe80::1%25lo]/", "ws://[::1%lo]/", "ws://[v1.a]/" } do
      assert.is_false((pcall(ws.new, url)), url)
    end
  end)
end)
