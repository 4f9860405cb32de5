-- SPDX-License-Identifier: MIT
-- ws.protocol: both sides in memory, with their bytes cut at every place; then with
-- LuaSocket as transport, against ws.serve and ws.new.

local core = require "ws.core"
local ws = require "ws"
local helper = require "spec.helper"

local frame, close_body, raised = helper.frame, helper.close_body, helper.raised
local wait_until = helper.wait_until
local TEXT, CONTINUATION, BINARY, CLOSE, PING, PONG = 1, 0, 2, 8, 9, 10

-- An event as one line of text.
local function told(event)
  local line = event.type
  if event.type == "message" then line = line .. " " .. event.opcode .. " " .. event.data
  elseif event.type == "close" then
    line = ("%s %d %q %s"):format(line, event.code, event.reason, tostring(event.wasClean))
  elseif event.type == "error" then line = line .. " " .. event.code
  elseif event.data then line = line .. " " .. event.data end
  return line
end

-- Takes all events and adds them to the list.
local function take(p, list)
  list = list or {}
  for event in p:events() do
    assert(event.target == p)
    list[#list + 1] = told(event)
  end
  return list
end

-- Feeds `bytes` cut into pieces of `size`, or into two at `cut`.
local function feed(p, bytes, list, size, cut)
  if cut then
    p:feed(bytes:sub(1, cut))
    take(p, list)
    p:feed(bytes:sub(cut + 1))
    return take(p, list)
  end
  for from = 1, #bytes, size or #bytes do
    p:feed(bytes:sub(from, from + (size or #bytes) - 1))
    take(p, list)
  end
  return list
end

-- A client and a server right after their handshake.
local function pair(client_options, server_options)
  local client_all = { url = "ws://h:81/a?b" }
  for name, value in pairs(client_options or {}) do client_all[name] = value end
  local client = ws.protocol.client(client_all)
  local server = ws.protocol.server(server_options)
  server:feed(client:output())
  take(server)
  client:feed(server:output())
  take(client)
  assert(client.state == 1 and server.state == 1, "the handshake failed")
  return client, server
end

describe("ws.protocol", function()
  -- ------------------------------------------------------------- handshakes

  it("S48 user and password of the URL become Authorization, unless it is given", function()
    local function authorization(url, headers)
      local request = ws.protocol.client { url = url, headers = headers }:output()
      local _, count = request:gsub("Authorization", "")
      return request:match "\r\nAuthorization: ([^\r]*)", count
    end
    assert.equal("Basic " .. core.base64 "user:p@", (authorization "ws://us%65r:p%40@h/"))
    assert.equal("Basic " .. core.base64 "u:", (authorization "ws://u@h/"))
    assert.equal("Basic " .. core.base64 ":p", (authorization "ws://:p@h/"))
    assert.is_nil((authorization "ws://:@h/"))
    local given, count = authorization("ws://u:p@h/", { Authorization = "Bearer x" })
    assert.same({ "Bearer x", 1 }, { given, count })
  end)

  it("S22 S41 S42 S46 the client's request is there at once", function()
    local client = ws.protocol.client { url = "http://u:p@h:81/a?b", protocols = { "x", "y" },
      headers = { ["X-A"] = { "1", "2" } }, origin = "http://o", compression = false }
    assert.equal(0, client.state)
    assert.equal("ws://u:p@h:81/a?b", client.url)
    local request = client:output()
    assert.matches("^GET /a%?b HTTP/1.1\r\n", request)
    assert.matches("\r\n\r\n$", request)
    for _, line in ipairs { "Host: h:81", "Upgrade: websocket", "Connection: Upgrade",
                            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: x, y",
                            "X-A: 1", "X-A: 2", "Origin: http://o" } do
      assert.truthy(request:find("\r\n" .. line .. "\r\n", 1, true), line)
    end
    assert.matches("\r\nSec%-WebSocket%-Key: [%w+/]+==\r\n", request)
    assert.is_nil(request:find("Extensions"))
    assert.equal("", client:output()) -- taken
  end)

  it("opens on both sides, with the same subprotocol", function()
    local client, server = pair({ protocols = { "a", "b" } }, { protocols = { "b" } })
    assert.same({ "b", "b" }, { client.protocol, server.protocol })
    assert.same({ "", "" }, { client.extensions, server.extensions })
    assert.same({ "GET", "/a", "b", "h:81" }, { server.request.method, server.request.path,
      server.request.query, server.request.headers.host })
  end)

  it("gives the browser's events", function()
    local client, server = pair()
    server:send("hi", "binary")
    client:feed(server:output())
    local event = client:events()()
    assert.same({ "message", "hi", "binary", "ws://h:81", true },
      { event.type, event.data, event.opcode, event.origin, event.isTrusted })
    assert.equal(client, event.target)
    assert.is_nil(client:events()()) -- each is told once
  end)

  it("R8 R13 a bad handshake is refused in output(), then error and close", function()
    for expected, request in pairs {
      [400] = helper.handshake { ["Sec-WebSocket-Protocol"] = "a, a" },
      [426] = helper.handshake { ["Sec-WebSocket-Version"] = "8" },
      [405] = helper.handshake(nil, nil, "POST / HTTP/1.1"),
    } do
      local server = ws.protocol.server()
      server:feed(request)
      assert.same({ "error EHANDSHAKE", "close 1006 \"\" false" }, take(server))
      assert.matches("^HTTP/1.1 " .. expected, server:output())
      assert.equal(3, server.state)
      assert.same({}, take(server))
    end
  end)

  it("R5 R10 plain HTTP is 426, a foreign Origin 403, as with ws.serve", function()
    for expected, request in pairs { [426] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                                     [403] = helper.handshake { Origin = "http://evil" } } do
      local server = ws.protocol.server()
      server:feed(request)
      assert.same({ "error EHANDSHAKE", "close 1006 \"\" false" }, take(server))
      assert.matches("^HTTP/1.1 " .. expected, server:output())
    end
    local server = ws.protocol.server { origins = { "http://evil" } }
    server:feed(helper.handshake { Origin = "http://evil" })
    assert.same({ "open" }, take(server))
  end)

  it("upgrade may refuse, set headers, choose; its error is 500", function()
    local answer = { false, 418, "teapot", { ["X-A"] = "b" } }
    local function ask()
      local server = ws.protocol.server { upgrade = function(request)
        assert(request.path == "/")
        if answer == "error" then error("inside", 0) end
        return answer[1], answer[2], answer[3], answer[4]
      end }
      server:feed(helper.handshake { ["Sec-WebSocket-Protocol"] = "p, q" })
      return take(server), server:output(), server
    end
    local events, output = ask()
    assert.same({ "error EHANDSHAKE", "close 1006 \"\" false" }, events)
    assert.matches("^HTTP/1.1 418.*\r\nX%-A: b\r\n.*teapot$", output)
    answer = { { headers = { ["X-C"] = "d" }, protocol = "q", data = 5 } }
    local server
    events, output, server = ask()
    assert.same({ "open", "q", 5 }, { events[1], server.protocol, server.data })
    assert.matches("^HTTP/1.1 101.*\r\nX%-C: d\r\n", output)
    local report
    ws.onerror = function(message) report = message end
    answer = "error"
    events, output = ask()
    ws.onerror = nil
    assert.same({ "error EHANDSHAKE", "inside" }, { events[1], report })
    assert.matches("^HTTP/1.1 500", output)
  end)

  it("an error of upgrade may be anything", function()
    local odd = setmetatable({}, { __tostring = function() error "not even that" end })
    local report
    ws.onerror = function(raised_) report = raised_ end
    local server = ws.protocol.server { upgrade = function() error(odd, 0) end }
    server:feed(helper.handshake())
    local events = take(server)
    ws.onerror = nil
    assert.equal("error EHANDSHAKE", events[1])
    assert.equal(odd, report)
    assert.matches("^HTTP/1.1 500", server:output())
  end)

  it("may be closed by its upgrade, whatever that returns then", function()
    local report
    ws.onerror = function(message) report = message end
    for _, answer in ipairs { true, false } do
      local server
      server = ws.protocol.server { upgrade = function()
        server:close()
        return answer
      end }
      server:feed(helper.handshake())
      assert.same({ "error ECONNABORTED", "close 1006 \"\" false" }, take(server))
      assert.equal("", server:output())
    end
    ws.onerror = nil
    assert.is_nil(report)
  end)

  it("has no events inside its upgrade, which may ask for them", function()
    local inside = {}
    for name, expected in pairs {
      close = { "error ECONNABORTED", "close 1006 \"\" false" },
      finish = { "open", "error ECONNRESET", "close 1006 \"\" false" },
    } do
      local server
      server = ws.protocol.server { upgrade = function()
        server[name](server)
        inside[name] = take(server)
      end }
      server:feed(helper.handshake())
      assert.same(expected, take(server))
    end
    assert.same({ close = {}, finish = {} }, inside)
  end)

  it("is collected, though its upgrade knows it", function()
    local known = setmetatable({}, { __mode = "v" })
    local function make()
      local server
      server = ws.protocol.server { upgrade = function() return server ~= nil end }
      known[1] = server
    end
    make()
    wait_until(function() collectgarbage() return known[1] == nil end)
  end)

  it("S49 S50 S55 an answer that is none fails the client", function()
    for _, answer in ipairs {
      "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "FOO BAR BAZ\r\n\r\n",
      "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    } do
      local client = ws.protocol.client { url = "ws://h/" }
      client:feed(answer)
      local events = take(client)
      assert.matches("^error E", events[1])
      assert.same({ "close 1006 \"\" false", 3 }, { events[2], client.state })
    end
  end)

  -- ------------------------------------------------- every cut, byte by byte

  for name, options in pairs { ["plain"] = false, ["compressed"] = { threshold = 0 } } do
    it("S159 the server's bytes mean the same at every cut, " .. name, function()
      local function session(size, cut)
        local client = ws.protocol.client { url = "ws://h/", protocols = "p",
          compression = options }
        local server = ws.protocol.server { protocols = { "p" }, compression = options }
        server:feed(client:output())
        local there = take(server)
        server:send("h\195\169llo")
        server:send("")
        server:send(("\255\0"):rep(100), "binary")
        server:ping("p")
        server:pong("q")
        server:close(3000, "bye")
        server:send("too late")
        local bytes, here = server:output(), {}
        feed(client, bytes, here, size, cut)
        assert.equal(3, client.state)
        feed(server, client:output(), there, size)
        assert.equal(3, server.state)
        return table.concat(here, "|") .. "||" .. table.concat(there, "|"), #bytes
      end
      local expected, length = session()
      assert.equal("open|message text h\195\169llo|message text |message binary "
        .. ("\255\0"):rep(100) .. "|ping p|pong q|close 3000 \"bye\" true"
        .. "||open|pong p|close 3000 \"bye\" true", expected)
      assert.equal(expected, (session(1)))
      assert.equal(expected, (session(7)))
      for cut = 1, length - 1 do assert.equal(expected, (session(nil, cut)), "cut " .. cut) end
    end)
  end

  it("S94 S142 S152 the client's too, with fragments and controls between", function()
    local first = helper.handshake() .. frame(TEXT, "fr\195", { fin = false })
      .. frame(PING, "now") .. frame(CONTINUATION, "\169", { fin = false }) .. frame(PONG, "odd")
      .. frame(CONTINUATION, "", { fin = false }) .. frame(CONTINUATION, "!")
      .. frame(BINARY, ("y"):rep(300)) .. frame(TEXT, "unfinished", { fin = false })
      .. frame(CLOSE, close_body(4444, "\226\130\172")) .. frame(TEXT, "behind")
    local function session(size, cut)
      local server = ws.protocol.server()
      local events = feed(server, first, {}, size, cut)
      return table.concat(events, "|") .. "||" .. server:output():match("\r\n\r\n(.*)")
    end
    local expected = "open|ping now|pong odd|message text fr\195\169!|message binary "
      .. ("y"):rep(300) .. "|close 4444 \"\226\130\172\" true||\138\3now\136\5"
      .. close_body(4444, "\226\130\172")
    assert.equal(expected, session())
    assert.equal(expected, session(1))
    for cut = 1, #first - 1 do assert.equal(expected, session(nil, cut), "cut " .. cut) end
  end)

  it("S95 S133 so does what fails: messages before it, then error and close", function()
    for code, bad in pairs { [1002] = frame(3, "x"), [1007] = frame(TEXT, "\255"),
                             [1009] = frame(BINARY, "", { length = 2000 }) } do
      local bytes = helper.handshake() .. frame(TEXT, "good") .. bad
      local names = { [1002] = "EPROTOCOL", [1007] = "EUTF8", [1009] = "ETOOBIG" }
      for cut = 1, #bytes do
        local server = ws.protocol.server { maxPayload = 1000 }
        assert.same({ "open", "message text good", "error " .. names[code],
          "close 1006 \"\" false" }, feed(server, bytes, {}, nil, cut))
        local last = server:output():match("\136.*$")
        assert.equal(close_body(code), last:sub(3, 4))
        server:feed(frame(TEXT, "more"))
        assert.same({}, take(server))
      end
    end
  end)

  -- ----------------------------------------------------------------- sending

  it("S144 R29 the client masks, with a new key each time; the server never", function()
    local client, server = pair()
    local seen = {}
    for _ = 1, 20 do
      client:send("")
      local bytes = client:output()
      assert.same({ 6, 0x81, 0x80 }, { #bytes, bytes:byte(1), bytes:byte(2) })
      seen[bytes:sub(3)] = true
    end
    local keys = 0
    for _ in pairs(seen) do keys = keys + 1 end
    assert.is_true(keys > 18)
    server:send("x")
    assert.equal("\129\1x", server:output())
  end)

  it("S96 S97 S98 send checks its argument, then the state", function()
    local client = ws.protocol.client { url = "ws://h/" }
    client:output()
    for _, name in ipairs { "send", "ping", "pong" } do
      assert.matches("protocol_spec.lua:%d+: InvalidStateError",
        raised(function() client[name](client, "x") end))
    end
    assert.equal("", client:output())
    client = pair()
    for _, bad in ipairs { {}, true, "\255", "\237\160\128" } do
      assert.matches("protocol_spec.lua:%d+: TypeError", raised(function() client:send(bad) end))
    end
    assert.matches("TypeError", raised(function() client:send() end))
    assert.matches("TypeError", raised(function() client:send("x", "blob") end))
    assert.matches("protocol_spec.lua:%d+: TypeError",
      raised(function() client:ping(("x"):rep(126)) end))
    assert.equal("", client:output())
    client:ping(("x"):rep(125))
    client:send(12)
    assert.equal(131 + 8, #client:output())
  end)

  it("S97 send checks its argument in every state", function()
    local early, closing, closed = ws.protocol.client { url = "ws://h/" }, pair(), pair()
    closing:close()
    closed:finish()
    assert.equal(2, #take(closed))
    for _, p in ipairs { early, closing, closed } do
      p:output()
      for name, bad in pairs { send = "\255", ping = ("x"):rep(126), pong = {} } do
        assert.matches("protocol_spec.lua:%d+: TypeError: " .. name,
          raised(function() p[name](p, bad) end))
        if p ~= early then assert.is_true(p[name](p, "good")) end
      end
      assert.equal("", p:output())
    end
  end)

  it("S112 S113 S116 S117 S123 close checks, sends once, and then nothing is sent", function()
    local client, server = pair()
    assert.matches("protocol_spec.lua:%d+: InvalidAccessError",
      raised(function() client:close(1001) end))
    assert.matches("protocol_spec.lua:%d+: SyntaxError",
      raised(function() client:close(1000, ("x"):rep(124)) end))
    assert.equal(1, client.state)
    client:close()
    assert.equal(2, client.state)
    client:close(3000)
    assert.is_true(client:send("late"))
    local bytes = client:output()
    assert.same({ 6, 0x88, 0x80 }, { #bytes, bytes:byte(1), bytes:byte(2) })
    server:feed(bytes)
    assert.same({ "close 1005 \"\" true" }, take(server))
    client:feed(server:output())
    assert.same({ "close 1005 \"\" true" }, take(client))
    assert.matches("InvalidAccessError", raised(function() client:close(1001) end))
    server = select(2, pair())
    server:close(1011) -- a server may
    assert.equal("\136\2" .. close_body(1011), server:output())
  end)

  it("S129 S141 both close at once: each tells the other's code", function()
    local client, server = pair()
    client:close(4111, "local")
    server:close(4222, "remote")
    local from_client, from_server = client:output(), server:output()
    client:feed(from_server)
    server:feed(from_client)
    assert.same({ "close 4222 \"remote\" true" }, take(client))
    assert.same({ "close 4111 \"local\" true" }, take(server))
    assert.same({ "", "" }, { client:output(), server:output() })
  end)

  it("S121 close before the answer: error, close, and never open", function()
    local client = ws.protocol.client { url = "ws://h/" }
    client:close(1000)
    assert.equal(2, client.state)
    client:feed("HTTP/1.1 101 Switching Protocols\r\n\r\n")
    local events = take(client)
    assert.matches("^error ", events[1])
    assert.same({ "close 1006 \"\" false", 3 }, { events[2], client.state })
    assert.equal(2, #events)
    assert.equal("", client:output()) -- its request has not left, and will not
  end)

  it("S71 is CLOSED in error and close, however it came to that", function()
    local closing, unclean = pair()
    closing:close(1000)
    closing:finish()
    unclean:finish()
    local early = ws.protocol.client { url = "ws://h/" }
    early:close()
    local cut = ws.protocol.server()
    cut:feed "GET / HT"
    cut:finish()
    local broken = pair()
    broken:feed "\255\0"
    local refused = ws.protocol.server()
    refused:feed "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    for _, p in ipairs { closing, unclean, early, cut, broken, refused } do
      local types = {}
      for event in p:events() do types[#types + 1] = event.type .. p.state .. p.readyState end
      assert.same({ "error33", "close33" }, types)
    end
    assert.matches("protocol_spec.lua:%d+: TypeError: 'state'",
      raised(function() early.state = 1 end))
    assert.equal(3, early.state)
  end)

  it("S132 R35 finish() without Closes is error and close 1006, in every state", function()
    local client = ws.protocol.client { url = "ws://h/" }
    client:finish()
    assert.matches("^error E.*|close 1006 \"\" false$", table.concat(take(client), "|"))
    local opened, server = pair()
    server:send("last")
    opened:feed(server:output())
    opened:finish()
    server:close(1000)
    server:finish()
    assert.same({ "message text last", "error ECONNRESET", "close 1006 \"\" false" }, take(opened))
    assert.same({ "error ECONNRESET", "close 1006 \"\" false" }, take(server))
  end)

  it("finish() without Closes is told in the words of a connection's end", function()
    local opened = pair()
    opened:finish()
    local event = opened:events()()
    assert.equal("the connection ended without a Close frame", event.message)
  end)

  it("finish() after both Closes changes nothing", function()
    local client, server = pair()
    client:close(1000)
    server:feed(client:output())
    assert.same({ "close 1000 \"\" true" }, take(server))
    client:feed(server:output())
    client:finish() -- before the events of what was fed are taken
    server:finish()
    assert.same({ "close 1000 \"\" true" }, take(client))
    assert.same({}, take(server))
  end)

  it("raises for wrong options and wrong arguments", function()
    for pattern, call in pairs {
      ["SyntaxError"] = function() ws.protocol.client { url = "http:" } end,
      ["TypeError: the URL is missing"] = function() ws.protocol.client {} end,
      ["TypeError: protocol%.client: a table"] = function() ws.protocol.client "ws://h/" end,
      ["SyntaxError: .*twice"] = function()
        ws.protocol.client { url = "ws://h/", protocols = { "a", "a" } }
      end,
      ["TypeError: header"] = function()
        ws.protocol.client { url = "ws://h/", headers = { ["X-A"] = "a\r\nb" } }
      end,
      ["TypeError: protocol%.server: unknown option 'url'"] = function()
        ws.protocol.server { url = "ws://h/" }
      end,
      ["SyntaxError: .*token"] = function() ws.protocol.server { protocols = { "a b" } } end,
      ["TypeError: feed"] = function() ws.protocol.server():feed(5) end,
    } do
      assert.matches("protocol_spec.lua:%d+: " .. pattern, raised(call))
    end
    local server = ws.protocol.server()
    for _, name in ipairs { "feed", "events", "output", "send", "ping", "pong", "close",
                            "finish" } do
      assert.matches(("protocol_spec.lua:%%d+: TypeError: %s: a protocol expected, "
        .. "got table %%(call it as protocol:%s%%)"):format(name, name),
        raised(function() server[name]({}, "x") end))
    end
  end)

  -- --------------------------------------------------- LuaSocket as transport

  -- Moves bytes both ways until the protocol is closed.
  local function drive(p, raw, on_event)
    local events = {}
    wait_until(function()
      raw:send(p:output())
      raw:pump()
      if raw.bytes ~= "" then p:feed(raw.bytes) end
      raw.bytes = ""
      if raw.ended then p:finish() end
      for event in p:events() do
        events[#events + 1] = told(event)
        on_event(event)
      end
      return p.state == 3
    end, 5000, "the close")
    raw:send(p:output())
    return events
  end

  it("S110 a client over LuaSocket talks to ws.serve", function()
    local server = helper.echo_server { protocols = { "p" } }
    local raw = helper.raw_client(server.port)
    local client = ws.protocol.client { url = "ws://127.0.0.1:" .. server.port, protocols = "p" }
    local events = drive(client, raw, function(event)
      if event.type == "open" then
        for i = 1, 50 do client:send(("%d "):format(i):rep(i * 100), "binary") end
        client:send("last")
      elseif event.data == "last" then
        client:close(3001, "done")
      end
    end)
    raw:close()
    assert.equal(53, #events)
    for i = 1, 50 do
      assert.equal("message binary " .. ("%d "):format(i):rep(i * 100), events[i + 1])
    end
    assert.equal("close 3001 \"done\" true", events[53])
    helper.close_server(server)
  end)

  it("a server over LuaSocket talks to ws.new", function()
    local listener, port, accept = helper.raw_server()
    local sock, log = helper.recorded(ws.new(("ws://127.0.0.1:%d/"):format(port), "p"))
    sock.onopen = function() sock:send(("x"):rep(200000)) sock:ping("?") end
    local pongs = 0
    sock.onpong = function() pongs = pongs + 1 end
    local raw = accept()
    local server = ws.protocol.server { protocols = { "p" } }
    local events = drive(server, raw, function(event)
      if event.type == "message" then server:send(event.data) end
      if event.type == "ping" then sock:close(4000, "enough") end
    end)
    raw:close()
    helper.closed(sock)
    listener:close()
    assert.same({ "open", "ping ?", "close 4000 \"enough\" true" },
      { events[1], events[3], events[4] })
    assert.equal("p", sock.protocol)
    assert.same({ 4000, true }, { log[#log][2].code, log[#log][2].wasClean })
  end)
end)
