-- SPDX-License-Identifier: MIT
-- What a server of ws.serve sends after the handshake to raw clients, which send chosen
-- frames. RFC 6455 sections 5 to 7.

local ws = require "ws"
local helper = require "spec.helper"

local frame, close_body, wait_until = helper.frame, helper.close_body, helper.wait_until
local TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

describe("ws.serve on the wire", function()
  local server, raws, events, there

  local function serve(options)
    events, there = {}, nil
    local all = {
      port = 0,
      open = function(sock) there = sock events[#events + 1] = "open" end,
      message = function(_, data, opcode)
        events[#events + 1] = ("message %s %s"):format(opcode, data)
      end,
      error = function(_, _, code) events[#events + 1] = "error " .. code end,
      close = function(_, code, reason, clean)
        events[#events + 1] = ("close %d %s %s"):format(code, reason, tostring(clean))
      end,
    }
    for name, value in pairs(options or {}) do all[name] = value end
    server = assert(ws.serve(all))
    return server
  end

  local function keep(raw)
    raws[#raws + 1] = raw
    return raw
  end

  local function open() return keep(helper.raw_open(server.port)) end

  local function happened(...)
    local expected = { "open", ... }
    wait_until(function() return #events >= #expected end, 5000, expected[#expected])
    assert.same(expected, events)
  end

  before_each(function() raws = {} end)

  after_each(function()
    for _, raw in ipairs(raws) do raw:close() end
    if server then
      helper.close_server(server)
    end
    server = nil
  end)

  it("R21 takes bytes behind the head as the first frames", function()
    serve()
    local early = frame(TEXT, "early") .. frame(CLOSE, close_body(1000))
    local raw = keep(helper.raw_client(server.port, helper.handshake() .. early))
    assert.equal(101, (raw:head()))
    happened("message text early", "close 1000  true")
    assert.equal(CLOSE, (raw:frame()))
  end)

  it("R21 and keeps them while `upgrade` waits, also above what it reads ahead", function()
    local messages, total = 0, 0
    serve {
      upgrade = function() ws.sleep(30) end,
      message = function(_, data) messages, total = messages + 1, total + #data end,
    }
    local raw = keep(helper.raw_client(server.port, helper.handshake()))
    for _ = 1, 20 do raw:send(frame(BINARY, ("x"):rep(5000))) end
    wait_until(function() return messages == 20 end)
    assert.equal(100000, total)
  end)

  it("R21 never takes them for HTTP", function()
    serve()
    local again = helper.handshake()
    local raw = keep(helper.raw_client(server.port, again .. again))
    local status, _, rest = raw:response()
    assert.equal(101, status)
    assert.is_nil(rest:find("HTTP", 1, true))
    happened("error EPROTOCOL", "close 1006  false") -- "G" is no frame
  end)

  it("R1 R5 what answers HEAD has a length, but no body", function()
    serve()
    for _, changes in ipairs { {}, { ["Sec-WebSocket-Key"] = false, Upgrade = false } } do
      local raw = helper.raw_client(server.port, helper.handshake(changes, nil, "HEAD / HTTP/1.1"))
      local status, headers, body = raw:response()
      assert.is_true(status == 405 or status == 426)
      assert.is_true(tonumber(headers["content-length"]) > 0)
      assert.equal("", body)
      raw:close()
    end
  end)

  it("R27 R29 may send at once, and never masks", function()
    serve { open = function(sock)
      sock:send("first")
      sock:send(("y"):rep(70000), "binary")
      sock:ping("p")
    end }
    local raw = open()
    assert.same({ TEXT, "first", true, false }, { raw:frame() })
    assert.same({ BINARY, ("y"):rep(70000), true, false }, { raw:frame() })
    assert.same({ PING, "p", true, false }, { raw:frame() })
    raw:send(frame(PING, "q"))
    assert.same({ PONG, "q", true, false }, { raw:frame() })
    raw:send(frame(CLOSE))
    assert.same({ CLOSE, "", true, false }, { raw:frame() })
  end)

  it("R28 answers an unmasked frame with 1002 and ends TCP", function()
    serve()
    local raw = open()
    raw:send(frame(TEXT, "bare", { masked = false }))
    local opcode, payload = raw:frame()
    assert.equal(CLOSE, opcode)
    assert.equal(close_body(1002), payload:sub(1, 2))
    assert.equal("", raw:all())
    happened("error EPROTOCOL", "close 1006  false")
  end)

  local bad_frames = {
    ["RSV1 with nothing agreed"] = { 1002, frame(TEXT, "x", { rsv = 4 }) },
    ["RSV2"] = { 1002, frame(TEXT, "x", { rsv = 2 }) },
    ["RSV3 on a ping"] = { 1002, frame(PING, "x", { rsv = 1 }) },
    ["opcode 3"] = { 1002, frame(3, "x") },
    ["opcode 15"] = { 1002, frame(15, "x") },
    ["a length not in its shortest form"] = { 1002, "\129\254\0\5\0\0\0\0hello" },
    ["a 64-bit length with its top bit"] = { 1002, "\130\255\128\0\0\0\0\0\0\5\0\0\0\0" },
    ["a ping of 126 bytes"] = { 1002, frame(PING, ("x"):rep(126)) },
    ["a ping in pieces"] = { 1002, frame(PING, "x", { fin = false }) },
    ["a continuation of nothing"] = { 1002, frame(0, "x") },
    ["a text inside a message"] = { 1002, frame(TEXT, "x", { fin = false }) .. frame(TEXT, "y") },
    ["text that is not UTF-8"] = { 1007, frame(TEXT, "\255") },
    ["a surrogate"] = { 1007, frame(TEXT, "\237\160\128") },
    ["text that ends inside a character"] = { 1007, frame(TEXT, "\226\130") },
    ["a Close of one byte"] = { 1002, frame(CLOSE, "\3") },
    ["a Close with code 999"] = { 1002, frame(CLOSE, close_body(999)) },
    ["a Close with code 1005"] = { 1002, frame(CLOSE, close_body(1005)) },
    ["a Close with code 5000"] = { 1002, frame(CLOSE, close_body(5000)) },
    ["a Close whose reason is not UTF-8"] = { 1007, frame(CLOSE, close_body(1000, "\255")) },
    ["a Close in pieces"] = { 1002, frame(CLOSE, "", { fin = false }) },
    ["a message above maxPayload, by its header"] = {
      1009, frame(TEXT, "", { length = 1001 }) },
    ["a message that grows above maxPayload"] = {
      1009, frame(TEXT, ("x"):rep(600), { fin = false }) .. frame(0, "", { length = 600 }) },
  }
  for what, case in pairs(bad_frames) do
    it(("R30 answers %s with %d, and reads nothing further"):format(what, case[1]), function()
      serve { maxPayload = 1000 }
      local raw = open()
      raw:send(case[2])
      local opcode, payload = raw:frame()
      assert.equal(CLOSE, opcode)
      assert.equal(close_body(case[1]), payload:sub(1, 2))
      raw:send(frame(TEXT, "after the end"))
      assert.equal("", raw:all())
      local codes = { [1002] = "EPROTOCOL", [1007] = "EUTF8", [1009] = "ETOOBIG" }
      happened("error " .. codes[case[1]], "close 1006  false")
    end)
  end

  it("R31 answers a Close with its code, an empty one empty, and ends TCP first", function()
    for _, body in ipairs { "", close_body(1000), close_body(3456, "why") } do
      serve()
      local raw = open()
      raw:send(frame(CLOSE, body))
      local opcode, payload = raw:frame()
      assert.equal(CLOSE, opcode)
      assert.equal(body:sub(1, 2), payload:sub(1, 2))
      local before = ws.now()
      assert.equal("", raw:all()) -- we did not close
      assert.is_true(ws.now() - before < 3000)
      local code = body == "" and 1005 or body:byte(1) * 256 + body:byte(2)
      happened(("close %d %s true"):format(code, body:sub(3)))
      server:close()
    end
  end)

  it("R31 delivers what came before the Close, and nothing behind it", function()
    serve()
    local raw = open()
    raw:send(frame(TEXT, "one") .. frame(CLOSE, close_body(1001)) .. frame(TEXT, "two"))
    assert.equal(CLOSE, (raw:frame()))
    assert.equal("", raw:all())
    happened("message text one", "close 1001  true")
  end)

  it("R32 waits with its own Close for the client's, dropping data", function()
    serve()
    local raw = open()
    wait_until(function() return there end)
    there:close(4000, "bye")
    assert.same({ CLOSE, close_body(4000, "bye"), true, false }, { raw:frame() })
    raw:send(frame(TEXT, "late"))
    helper.turn_for(30)
    raw:pump()
    assert.is_false(raw.ended)
    assert.equal(2, there.readyState)
    raw:send(frame(CLOSE, close_body(4001, "mine")))
    assert.equal("", raw:all())
    happened("close 4001 mine true")
  end)

  it("R32 gives up after closeTimeout: 1006", function()
    serve { closeTimeout = 50 }
    local raw = open()
    wait_until(function() return there end)
    local before = ws.now()
    there:close(1000)
    assert.equal(CLOSE, (raw:frame()))
    raw:wait(function() return raw.ended end)
    local took = ws.now() - before
    assert.is_true(took >= 45 and took < 1000)
    wait_until(function() return events[#events]:find("^close") end)
    assert.equal("close 1006  false", events[#events])
  end)

  it("R33 sends no data behind its Close, but pongs until the client's", function()
    serve()
    local raw = open()
    wait_until(function() return there end)
    there:close(1000)
    there:send("too late")
    there:ping("no")
    assert.equal(CLOSE, (raw:frame()))
    raw:send(frame(PING, "still there?"))
    assert.same({ PONG, "still there?", true, false }, { raw:frame() })
    raw:send(frame(CLOSE, close_body(1000)))
    assert.equal("", raw:all())
    assert.equal(8, there.bufferedAmount)
  end)

  it("R35 takes the end of TCP without a Close for 1006", function()
    serve()
    for _, how in ipairs { "shutdown", "close", "reset" } do
      events = {}
      local raw = helper.raw_open(server.port)
      wait_until(function() return events[1] end)
      if how == "shutdown" then keep(raw):shutdown() else raw:close(how == "reset") end
      wait_until(function() return events[3] end)
      assert.same({ "open", "error ECONNRESET", "close 1006  false" }, events)
    end
  end)

  it("R35 also in the middle of a frame", function()
    serve()
    local raw = helper.raw_open(server.port)
    raw:send(frame(TEXT, "whole") .. frame(TEXT, "half"):sub(1, 8))
    wait_until(function() return events[2] end)
    raw:close()
    happened("message text whole", "error ECONNRESET", "close 1006  false")
  end)

  it("terminate() ends TCP without a word", function()
    serve()
    local raw = open()
    wait_until(function() return there end)
    there:terminate()
    assert.equal("", raw:all())
    happened("close 1006  false")
  end)
end)
