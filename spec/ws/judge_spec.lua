-- SPDX-License-Identifier: MIT
-- Which upgrades a server accepts: the handshake's rules with raw bytes, then the
-- options `origins`, `protocols` and `upgrade`. RFC 6455 section 4.2.

local ws = require "ws"
local helper = require "spec.helper"

local handshake, wait_until = helper.handshake, helper.wait_until

describe("a server's handshake", function()
  local server, raws, opened, reports

  local function serve(options)
    local all = { port = 0 }
    function all.open(sock, request) opened[#opened + 1] = { sock, request } end
    for name, value in pairs(options or {}) do all[name] = value end
    server = assert(ws.serve(all))
    return server
  end

  local function ask(bytes)
    local raw = helper.raw_client(server.port, bytes)
    raws[#raws + 1] = raw
    return raw
  end

  -- A refusal is a complete HTTP response that ends the connection. The answer to HEAD
  -- has only the body's length (RFC 9110 section 9.3.2).
  local function refused(bytes, expected)
    local status, headers, body = ask(bytes):response()
    assert.equal(expected, status)
    if bytes:find "^HEAD " then
      assert.equal("", body)
      assert.matches("^%d%d+$", headers["content-length"])
    else
      assert.equal(tostring(#body), headers["content-length"])
    end
    assert.matches("^close", headers.connection)
    assert.equal(status == 426 and "websocket" or nil, headers.upgrade)
    assert.is_nil(headers["sec-websocket-accept"])
    assert.equal(0, #opened)
    return headers, body
  end

  local function accepted(bytes)
    local raw = ask(bytes)
    local status, headers, head = raw:head()
    assert.equal(101, status)
    return headers, head, raw
  end

  before_each(function()
    raws, opened, reports = {}, {}, {}
    ws.onerror = function(message) reports[#reports + 1] = message end
  end)

  after_each(function()
    ws.onerror = nil
    for _, raw in ipairs(raws) do raw:close() end
    helper.close_server(server)
  end)

  -- ----------------------------------------------------- the request's rules

  it("R1 another method is 405, with Allow", function()
    serve()
    for _, method in ipairs { "POST", "HEAD", "PUT", "get" } do
      local headers = refused(handshake(nil, nil, method .. " / HTTP/1.1"), 405)
      assert.equal("GET", headers.allow)
    end
  end)

  it("R2 HTTP/1.0 and malformed request lines are 400, another major version 505", function()
    serve()
    for _, line in ipairs { "GET / HTTP/1.0", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 x",
                            "GET / http/1.1", "/ HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/x.1",
                            "G@T / HTTP/1.1" } do
      refused(handshake(nil, nil, line), 400)
    end
    local status = ask(handshake(nil, nil, "GET / HTTP/2.0")):response()
    assert.is_true(status == 505 or status == 400)
    accepted(handshake(nil, nil, "GET / HTTP/1.1"))
  end)

  it("R3 takes a path or an http URI, and keeps the query", function()
    serve()
    for line, path in pairs {
      ["/a?b=c?d"] = "/a", ["http://127.0.0.1/a?b=c?d"] = "http://127.0.0.1/a",
      ["HTTPS://127.0.0.1/a?b=c?d"] = "HTTPS://127.0.0.1/a",
    } do
      accepted(handshake(nil, nil, "GET " .. line .. " HTTP/1.1"))
      wait_until(function() return #opened > 0 end)
      local request = table.remove(opened)[2]
      assert.equal("b=c?d", request.query)
      assert.is_true(request.path == path or request.path == "/a")
    end
    for _, target in ipairs { "a", "ftp://h/", "*", "127.0.0.1:80", "/a#b" } do
      refused(handshake(nil, nil, "GET " .. target .. " HTTP/1.1"), 400)
    end
  end)

  it("R4 Host missing, repeated or invalid is 400", function()
    serve()
    refused(handshake { Host = false }, 400)
    refused(handshake(nil, "Host: 127.0.0.1"), 400)
    for _, host in ipairs { "a b", "a:b", "a:99999", "a/b", "u@h", "[::1" } do
      refused(handshake { Host = host }, 400)
    end
  end)

  it("R5 Upgrade without websocket is 400, a plain GET 426", function()
    serve()
    refused(handshake { Upgrade = false }, 400)
    refused(handshake { Upgrade = "h2c" }, 400)
    refused(handshake { Upgrade = "websockets" }, 400)
    local headers = refused("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 426)
    assert.matches("Upgrade", headers.connection)
    accepted(handshake { Upgrade = "WebSocket" })
    accepted(handshake { Upgrade = "h2c, websocket" })
    accepted(handshake({ Upgrade = "h2c" }, "Upgrade: websocket"))
  end)

  it("R6 Connection has to name upgrade, anywhere in its list", function()
    serve()
    refused(handshake { Connection = false }, 400)
    refused(handshake { Connection = "keep-alive" }, 400)
    refused(handshake { Connection = "upgraded" }, 400)
    accepted(handshake { Connection = "keep-alive, Upgrade" })
    accepted(handshake { Connection = "UPGRADE" })
    accepted(handshake({ Connection = "keep-alive" }, "Connection: upgrade"))
  end)

  it("R7 the key has to be base64 of 16 bytes, once", function()
    serve()
    refused(handshake { ["Sec-WebSocket-Key"] = false }, 400)
    refused(handshake(nil, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400)
    for _, key in ipairs { "", "abc", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=",
                           "dGhlIHNhbXBsZSBub25jZTE=", "dGhlIHNhbXBsZSBub25jZTEy",
                           "dGhl!HNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==, x" } do
      refused(handshake { ["Sec-WebSocket-Key"] = key }, 400)
    end
    accepted(handshake { ["Sec-WebSocket-Key"] = "AQIDBAUGBwgJCgsMDQ4PEC==" })
  end)

  it("R8 another version is 426, with ours", function()
    serve()
    for _, version in ipairs { "8", "14", "013", "13, 8", "x", "" } do
      local headers = refused(handshake { ["Sec-WebSocket-Version"] = version }, 426)
      assert.equal("13", headers["sec-websocket-version"])
    end
  end)

  it("R9 no version, or two, is 400 with ours", function()
    serve()
    local headers = refused(handshake { ["Sec-WebSocket-Version"] = false }, 400)
    assert.equal("13", headers["sec-websocket-version"])
    headers = refused(handshake(nil, "Sec-WebSocket-Version: 13"), 400)
    assert.equal("13", headers["sec-websocket-version"])
  end)

  it("R13 subprotocols that are none, no tokens or repeated are 400", function()
    serve { protocols = { "b", "c" } }
    local function offering(value, more)
      return handshake({ ["Sec-WebSocket-Protocol"] = value }, more)
    end
    for _, value in ipairs { "", ",", "a b", "a, a", "a/b", "b\"" } do
      refused(offering(value), 400)
    end
    refused(offering("a", "Sec-WebSocket-Protocol: a"), 400)
    local headers = accepted(offering("a", "Sec-WebSocket-Protocol: c, b"))
    assert.equal("b", headers["sec-websocket-protocol"])
    wait_until(function() return opened[1] end)
    assert.same({ "a", "c", "b" }, opened[1][2].protocols)
  end)

  it("R15 R16 malformed extensions are 400, unknown ones are passed over", function()
    serve()
    local function offering(value) return handshake { ["Sec-WebSocket-Extensions"] = value } end
    for _, value in ipairs { "", "a;", "a b", "a=b", "a;=b", "a;b=\"", "a;b=\"c d\"" } do
      refused(offering(value), 400)
    end
    for _, value in ipairs { "x-unknown", "x-y; a=1; b, x-z", "permessage-deflate; no_such=1" } do
      assert.is_nil(accepted(offering(value))["sec-websocket-extensions"])
    end
  end)

  it("R17 a body is 400", function()
    serve()
    refused(handshake({ ["Content-Length"] = "3" }) .. "abc", 400)
    refused(handshake({ ["Transfer-Encoding"] = "chunked" }) .. "0\r\n\r\n", 400)
    accepted(handshake { ["Content-Length"] = "0" })
  end)

  it("R19 folded lines, blanks before the colon, bare CR, control bytes are 400", function()
    serve()
    for _, line in ipairs { "X: a\r\n b", "X : a", "X: a\rb", "X: a\0b", "X: a\1b", "X: a\127",
                            "X", ": a", "X(: a" } do
      refused(handshake(nil, line), 400)
    end
    accepted(handshake(nil, "X: a\tb\195\164"))
  end)

  -- ----------------------------------------------------------------- the 101

  it("R22 R23 R24 R25 the 101 has what the RFC says, and nothing else", function()
    serve()
    local _, head = accepted(handshake())
    local lines = {}
    for line in head:gmatch("([^\r\n]+)\r\n") do lines[#lines + 1] = line:lower() end
    assert.equal("http/1.1 101 switching protocols", table.remove(lines, 1))
    table.sort(lines)
    assert.same({ "connection: upgrade",
      "sec-websocket-accept: " .. ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="):lower(),
      "upgrade: websocket" }, lines)
  end)

  it("R23 the accept value is of the key as it was sent, blanks trimmed", function()
    serve()
    local headers = accepted(handshake { ["Sec-WebSocket-Key"] = " \tdGhlIHNhbXBsZSBub25jZQ== \t" })
    assert.equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", headers["sec-websocket-accept"])
    -- Bits after the 16th byte change the key's text, and so the answer.
    headers = accepted(handshake { ["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZR==" })
    assert.not_equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", headers["sec-websocket-accept"])
  end)

  it("R14 R24 chooses by its own order of preference, and none when none fits", function()
    serve { protocols = { "chat", "b" } }
    local function chosen(offer)
      return (accepted(handshake { ["Sec-WebSocket-Protocol"] = offer })["sec-websocket-protocol"])
    end
    assert.equal("chat", chosen("b, chat"))
    assert.equal("b", chosen("a, b"))
    assert.is_nil(chosen("a, Chat"))
    assert.is_nil(accepted(handshake())["sec-websocket-protocol"])
  end)

  it("protocols may be a function(offered, request)", function()
    local calls = {}
    serve { protocols = function(offered, request)
      calls[#calls + 1] = { table.concat(offered, " "), request.path }
      if offered[1] ~= "none" then return offered[#offered] end
    end }
    local function offering(names) return handshake { ["Sec-WebSocket-Protocol"] = names } end
    assert.equal("b", accepted(offering("a, b"))["sec-websocket-protocol"])
    assert.is_nil(accepted(offering("none"))["sec-websocket-protocol"])
    accepted(handshake()) -- offers none, so the function is not called
    assert.same({ { "a b", "/" }, { "none", "/" } }, calls)
  end)

  it("R18 R24 a chosen protocol that was not offered is reported, and 500", function()
    for option, fn in pairs {
      protocols = function() return "mine" end,
      upgrade = function() return { protocol = "mine" } end,
    } do
      reports = {}
      serve { [option] = fn }
      refused(handshake { ["Sec-WebSocket-Protocol"] = "yours" }, 500)
      assert.matches("^spec/ws/judge_spec.lua:%d+: TypeError: " .. option .. " returned an "
        .. "invalid value: the client did not offer the subprotocol 'mine'$", reports[1])
      server:close()
    end
  end)

  -- ------------------------------------------------------------------ origins

  local function from(origin, host)
    return handshake { Origin = origin, Host = host or "example.com:8080" }
  end

  it("R10 by default takes no foreign Origin, and its 403 names the option", function()
    serve()
    accepted(from(false))
    accepted(from("http://example.com:8080"))
    accepted(from("HTTP://EXAMPLE.COM:8080"))
    accepted(from("https://example.com", "example.com:443"))
    accepted(from("http://example.com", "example.com"))
    wait_until(function() return #opened == 5 end)
    for _, origin in ipairs { "http://example.com", "http://other.com:8080", "null", "",
                              "http://example.com:8081", "http://example.com.evil:8080",
                              "example.com:8080" } do
      opened = {}
      local _, body = refused(from(origin), 403)
      assert.matches("`origins`", body)
    end
  end)

  it("R10 the same when functions of the user's are asked too", function()
    local asked = 0
    serve { upgrade = function() asked = asked + 1 end }
    local _, body = refused(from("http://other.com"), 403)
    assert.matches("`origins`", body)
    assert.equal(0, asked)
    accepted(from("http://example.com:8080"))
    assert.equal(1, asked)
  end)

  it("R10 origins = \"*\" takes all", function()
    serve { origins = "*" }
    accepted(from("http://other.com"))
    accepted(from("null"))
  end)

  it("R10 several Origin headers never pass, and no function is asked", function()
    local asked = 0
    local good = "http://example.com:8080"
    local function ask_me() asked = asked + 1 return true end
    for _, origins in ipairs { "*", { good }, ask_me, false } do
      serve { origins = origins or nil }
      for _, second in ipairs { good, "http://evil.example" } do
        refused(handshake({ Host = "example.com:8080", Origin = good }, "Origin: " .. second), 403)
      end
      server:close()
    end
    assert.equal(0, asked)
  end)

  it("what can be called is a function, for origins and protocols too", function()
    local function callable(fn)
      return setmetatable({}, { __call = function(_, ...) return fn(...) end })
    end
    serve { origins = callable(function(origin) return origin == "http://a" end),
            protocols = callable(function(offered) return offered[2] end) }
    refused(from("http://b"), 403)
    local headers = accepted(handshake { Origin = "http://a",
      ["Sec-WebSocket-Protocol"] = "x, y" })
    assert.equal("y", headers["sec-websocket-protocol"])
  end)

  it("R10 origins = a list takes those, and programs that send none", function()
    serve { origins = { "https://App.example", "null" } }
    accepted(from("https://app.example"))
    accepted(from("null"))
    accepted(from(false))
    wait_until(function() return #opened == 3 end)
    opened = {}
    refused(from("http://app.example"), 403)
    refused(from("http://example.com:8080"), 403) -- the list replaces the default
  end)

  it("R10 origins = a list of what no browser sends raises, and names it", function()
    for _, text in ipairs {
      "", "a.example", "https://", "https://a.example/", "https://a.example/b",
      "https://a.example?", "https://me@a.example", "https://a b.example",
      "https://a.example:443", "HTTP://a.example:80", "1s://a",
    } do
      local raised = helper.raised_there("TypeError",
        function() assert(ws.serve { origins = { "https://good.example", text } }) end)
      assert.equal("option 'origins': origins such as \"https://example.com\" expected, got '"
        .. text .. "'", raised:match "option .*")
      helper.raised_there("TypeError",
        function() assert(ws.protocol.server { origins = { text } }) end)
    end
    for _, text in ipairs { "https://a.example:80", "http://[::1]:8080", "http://[::80]",
                            "app://obsidian.md", "chrome-extension://abc", "null" } do
      serve { origins = { text } }
      accepted(from(text))
      server:close()
    end
  end)

  it("R10 origins = a function decides, given origin and request", function()
    local calls = {}
    serve { origins = function(origin, request)
      calls[#calls + 1] = origin .. " " .. request.headers.host
      return origin == "http://good"
    end }
    refused(from("http://bad"), 403)
    accepted(from("http://good"))
    assert.same({ "http://bad example.com:8080", "http://good example.com:8080" }, calls)
  end)

  -- ------------------------------------------------------------------ upgrade

  it("upgrade may refuse: 403, or with status, body and headers (R11 R12)", function()
    local answers = {
      ["/plain"] = { false }, ["/status"] = { false, 404 },
      ["/all"] = { false, 401, "who?", { ["WWW-Authenticate"] = "Basic" } },
      ["/moved"] = { false, 302, nil, { Location = "/there", ["Set-Cookie"] = { "a=1", "b=2" } } },
    }
    serve { upgrade = function(request)
      local answer = answers[request.path]
      return answer[1], answer[2], answer[3], answer[4]
    end }
    local function at(path) return handshake(nil, nil, "GET " .. path .. " HTTP/1.1") end
    refused(at("/plain"), 403)
    refused(at("/status"), 404)
    local headers, body = refused(at("/all"), 401)
    assert.same({ "Basic", "who?" }, { headers["www-authenticate"], body })
    headers = refused(at("/moved"), 302)
    assert.same({ "/there", "a=1, b=2" }, { headers.location, headers["set-cookie"] })
  end)

  it("upgrade may accept with true, nothing, or a table of terms", function()
    local answer
    serve { upgrade = function() return answer end, protocols = { "a" } }
    accepted(handshake())
    answer = true
    accepted(handshake())
    answer = { headers = { ["X-One"] = "1", ["Set-Cookie"] = { "a=1", "b=2" } }, protocol = "b",
               data = { user = "me" } }
    local headers = accepted(handshake { ["Sec-WebSocket-Protocol"] = "a, b" })
    assert.same({ "1", "a=1, b=2", "b" }, { headers["x-one"], headers["set-cookie"],
      headers["sec-websocket-protocol"] })
    wait_until(function() return opened[3] end)
    assert.equal("b", opened[3][1].protocol)
    assert.equal("me", opened[3][1].data.user)
  end)

  it("upgrade runs as a coroutine: it may wait, and others are served", function()
    local upstream = assert(ws.serve { port = 0,
      message = function(sock, data) sock:send(data:upper()) end })
    serve { upgrade = function(request)
      if request.path == "/fast" then return true end
      ws.sleep(20)
      local sock = assert(ws.connect(("ws://127.0.0.1:%d/"):format(upstream.port)))
      sock:send("name")
      local name = sock:receive()
      sock:close()
      return { data = name }
    end }
    local slow = ask(handshake())
    accepted(handshake(nil, nil, "GET /fast HTTP/1.1"))
    wait_until(function() return opened[1] end)
    assert.equal("/fast", opened[1][2].path)
    assert.equal(101, (slow:head()))
    wait_until(function() return opened[2] end)
    assert.equal("NAME", opened[2][1].data)
    wait_until(function() return upstream.connections == 0 end)
    upstream:close()
  end)

  it("a client that goes while upgrade waits hurts nobody", function()
    local done, data = 0, setmetatable({}, { __mode = "k" })
    local function closed() opened[#opened + 1] = "close" end
    serve { close = closed, upgrade = function()
      local user = {}
      data[user] = true
      ws.sleep(30)
      done = done + 1
      return { data = user }
    end }
    helper.raw_client(server.port, handshake()):close(true)
    helper.raw_client(server.port, handshake()):close()
    wait_until(function() return done == 2 end)
    wait_until(function() return server.connections == 0 end)
    wait_until(function() collectgarbage() return next(data) == nil end)
    assert.same({ {}, {} }, { reports, opened })
    accepted(handshake())
  end)

  it("a connection that knows the coroutine of its upgrade is collected all the same", function()
    local socks, closed = setmetatable({}, { __mode = "v" }), false
    serve {
      upgrade = function()
        ws.sleep(1)
        return { data = coroutine.running() }
      end,
      open = function(sock) socks[1] = sock end,
      close = function() closed = true end,
    }
    select(3, accepted(handshake())):close(true)
    wait_until(function() return closed end)
    wait_until(function() collectgarbage() return socks[1] == nil end)
  end)

  it("R18 an error in upgrade, before or after a wait, is reported and 500", function()
    local waits = false
    serve { upgrade = function()
      if waits then ws.sleep(5) end
      error("no such luck")
    end }
    refused(handshake(), 500)
    waits = true
    local _, body = refused(handshake(), 500)
    assert.is_nil(body:find("luck", 1, true)) -- the client does not see the error
    assert.equal(2, #reports)
    assert.matches("judge_spec.lua:%d+: no such luck", reports[2])
  end)

  it("R18 R26 what may not stand in an answer is an error of upgrade's: 500", function()
    local answer
    serve { upgrade = function() return (table.unpack or rawget(_G, "unpack"))(answer) end }
    for pattern, one in pairs {
      ["X%-A"] = { { headers = { ["X-A"] = "a\r\nX-B: b" } } },
      ["not a header name"] = { { headers = { ["X A"] = "a" } } },
      ["Sec%-WebSocket%-Accept"] = { { headers = { ["Sec-WebSocket-Accept"] = "a" } } },
      ["unknown option"] = { { header = {} } },
      ["status from 300"] = { false, 99 }, ["status .*, got '404'"] = { false, "404" },
      ["body"] = { false, 403, {} },
      ["subprotocol"] = { { protocol = "a\r\nX-B: b" } },
    } do
      answer, reports = one, {}
      refused(handshake(), 500)
      assert.matches(pattern, reports[1])
    end
    answer, reports = { 5 }, {} -- the error names the line of `upgrade`, not of our check
    refused(handshake(), 500)
    assert.matches("^[^ ]*judge_spec.lua:%d+: TypeError: upgrade returned .* got number",
      reports[1])
  end)
end)
