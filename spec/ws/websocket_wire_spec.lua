-- SPDX-License-Identifier: MIT
-- The client against a raw server: the bytes on the wire, what becomes of the connection
-- with any answer, and its events.

local core = require "ws.core"
local helper = require "spec.helper"
local ws = require "ws"

local frame, close_body = helper.frame, helper.close_body

-- A frame as a server sends it.
local function from_server(opcode, payload, how)
  how = how or {}
  how.masked = how.masked or false
  return frame(opcode, payload, how)
end

describe("a client's socket on the wire", function()
  local listener, port, accept, socks, raws

  before_each(function()
    listener, port, accept = helper.raw_server()
    socks, raws = {}, {}
  end)
  after_each(function()
    for _, sock in ipairs(socks) do sock:terminate() end
    for _, raw in ipairs(raws) do raw:close() end
    listener:close()
    for _, sock in ipairs(socks) do
      helper.closed(sock)
    end
  end)

  local function new(target, protocols, options)
    local sock, log = helper.recorded(ws.new(target, protocols, options))
    socks[#socks + 1] = sock
    return sock, log
  end

  local function address(rest) return ("ws://127.0.0.1:%d%s"):format(port, rest or "/") end

  -- A socket and the raw server's side of its connection.
  local function meet(rest, protocols, options)
    local sock, log = new(address(rest), protocols, options)
    local raw = accept()
    raws[#raws + 1] = raw
    return sock, log, raw
  end

  local function opened(options, bytes)
    local sock, log, raw = meet(nil, nil, options)
    raw:welcome(nil, bytes)
    helper.wait_until(function() return sock.readyState ~= 0 end)
    return sock, log, raw
  end

  local closed = helper.closed

  -- The events' names, each with the socket's state at the time, and the close event.
  local function story(log)
    local words = {}
    for i, entry in ipairs(log) do words[i] = entry[1] .. entry[3] end
    local event = log[#log][2]
    return table.concat(words, " "), { event.code, event.reason, event.wasClean }
  end

  local function failed(log, code, before)
    local words, close = story(log)
    assert.equal((before or "") .. "error3 close3", words)
    assert.same({ 1006, "", false }, close)
    assert.equal(code, log[#log - 1][2].code)
  end

  -- ---------------------------------------------------------------- request

  it("S22 S28 S41 S42 S47 the request says what was asked for, each once", function()
    local _, _, raw = meet("/a?b=c", { "x", "y" },
      { headers = { ["X-A"] = { "1", "2" } }, origin = "http://o" })
    local head, headers = raw:welcome()
    assert.matches("^GET /a%?b=c HTTP/1%.1\r\n", head)
    assert.matches("^" .. ("[%w+/]"):rep(22) .. "==$", headers["sec-websocket-key"][1]) -- S44
    headers["sec-websocket-key"][1] = "any"
    headers["sec-websocket-extensions"] = nil
    assert.same({
      host = { "127.0.0.1:" .. port }, upgrade = { "websocket" }, connection = { "Upgrade" },
      ["sec-websocket-key"] = { "any" }, ["sec-websocket-version"] = { "13" },
      ["sec-websocket-protocol"] = { "x, y" }, origin = { "http://o" }, ["x-a"] = { "1", "2" },
    }, headers)
  end)

  it("S24 S46 S47 and nothing that was not", function()
    local _, _, raw = meet("?")
    local head, headers = raw:welcome()
    local _, _, other = meet()
    local _, more = other:welcome()
    assert.are_not.same(more["sec-websocket-key"], headers["sec-websocket-key"]) -- S44
    assert.matches("^GET /%?? HTTP/1%.1\r\n", head) -- S22: "?" may go
    for _, name in ipairs { "sec-websocket-protocol", "origin", "referer", "cookie",
      "authorization", "content-length" } do
      assert.is_nil(headers[name], name)
    end
    assert.matches("^permessage%-deflate", headers["sec-websocket-extensions"][1])
    assert.equal("", raw.bytes) -- S41: no more before the answer
  end)

  it("S17 S48 user and password become Authorization, decoded, and no Host", function()
    local sock = new(("ws://us%%65r:p%%40@127.0.0.1:%d/"):format(port))
    local raw = accept()
    raws[#raws + 1] = raw
    local _, headers = raw:welcome()
    assert.same({ "Basic " .. core.base64 "user:p@" }, headers.authorization)
    assert.same({ "127.0.0.1:" .. port }, headers.host)
    assert.equal(("ws://us%%65r:p%%40@127.0.0.1:%d/"):format(port), sock.url)
  end)

  -- ----------------------------------------------------------------- answer

  local usual = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
  local empty = "Content-Length: 0\r\n"

  local function asked(raw)
    raw:wait(function() return raw.bytes:find("\r\n\r\n", 1, true) end, "a handshake")
  end

  -- What a server answers: status line, header lines.
  local function answer(raw, status, lines, accepted)
    asked(raw)
    local key = raw.bytes:match "Sec%-WebSocket%-Key: (%S+)"
    raw:send(("HTTP/1.1 %s\r\n%sSec-WebSocket-Accept: %s\r\n\r\n"):format(status,
      lines or usual, accepted or helper.accept(key)))
  end

  it("S49 S53 S54 S55 S60 S61 S62 S69 an answer that is not right fails, for good", function()
    for _, case in ipairs {
      { "200 OK", usual .. empty }, { "404 Not Found", empty }, { "500 Oops", usual .. empty },
      { "302 Found", "Location: /\r\n" .. empty }, { "101 X", "Upgrade: websocket\r\n" },
      { "101 X", "Connection: Upgrade\r\n" },
      { "101 X", "Upgrade: h2c\r\nConnection: Upgrade\r\n" },
      { "101 X", "Upgrade: websocket, foo\r\nConnection: Upgrade\r\n" },
      { "101 X", usual .. "Upgrade: websocket\r\n" },
      { "101 X", usual .. "Sec-WebSocket-Accept: x\r\n" },
      { "101 X", usual, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }, { "101 X", usual, "" },
      { "101 X", usual .. "Sec-WebSocket-Extensions: foo\r\n" },
      { "101 X", usual .. "Sec-WebSocket-Extensions: \r\n" },
      { "101 X", usual .. "Sec-WebSocket-Extensions: permessage-deflate,\r\n" }, -- X15
      { "101 X", usual .. "Sec-WebSocket-Extensions: permessage-deflate;\r\n" },
      { "101 X", usual .. "Sec-WebSocket-Extensions: Permessage-Deflate\r\n" },
    } do
      local sock, log, raw = meet()
      answer(raw, case[1], case[2], case[3])
      closed(sock)
      failed(log, "EHANDSHAKE")
    end
    helper.turn_for(20)
    assert.is_nil((listener:accept()))
  end)

  it("S50 S52 so do bytes that are no HTTP/1.1, and the end", function()
    for _, bytes in ipairs { "FOO BAR BAZ\r\n\r\n", "\0\1\2\3\r\n\r\n",
      "HTTP/1.0 101 X\r\n" .. usual .. "\r\n", "HTTP/1.1 101 X\r\nUpgrade", "" } do
      local sock, log, raw = meet()
      asked(raw)
      raw:send(bytes)
      raw:shutdown()
      closed(sock)
      local words, close = story(log)
      assert.equal("error3 close3", words)
      assert.same({ 1006, "", false }, close)
    end
  end)

  it("S56 S57 S58 S59 so does a subprotocol that was not asked for, or none", function()
    for _, case in ipairs {
      { nil, "a" }, { nil, "" }, { "a", nil }, { "a", "" }, { "FOOBAR", "foobar" }, { "a", "b" },
      { { "a", "b" }, "a, b" }, { { "a", "b" }, "a\r\nSec-WebSocket-Protocol: a" },
    } do
      local sock, log, raw = meet(nil, case[1])
      raw:welcome(case[2] and "Sec-WebSocket-Protocol: " .. case[2] .. "\r\n")
      closed(sock)
      failed(log, "EHANDSHAKE")
    end
  end)

  it("S51 S52 S53 S54 S59 S63 S65 what does not matter does not matter", function()
    for _, case in ipairs {
      { "101 " }, { "101" }, { "101 Switching Protocols:" },
      { "100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 101 X" }, -- X8
      { "101 X", "UPGRADE:WebSocket\r\nconnection:  \t keep-alive, upgrade \r\n" },
      { "101 X", "Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: upgrade\r\n" },
      { "101 X", usual .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX-Y: z\r\n" },
      { "101 X", usual .. "sec-websocket-protocol: \t a \r\n", protocols = { "b", "a" } },
    } do
      local sock, log, raw = meet(nil, case.protocols)
      answer(raw, case[1], case[2])
      raw:send(from_server(1, "first"))
      helper.wait_until(function() return log[2] end)
      assert.equal("open1 message1", (story(log)))
      assert.equal("first", log[2][2].data)
      assert.equal(case.protocols and "a" or "", sock.protocol)
    end
  end)

  -- ------------------------------------------------------------ all at once

  it("S64 S95 what follows the answer at once are the first frames", function()
    local sock, log, raw = opened(nil, from_server(1, "hi")
      .. from_server(8, close_body(1001, "PASS")))
    raw:shutdown()
    closed(sock)
    local words, close = story(log)
    assert.equal("open1 message1 close3", words)
    assert.same({ 1001, "PASS", true }, close)
  end)

  it("S139 nothing after the peer's Close is read, and it stays clean (X11)", function()
    local sock, log, raw = opened(nil, from_server(8, close_body(4000))
      .. from_server(1, "late") .. from_server(3, "nonsense"))
    raw:shutdown()
    closed(sock)
    local words, close = story(log)
    assert.equal("open1 close3", words)
    assert.same({ 4000, "", true }, close)
  end)

  it("S94 S152 fragments are one message, a ping between them is answered", function()
    local _, log, raw = opened()
    raw:send(from_server(1, "", { fin = false }) .. from_server(9, "p")
      .. from_server(0, "a", { fin = false }) .. from_server(0, "")
      .. from_server(1, "", { fin = false }) .. from_server(0, ""))
    helper.wait_until(function() return log[3] end)
    assert.same({ "a", "" }, { log[2][2].data, log[3][2].data })
    assert.same({ 10, "p", true, true }, { raw:frame() })
  end)

  it("S71 S95 S133 a bad frame: messages before it, then error and close, both in 3", function()
    for _, case in ipairs {
      { "EPROTOCOL", 1002, from_server(3, "") },                         -- S147
      { "EPROTOCOL", 1002, from_server(1, "x", { rsv = 2 }) },           -- S146
      { "EPROTOCOL", 1002, from_server(1, "x", { masked = true }) },     -- S145, X16
      { "EPROTOCOL", 1002, from_server(0, "x") },                        -- S151
      { "EPROTOCOL", 1002, from_server(9, ("x"):rep(126)) },             -- S150
      { "EPROTOCOL", 1002, from_server(8, "\3") },                       -- S136, X20
      { "EPROTOCOL", 1002, from_server(8, close_body(1005)) },           -- S137, X7
      { "EPROTOCOL", 1002, from_server(8, close_body(5000)) },
      { "EUTF8", 1007, from_server(1, "\195") },                         -- S153, X19
      { "EUTF8", 1007, from_server(8, close_body(1000, "\255")) },       -- S135
      { "ETOOBIG", 1009, from_server(1, "", { length = 11 }) },          -- S158
    } do
      local sock, log, raw = opened({ maxPayload = 10 })
      raw:send(from_server(1, "good") .. case[3])
      closed(sock)
      failed(log, case[1], "open1 message1 ")
      local opcode, payload = raw:frame()
      assert.same({ 8, close_body(case[2]) }, { opcode, payload:sub(1, 2) })
      assert.equal("", raw:all())
    end
  end)

  it("S106 S132 TCP that ends without Close: error, close 1006; bufferedAmount stays", function()
    local sock, log, raw = opened()
    raw:shutdown()
    closed(sock)
    failed(log, "ECONNRESET", "open1 ") -- X2
    sock, log, raw = opened()
    sock:send(("x"):rep(20000000))
    helper.turn_for(20)
    raw:close(true)
    closed(sock)
    failed(log, "ECONNRESET", "open1 ")
    local unsent = sock.bufferedAmount
    assert.is_true(unsent > 0 and unsent <= 20000000)
    helper.turn_for(10)
    sock:send "xyz"
    assert.equal(unsent + 3, sock.bufferedAmount)
  end)

  -- ---------------------------------------------------------------- closing

  it("S112 S114 S119 S120 S123 S128 close() sends one Close, and nothing after it", function()
    for _, case in ipairs {
      { nil, nil, "" }, { nil, "", "" }, { nil, "why", close_body(1000, "why") },
      { 1000, nil, "\3\232" }, { 1000, "", "\3\232" }, { 4999, "x", close_body(4999, "x") },
      { "3000", 5, close_body(3000, "5") },
      { 3000, ("é"):rep(61), close_body(3000, ("é"):rep(61)) },
    } do
      local sock, log, raw = opened()
      sock:close(case[1], case[2])
      sock:close(4000, "again")
      assert.is_true(sock:send "late")
      sock:ping()
      assert.equal(2, sock.readyState)
      assert.same({ 8, case[3], true, true }, { raw:frame() })
      raw:send(from_server(8, case[3]))
      raw:shutdown()
      assert.equal("", raw:all())
      closed(sock)
      local words, close = story(log)
      assert.equal("open1 close3", words)
      assert.equal(case[3] == "" and 1005 or tonumber(case[1] or 1000), close[1])
      assert.same({ case[3]:sub(3), true }, { close[2], close[3] })
    end
  end)

  it("S130 S131 the peer's Close is answered with its code", function()
    for _, case in ipairs { { "", 1005, "" }, { close_body(1000), 1000, "" },
      { close_body(4001, "bye"), 4001, "bye" }, { close_body(1012), 1012, "" },
      { close_body(3000, "\239\187\191ü"), 3000, "\239\187\191ü" } } do -- S135
      local sock, log, raw = opened()
      raw:send(from_server(8, case[1]))
      local opcode, payload = raw:frame()
      assert.same({ 8, case[1]:sub(1, 2) }, { opcode, payload:sub(1, 2) })
      raw:shutdown()
      assert.equal("", raw:all())
      closed(sock)
      local words, close = story(log)
      assert.equal("open1 close3", words)
      assert.same({ case[2], case[3], true }, close)
    end
  end)

  it("S140 is CLOSING when the peer's Close has come, before the close event", function()
    local sock, log, raw = opened()
    raw:send(from_server(8, close_body(1000)))
    helper.wait_until(function() return sock.readyState == 2 end)
    assert.equal("open", log.types())
    assert.is_true(sock:send "only counted")
    assert.equal(#"only counted", sock.bufferedAmount)
    sock:close(3000) -- S123
    raw:frame()
    raw:shutdown() -- the server ends TCP
    assert.equal("", raw:all())
    closed(sock)
    local words, close = story(log)
    assert.equal("open1 close3", words)
    assert.same({ 1000, "", true }, close)
  end)

  it("S125 S129 close() while the peer's Close is there already: one frame, its code", function()
    local sock, log, raw = meet()
    local state
    sock.onmessage = function()
      sock:close(4111, "local")
      state = sock.readyState
    end
    raw:welcome(nil, from_server(1, "x") .. from_server(8, close_body(4222, "remote")))
    local opcode = raw:frame()
    assert.equal(8, opcode)
    raw:shutdown()
    assert.equal("", raw:all())
    closed(sock)
    local words, close = story(log)
    assert.equal("open1 message1 close3", words)
    assert.equal(2, state)
    assert.same({ 4222, "remote", true }, close)
  end)

  it("S91 S126 the close event waits for the peer's Close; messages before it are dropped",
    function()
      local sock, log, raw = opened()
      sock:close(3000)
      raw:frame()
      raw:send(from_server(1, "late"))
      helper.turn_for(50)
      assert.equal("open", log.types())
      assert.equal(2, sock.readyState)
      raw:send(from_server(8, close_body(3000)))
      helper.turn_for(50)
      assert.equal("open", log.types()) -- TCP has not ended
      raw:shutdown()
      closed(sock)
      local words, close = story(log)
      assert.equal("open1 close3", words)
      assert.same({ 3000, "", true }, close)
    end)

  it("S126 ends TCP itself when the server does not, still clean (X17)", function()
    local sock, log, raw = opened()
    sock:close(3000)
    raw:frame()
    raw:send(from_server(8, close_body(3000)))
    closed(sock)
    local words, close = story(log)
    assert.equal("open1 close3", words)
    assert.same({ 3000, "", true }, close)
    assert.equal("", raw:all())
  end)

  it("S99 S121 close() in the middle of the handshake: CLOSING, then error and close", function()
    local sock, log, raw = meet()
    asked(raw)
    sock:close(3000, "why")
    assert.equal(2, sock.readyState)
    assert.equal(0, #log)
    sock:send "xyz"
    assert.equal(3, sock.bufferedAmount)
    raw:welcome() -- too late
    closed(sock)
    failed(log, "ECONNABORTED")
    assert.equal("", raw:all())
  end)

  it("S127 the peer's Close never comes: 1006, not clean", function()
    for _, ends in ipairs { false, true } do
      local sock, log, raw = opened { closeTimeout = 50 }
      sock:close(1000)
      raw:frame()
      if ends then raw:shutdown() end
      closed(sock)
      local _, close = story(log)
      assert.same({ 1006, "", false }, close)
      assert.equal("close", log[#log][1])
      raw:close()
    end
  end)

  -- Without another turn of the loop, as the program may not make one.
  it("S49 S50 a failed handshake has dropped TCP when that is told", function()
    for _, bytes in ipairs { "HTTP/1.1 500 No\r\n\r\n" .. ("x"):rep(500), "FOO\r\n\r\n" } do
      local sock, log, raw = meet()
      raw:send(bytes)
      closed(sock)
      failed(log, "EHANDSHAKE")
      local why
      for _ = 1, 50 do -- only the first bytes bring the reset
        why = why or select(2, raw.tcp:send "more")
      end
      assert.equal("closed", why)
    end
  end)

  it("S39 reads binaryType when a message is told, not when it came", function()
    local sock, log, raw = opened()
    local types = {}
    sock:addEventListener("message", function(event)
      types[#types + 1] = sock.binaryType .. " " .. type(event.data)
      sock.binaryType = #types == 1 and "arraybuffer" or "blob"
    end)
    raw:send((from_server(2, "\255")):rep(3))
    helper.wait_until(function() return #log == 4 end)
    assert.same({ "blob string", "arraybuffer string", "blob string" }, types)
  end)

  -- The loop keeps an open socket alive, so it is not collected.
  it("S184 no socket is collected, and so closed, while it is open", function()
    local weak, told = setmetatable({}, { __mode = "v" }), nil
    local function drop_one()
      local sock = ws.new(address())
      sock.onmessage = function(event) told = event.data event.target:close() end
      weak[1] = sock
    end
    drop_one()
    local raw = accept()
    raws[1] = raw
    raw:welcome()
    for _ = 1, 5 do
      ws.poll(0)
      collectgarbage()
    end
    raw:pump()
    assert.same({ "", false }, { raw.bytes, raw.ended })
    assert.is_truthy(weak[1])
    raw:send(from_server(1, "still here"))
    helper.wait_until(function() return told end)
    raw:send(from_server(8))
    raw:close()
    helper.wait_until(function()
      collectgarbage()
      return weak[1] == nil
    end)
    assert.equal("still here", told)
  end)
end)
