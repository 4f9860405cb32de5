-- SPDX-License-Identifier: MIT
-- Requests at a server (csrc/lua/lua_request.c): the table that `judge` gets; accept,
-- refuse and raw bytes as answers, at once, later or too late; plain HTTP.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("a request's table", function()
  local party, seen
  before_each(function()
    seen = nil
    party = turning.party {
      plain = true,
      judge = function(conn, request)
        seen = request
        conn:refuse(404)
      end,
    }
  end)
  after_each(function()
    party.finish()
    assert.same({}, party.errors)
  end)

  local function ask(bytes)
    local raw = turning.raw(party.loop, party.server)
    raw.send(bytes)
    raw.wait(function() return seen end, "the judge")
    assert.matches("^HTTP/1.1 404 Not Found\r\n", raw.all())
    raw.close()
    return seen
  end

  it("has what an upgrade said", function()
    local request = ask(turning.upgrade("/a%20b?x=1&y=?2",
      "Origin: http://127.0.0.1\r\nSec-WebSocket-Protocol: a, b\r\n"
      .. "Sec-WebSocket-Protocol: c\r\nX-Odd: caf\233\r\n"))
    assert.equal("GET", request.method)
    assert.equal("1.1", request.httpVersion)
    assert.equal("/a%20b", request.path)
    assert.equal("x=1&y=?2", request.query)
    assert.same({ "a", "b", "c" }, request.protocols)
    assert.equal("a, b, c", request.headers["sec-websocket-protocol"])
    assert.equal("caf\233", request.headers["x-odd"])
    local names = {}
    for name in pairs(request.headers) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "connection", "host", "origin", "sec-websocket-key", "sec-websocket-protocol",
                  "sec-websocket-version", "upgrade", "x-odd" }, names)
    assert.equal("http://127.0.0.1", request.origin)
    assert.is_true(request.upgrade)
    assert.equal("127.0.0.1", request.remoteAddress)
    assert.is_nil(request.body)
  end)

  it("is not held by the connection any more when that is open", function()
    local weak, opened = setmetatable({}, { __mode = "k" }), nil
    local other = turning.party {
      judge = function(conn, request)
        weak[request] = true
        conn:accept()
      end,
      handlers = core.handlers { open = function(_, request) opened = weak[request] end },
    }
    local conn = other.client()
    other.wait(function() return opened ~= nil end)
    assert.is_true(opened)
    collectgarbage() collectgarbage()
    assert.is_nil(next(weak))
    assert.equal(1, conn.readyState)
    other.finish()
  end)

  it("is not held then either if there is no handler to be called", function()
    local weak, opened = setmetatable({}, { __mode = "k" }), false
    local other = turning.party {
      judge = function(conn, request)
        weak[request] = true
        conn:accept()
      end,
      handlers = core.handlers {},
    }
    local conn = other.client { open = function() opened = true end }
    other.wait(function() return opened end)
    collectgarbage() collectgarbage()
    assert.is_nil(next(weak))
    assert.equal(1, conn.readyState)
    other.finish()
  end)

  it("has no query without '?', and an empty one with nothing behind it", function()
    assert.is_nil(ask(turning.upgrade("/a")).query)
    seen = nil
    assert.equal("", ask(turning.upgrade("/a?")).query)
  end)

  it("joins repeated headers, cookies in their own way", function()
    local request = ask(turning.upgrade("/", "X-A: 1\r\nx-a: 2\r\nX-A:\r\n"
      .. "Cookie: a=1\r\nCOOKIE: b=2\r\n"))
    assert.equal("1, 2, ", request.headers["x-a"])
    assert.equal("a=1; b=2", request.headers.cookie)
    assert.is_nil(request.headers["X-A"])
  end)

  it("has names in lower case, long ones too", function()
    local name = ("Long-"):rep(60) .. "X"
    assert.equal("v", ask(turning.upgrade("/", name .. ": v\r\n")).headers[name:lower()])
  end)

  it("tells a foreign origin from its own", function()
    assert.is_false(ask(turning.upgrade("/", "Origin: http://evil.example\r\n")).sameOrigin)
    seen = nil
    assert.is_true(ask(turning.upgrade("/", "Origin: http://127.0.0.1\r\n")).sameOrigin)
  end)

  it("of plain HTTP has the body, which may hold NUL or be empty", function()
    local request = ask("POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na\0b\r\n")
    assert.equal("POST", request.method)
    assert.equal("a\0b\r\n", request.body)
    assert.is_false(request.upgrade)
    assert.same({}, request.protocols)
    seen = nil
    assert.equal("", ask("GET / HTTP/1.0\r\n\r\n").body)
    assert.equal("1.0", seen.httpVersion)
    seen = nil
    request = ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert.equal("abcde", request.body)
  end)

  it("is whole when a finalizer closes the server meanwhile", function()
    local code, output = turning.child [[
      local core = require "ws.core"
      local headers = {}
      for i = 1, 60 do headers[2 * i - 1], headers[2 * i] = "X-" .. i, ("v"):rep(150) end
      pcall(collectgarbage, "incremental", 4, 1000, 8) -- a step at every 256 bytes
      local function knock(nth)
        local loop, n, over, seen = core.loop(), 0, false, nil
        local server = loop:listen { port = 0, handlers = core.handlers {},
          judge = function(conn, request)
            seen = request
            core.connection.internals.refuse(conn, 404)
          end }
        local function litter()
          finally(function()
            n = n + 1
            if n == nth then server:close()
            elseif n < nth and not seen then litter() end
          end)
        end
        loop:connect { url = "ws://127.0.0.1:" .. server:port(), headers = headers,
          handlers = core.handlers { close = function() over = true end } }
        litter()
        while not over do loop:turn(5) end
        for i = 1, seen and 60 or 0 do assert(seen.headers["x-" .. i] == headers[2 * i]) end
        loop:close()
      end
      for nth = 1, 40 do knock(nth) end
      print "looked"]]
    assert.equal(0, code, output)
    assert.equal("looked\n", output)
  end)
end)

describe("an answer", function()
  local loop, errors, waiting, gone, server, url
  before_each(function()
    loop, errors = turning.loop()
    waiting, gone = nil, 0
    server, url = turning.server(loop, {
      plain = true,
      judge = function(conn, request) waiting = { conn = conn, request = request } end,
      httpClosed = function() gone = gone + 1 end,
      handlers = core.handlers { message = function(conn, data, opcode)
        conn:send(data, opcode)
      end },
    })
  end)
  after_each(function()
    loop:close()
    assert.same({}, errors)
  end)

  local function knock(bytes)
    local raw = turning.raw(loop, server)
    raw.send(bytes or turning.upgrade())
    raw.wait(function() return waiting end, "the judge")
    return raw, waiting.conn
  end

  it("may come much later, when nothing else holds the connection", function()
    local conn, log = turning.recording()
    conn = loop:connect { url = url, handlers = conn, protocols = { "a", "b" } }
    turning.wait(loop, function() return waiting end)
    for _ = 1, 20 do loop:turn(1) collectgarbage() end
    assert.equal(0, conn.readyState)
    assert.equal(0, waiting.conn.readyState)
    assert.is_true(waiting.conn:accept("b", { "X-Extra", "1" }))
    turning.wait(loop, function() return log.open end)
    assert.equal("b", conn.protocol)
    assert.equal("b", waiting.conn.protocol)
    assert.equal(1, waiting.conn.readyState)
    local again, message, code = waiting.conn:accept()
    assert.is_nil(again)
    assert.is_string(message)
    assert.equal("ECONNABORTED", code)
    assert.is_nil((waiting.conn:refuse(400)))
    assert.is_nil((waiting.conn:writeRaw("x")))
    waiting.conn:finishRaw()
    conn:send("still there")
    turning.wait(loop, function() return log.message end)
  end)

  it("that cannot be is nil and why, and the request still waits", function()
    local raw, conn = knock(turning.upgrade("/", "Sec-WebSocket-Protocol: a\r\n"))
    for _, wrong in ipairs { { "not offered" }, { "A" }, { "a\0" }, { "a", { "Upgrade", "x" } },
                             { "a", { "Bad Name", "x" } }, { "a", { "X", "a\nb" } },
                             { "a", { "X", "a\0b" } }, { nil, { "", "x" } } } do
      local ok, message, code = conn:accept(wrong[1], wrong[2])
      assert.is_nil(ok)
      assert.matches("not offered, or a header is not allowed in the response", message)
      assert.equal("EINVAL", code)
    end
    for _, wrong in ipairs { { {} }, { true }, { "a", "text" }, { "a", { "X", 5 } },
                             { "a", { {}, "x" } } } do
      assert.error_matches(function() conn:accept(wrong[1], wrong[2]) end, "TypeError")
    end
    assert.is_nil((conn:refuse(403, "no", { "Content-Length", "7" })))
    assert.is_nil((conn:writeRaw("not for upgrades")))
    conn:finishRaw()
    assert.is_true(conn:accept("a"))
    raw.wait(function() return raw.bytes:find("\r\n\r\n", 1, true) end)
    assert.matches("^HTTP/1.1 101 ", raw.bytes)
    raw.close()
  end)

  it("of any number survives", function()
    for _, status in ipairs { -1, 0, 7, 99, 100, 101, 200, 999, 1000, 2 ^ 31, 2 ^ 53 } do
      waiting = nil
      local raw, conn = knock()
      local ok = conn:refuse(status, "body")
      if ok == nil then conn:refuse(500) end
      raw.all()
      raw.close()
    end
    waiting = nil
    local raw, conn = knock()
    for _, status in ipairs { "x", 1.5, 0 / 0, 1 / 0, {}, true } do
      assert.has_error(function() conn:refuse(status) end)
    end
    assert.equal("EINVAL", select(3, conn:refuse()))
    assert.equal("EINVAL", select(3, conn:refuse(2 ^ 32 + 200)))
    conn:refuse(400, "a\0b", { "X-A", "1" })
    assert.matches("X%-A: 1.*\r\n\r\na%zb$", raw.all())
    raw.close()
  end)

  it("is nil when the client has gone meanwhile, and httpClosed came once", function()
    for _, way in ipairs { "close", "reset" } do
      waiting, gone = nil, 0
      local raw, conn = knock()
      raw[way]()
      turning.wait(loop, function() return gone == 1 end, "httpClosed")
      local ok, message, code = conn:accept()
      assert.is_nil(ok)
      assert.is_string(message)
      assert.equal("ECONNABORTED", code)
      assert.is_nil((conn:refuse(500)))
      for _ = 1, 5 do loop:turn(1) end
      assert.equal(1, gone)
      assert.equal(3, conn.readyState)
    end
  end)

  it("may be raw bytes for plain HTTP, ended by finishRaw", function()
    local raw, conn = knock("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    local ok, _, code = conn:accept()
    assert.is_nil(ok)
    assert.equal("EINVAL", code)
    for _, wrong in ipairs { {}, true, print } do
      assert.error_matches(function() conn:writeRaw(wrong) end, "TypeError")
    end
    assert.error_matches(function() conn:writeRaw() end, "TypeError")
    assert.is_true(conn:writeRaw("HTTP/1.1 200 OK\r\n\r\n"))
    assert.is_true(conn:writeRaw(""))
    assert.is_true(conn:writeRaw("a\0b"))
    loop:turn(0)
    conn:writeRaw(12)
    assert.error_matches(function() conn:finishRaw({}) end, "TypeError")
    conn:finishRaw("\0end")
    assert.equal("HTTP/1.1 200 OK\r\n\r\na\0b12\0end", raw.all())
    raw.close()
    turning.wait(loop, function() return gone == 1 end)
    assert.is_nil((conn:writeRaw("late")))
    conn:finishRaw()
    assert.equal(1, gone)
  end)

  it("raw: says when to stop, and drain comes", function()
    local drained = 0
    local raw, conn = knock("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    conn:setHandlers(core.handlers { drain = function() drained = drained + 1 end })
    local n = 0
    while conn:writeRaw(("x"):rep(100000)) do n = n + 1 end
    raw.wait(function() return drained > 0 end, "drain")
    conn:finishRaw()
    assert.equal((n + 1) * 100000, #raw.all())
    raw.close()
  end)

  it("may be refused sending, subscribing and all else before it is open", function()
    local raw, conn = knock()
    assert.error_matches(function() conn:send("x") end, "InvalidStateError")
    assert.error_matches(function() conn:ping() end, "InvalidStateError")
    conn:subscribe("t")
    assert.same({}, conn:topics())
    conn:pause()
    conn:resume()
    conn:rawClose(1000)
    raw.all()
    raw.close()
    turning.wait(loop, function() return gone == 1 end)
  end)
end)

describe("a judge", function()
  it("that raises, collects, closes or drops leaves a server that serves", function()
    local actions = {
      raise = function() error("on purpose") end,
      terminate = function(conn) conn:terminate() end,
      close = function(conn) conn:rawClose(1000) end,
      twice = function(conn) conn:refuse(400) conn:refuse(400) conn:accept() end,
      both = function(conn) conn:accept() conn:refuse(400) conn:terminate() end,
      collect = function() collectgarbage() collectgarbage() end,
      raw = function(conn) conn:writeRaw("x") conn:finishRaw() conn:finishRaw() end,
      pause = function(conn) conn:pause() conn:accept() conn:resume() end,
      handlers = function(conn) conn:setHandlers(core.handlers {}) conn:accept() end,
      yield = function() coroutine.yield() end,
      post = function(conn, party) party.loop:post(function() conn:accept() end) end,
      timer = function(conn, party)
        party.loop:timer(1, false, function() conn:refuse(500) end)
      end,
      server = function(conn, party) party.server:close() conn:accept() end,
    }
    local requests = { upgrade = turning.upgrade(),
                       plain = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" }
    for name, action in pairs(actions) do
      for kind, bytes in pairs(requests) do
        local baseline = turning.live()
        local party, gone = nil, 0
        party = turning.party {
          plain = true,
          judge = function(conn)
            if party.calm then return conn:accept() end
            return action(conn, party)
          end,
          httpClosed = function() gone = gone + 1 end,
        }
        local raw = turning.raw(party.loop, party.server)
        raw.send(bytes)
        for _ = 1, 10 do raw.wait(function() return true end) end
        raw.reset()
        for _ = 1, 5 do party.loop:turn(2) end
        assert.is_true(gone <= 1)
        assert.equal((name == "raise" or name == "yield") and 1 or 0, #party.errors,
                     name .. " " .. kind)
        if name ~= "server" then party.prove() end
        party.finish()
        party = nil
        turning.no_more(baseline, name .. " " .. kind)
      end
    end
  end)

  it("raises: who asked gets 500 at once, unless there was an answer", function()
    local answers = { nothing = function() end, one = function(conn) conn:refuse(404) end }
    local expected = { nothing = "^HTTP/1.1 500 .*The server failed to answer",
                       one = "^HTTP/1.1 404 " }
    for name, answer in pairs(answers) do
      for _, bytes in ipairs { turning.upgrade(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n" } do
        local party = turning.party { plain = true, judge = function(conn)
          answer(conn)
          error "no answer from here"
        end }
        local raw = turning.raw(party.loop, party.server)
        raw.send(bytes)
        assert.matches(expected[name], raw.all())
        assert.equal(1, #party.errors)
        party.finish()
      end
    end
  end)

  it("is not there: foreign origins get 403, plain HTTP 426", function()
    local party = turning.party()
    local raw = turning.raw(party.loop, party.server)
    raw.send(turning.upgrade("/", "Origin: http://evil.example\r\n"))
    assert.matches("^HTTP/1.1 403 .*\r\n\r\nThis Origin .*`origins`%.\n$", raw.all())
    raw = turning.raw(party.loop, party.server)
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.matches("^HTTP/1.1 426 Upgrade Required\r\n.*[Uu]pgrade: websocket\r\n", raw.all())
    assert.matches("\r\n\r\nThis is a WebSocket server%.\n$", raw.bytes)
    party.prove()
    party.finish()
  end)

  it("is not asked about plain HTTP where that is not served", function()
    local asked
    local party = turning.party { judge = function() asked = true end }
    local raw = turning.raw(party.loop, party.server)
    raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    assert.matches("^HTTP/1.1 426 Upgrade Required\r\n", raw.all())
    assert.is_nil(asked)
    party.finish()
  end)

  it("waits for a body announced with Expect, told to go on", function()
    local body
    local party = turning.party { plain = true, judge = function(conn, request)
      body = request.body
      if not request.upgrade then conn:refuse(200) else conn:accept() end
    end }
    local raw = turning.raw(party.loop, party.server)
    raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    raw.wait(function() return raw.bytes == "HTTP/1.1 100 Continue\r\n\r\n" end, "100")
    raw.send("abc")
    raw.wait(function() return body == "abc" end, "the body")
    raw.all()
    party.finish()
  end)

  it("has its deadline, also while a body it was told to send does not come", function()
    local party = turning.party { plain = true, handshakeTimeout = 100, idleTimeout = 60000,
      judge = function() end }
    local raw = turning.raw(party.loop, party.server)
    raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert.matches("^HTTP/1.1 100 Continue\r\n\r\n", raw.all())
    party.finish()
  end)

  it("never sees half a body, which is given back when the client goes", function()
    local judged
    local party = turning.party { plain = true, judge = function(conn, request)
      judged = not request.upgrade
      conn:accept()
    end }
    party.prove()
    local baseline = turning.settled(party.loop)
    local raw = turning.raw(party.loop, party.server)
    raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" .. ("b"):rep(8000))
    raw.wait(function() return turning.live() > baseline end, "the body")
    for _ = 1, 5 do raw.wait(function() return true end) end
    raw.reset()
    turning.no_more(baseline, nil, party.loop)
    assert.is_false(judged)
    party.finish()
  end)

  it("never sees a body above maxPayload", function()
    local judged
    local party = turning.party { plain = true, maxPayload = 10, judge = function(conn)
      judged = true
      conn:refuse(200)
    end }
    local raw = turning.raw(party.loop, party.server)
    raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n12345678901")
    assert.matches("^HTTP/1.1 413 ", raw.all())
    assert.is_nil(judged)
    party.finish()
  end)

  it("survives memory running out at each step", function()
    for _, bytes in ipairs { turning.upgrade(),
                             "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" } do
      local baseline = turning.live()
      for k = 1, 25 do
        local party
        party = turning.party { plain = true, judge = function(conn, request)
          if request.upgrade then conn:accept() else conn:refuse(200, "ok") end
        end }
        local raw = turning.raw(party.loop, party.server)
        core.failAllocation(k)
        raw.send(bytes)
        for _ = 1, 6 do raw.wait(function() return true end) end
        core.failAllocation(0)
        raw.wait(function() return raw.ended or raw.bytes ~= "" end, "an answer, or none, " .. k)
        raw.reset()
        party.prove()
        party.finish()
        party = nil -- luacheck: ignore 311
        turning.no_more(baseline, "left behind after " .. k)
      end
    end
  end)
end)
