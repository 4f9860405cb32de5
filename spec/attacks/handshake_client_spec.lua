-- SPDX-License-Identifier: MIT
-- Attacks A21 to A30 on a client's handshake: by raw servers, by proxies, and by the
-- contents of its URL.

local core = require "ws.core"
local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local wait_until = helper.wait_until
local USUAL = "Upgrade: websocket\r\nConnection: Upgrade\r\n"

describe("handshake of a client:", function()
  local ground = proving.ground(before_each, after_each)

  -- Waits for a request: its head and its key.
  local function asked(raw)
    raw:wait(function() return raw.bytes:find("\r\n\r\n", 1, true) end, "a request")
    return raw.bytes, raw.bytes:match "Sec%-WebSocket%-Key: (%S+)"
  end

  local function failed(sock, log, code)
    wait_until(function() return sock.readyState == 3 and log[2] end, 8000, "the close event")
    assert.equal("error close", log.types())
    assert.equal(code or "EHANDSHAKE", log[1][2].code, log[1][2].message)
    assert.same({ 1006, false }, { log[2][2].code, log[2][2].wasClean })
    assert.is_nil(log[1][2].message:find "[%c\127]")
    return log[1][2].message
  end

  -- A client that gets make(key) as its answer, and must fail.
  local function answered(make, options, code)
    local sock, log, raw = ground:meet(options)
    local _, key = asked(raw)
    raw:send(make(key))
    return failed(sock, log, code), raw
  end

  local function switching(accept, more)
    return "HTTP/1.1 101 Switching Protocols\r\n" .. USUAL
      .. (accept and "Sec-WebSocket-Accept: " .. accept .. "\r\n" or "") .. (more or "") .. "\r\n"
  end

  it("A21 a wrong Sec-WebSocket-Accept in every way (0ang3el-ssrf)", function()
    local other = helper.accept "dGhlIHNhbXBsZSBub25jZQ=="
    for _, make in ipairs {
      function() return nil end, function() return "" end, function() return other end,
      function(right) return right:lower() end, function(right) return right:upper() end,
      function(right) return right .. "=" end, function(right) return right:sub(1, -2) end,
      function(right) return right .. "," .. right end, function(right) return "x" .. right end,
      function(right) return '"' .. right .. '"' end, function(_, key) return key end,
      function(right) return right .. "\r\nSec-WebSocket-Accept: " .. right end,
    } do
      local why = answered(function(key) return switching(make(helper.accept(key), key)) end)
      assert.matches("Sec%-WebSocket%-Accept", why)
    end
  end)

  -- ---------------------------------------------------------------- refusals

  for _, status in ipairs { 200, 204, 401, 403, 407, 426, 500, 999 } do
    it(("A22 status %d with bodies of all kinds"):format(status), function()
      local head = ("HTTP/1.1 %d Reason\r\n"):format(status)
      for _, rest in ipairs {
        "\r\n", "Content-Length: 0\r\n\r\n", "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 1048576\r\n\r\n" .. ("x"):rep(70000),
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello",
        "Content-Length: -1\r\n\r\nhello", "Content-Length: 5, 6\r\n\r\nhello",
        "Content-Length: 99999999999999999999\r\n\r\nhello",
      } do
        local sock, log, raw = ground:meet { timeout = 400 }
        asked(raw)
        raw:send(head .. rest)
        if not rest:find "Content%-Length: %d+\r" then raw:shutdown() end
        assert.matches(tostring(status), failed(sock, log))
      end
    end)
  end

  it("A22 a body that never ends is cut, and a slow one has its time", function()
    for _, framing in ipairs { "", "Transfer-Encoding: chunked\r\n" } do
      local sock, log, raw = ground:meet { timeout = 3000 }
      asked(raw)
      raw:send("HTTP/1.1 500 No\r\n" .. framing .. "\r\n")
      local piece = framing == "" and ("x"):rep(4096) or "1000\r\n" .. ("x"):rep(4096) .. "\r\n"
      local sent = 0
      raw:wait(function(self)
        if sock.readyState == 0 and sent < 1048576 then
          self.tcp:send(piece)
          sent = sent + #piece
        end
        return sock.readyState == 3
      end)
      assert.is_true(sent < 200000, sent)
      assert.is_true(#failed(sock, log) < 512)
    end
    local sock, log, raw = ground:meet { timeout = 300 }
    asked(raw)
    raw:send "HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nslow"
    local before = ws.now()
    assert.matches("500", failed(sock, log))
    assert.is_true(ws.now() - before < 1300 + 1000 * helper.patience)
  end)

  -- --------------------------------------------------------------- redirects

  -- A raw server that answers its n-th request with make(request, n, port).
  local function redirector(make)
    local port, accept = ground:listen()
    local count = 0
    local function serve_one()
      local raw = accept()
      local request = asked(raw)
      count = count + 1
      raw:send(make(request, count, port))
      raw:shutdown()
    end
    return ("ws://127.0.0.1:%d/"):format(port), serve_one, function() return count end
  end

  local function moved(location)
    return "HTTP/1.1 302 Found\r\nLocation: " .. location .. "\r\nContent-Length: 0\r\n\r\n"
  end

  it("A23 redirects: none by default, no more than allowed in a loop (CVE-2020-35678)",
    function()
      for _, most in ipairs { 0, 1, 3 } do
        local url, serve_one, count = redirector(function() return moved "/again" end)
        local sock, log = ground:client(url, { followRedirects = most })
        for _ = 0, most do serve_one() end
        assert.matches("302", failed(sock, log))
        assert.equal(most + 1, count())
      end
    end)

  it("A23 a Location with bytes for a second header starts nothing (CVE-2020-35678)", function()
    for _, location in ipairs { "ws://a b/", "/x\ry", "http://", "ws://[::1/", "file:///etc/passwd",
      "javascript:alert(1)", "ws://127.0.0.1:99999/", "ws://%0d%0aX: y/", "ws://127.0.0.1:0x50/",
      "//" } do
      local url, serve_one = redirector(function() return moved(location) end)
      local sock, log = ground:client(url, { followRedirects = 5 })
      serve_one()
      failed(sock, log)
    end
  end)

  it("A23 Authorization, Cookie and headers of yours do not go to another port", function()
    local target, accept = ground:listen()
    local url, serve_one = redirector(function()
      return moved(("ws://127.0.0.1:%d/there"):format(target))
    end)
    local sock, log = ground:client((url:gsub("//", "//user:word@")), { followRedirects = 2,
      headers = { Authorization = "Bearer t", Cookie = "c=1", ["X-Api-Key"] = "k" } })
    serve_one()
    local raw = accept()
    local request = asked(raw):lower()
    for _, name in ipairs { "authorization", "cookie", "bearer", "word" } do
      assert.is_nil(request:find(name, 1, true), name)
    end
    raw:send "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
    failed(sock, log)
  end)

  -- ------------------------------------------------------------------ others

  it("A24 ten interim answers are taken, the eleventh is one too many", function()
    for _, interim in ipairs { "100 Continue", "102 Processing", "103 Early Hints" } do
      local line = "HTTP/1.1 " .. interim .. "\r\nLink: </a>\r\n\r\n"
      local sock, _, raw = ground:meet()
      asked(raw)
      raw:send(line:rep(10))
      raw:welcome()
      wait_until(function() return sock.readyState == 1 end)
      assert.matches("interim", (answered(function(key)
        return line:rep(11) .. switching(helper.accept(key))
      end)))
    end
  end)

  local function chosen(lines, options)
    answered(function(key) return switching(helper.accept(key), lines) end, options)
  end

  it("A25 a subprotocol or an extension that was not offered, or twice", function()
    local two = { protocols = { "a", "b" } }
    local PROTOCOL, EXTENSION = "Sec-WebSocket-Protocol: ", "Sec-WebSocket-Extensions: "
    chosen(PROTOCOL .. "a\r\n")
    for _, lines in ipairs { "", PROTOCOL .. "c\r\n", PROTOCOL .. "a, b\r\n", PROTOCOL .. "A\r\n",
      PROTOCOL .. "a\r\n" .. PROTOCOL .. "b\r\n", PROTOCOL .. "\r\n" } do
      chosen(lines, two)
    end
    chosen(EXTENSION .. "permessage-deflate\r\n", { compression = false })
    for _, value in ipairs { "x-other", "permessage-deflate, permessage-deflate", "", "a b",
      "permessage-deflate, x-other", "permessage-deflate; unknown", "permessage-deflate; a=\"",
      "permessage-deflate; server_no_context_takeover=1", "permessage-deflate;",
      "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
      "permessage-deflate\r\n" .. EXTENSION .. "permessage-deflate" } do
      chosen(EXTENSION .. value .. "\r\n")
    end
  end)

  it("A26 window bits that cannot be (CVE-2026-2229)", function()
    local name = "Sec-WebSocket-Extensions: permessage-deflate; "
    for _, which in ipairs { "server_max_window_bits", "client_max_window_bits" } do
      for _, value in ipairs { "=0", "=7", "=16", "=015", "=\"016\"", "=9; " .. which .. "=9", "",
        "=99999999999999999999", "=4294967311", "=-9", "=+9", "=9.0", "=0x9", "=", "=\"\"", "= 9x",
        "=18446744073709551625" } do
        chosen(name .. which .. value .. "\r\n", { compression = true })
      end
    end
  end)

  it("A27 URLs with a trap: refused, or in one form that Host has too", function()
    for _, url in ipairs {
      "ws://", "ws://a b/", "ws://a\0b/", "ws://a<b/", "ws://a^b/", "ws://a|b/", "ws://[::1/",
      "ws://[::1%25lo]/", "ws://[::1%lo]/", "ws://[1::2::3]/", "ws://a:65536/", "ws://a:-1/",
      "ws://a:8080x/", "ws://a:0x50/", "ws://1.2.3.256/", "ws://1.2.3.4.5/", "ws://%00/",
      "ws://a%0d%0aX:y/", "ws://a%20b/", "ws://a%2fb/", "ws://a#b", "ws://a/#", "http2://a/",
      "//a/", "a", "",
    } do
      local ok, sock = pcall(ws.new, url)
      if ok then
        sock:terminate()
        helper.closed(sock)
      end
      assert.is_false(ok, url)
    end
    for _, host in ipairs { ("a"):rep(8192), ("a."):rep(4000) .. "test", "a..test", ".", "..",
      ".127.0.0.1.test" } do
      local ok, sock, log = pcall(ground.client, ground, "ws://" .. host .. "/")
      if ok then failed(sock, log, "ENOTFOUND") end
    end
    for url, canonical in pairs {
      ["ws://127.1:1/"] = "ws://127.0.0.1:1/", ["ws://0x7f000001:1/"] = "ws://127.0.0.1:1/",
      ["ws://%31%32%37.0.0.1:1/"] = "ws://127.0.0.1:1/",
      ["ws://017700000001:1"] = "ws://127.0.0.1:1/",
      ["ws://127.0.0.1\t:1/a\nb"] = "ws://127.0.0.1:1/ab",
      ["ws://[::ffff:127.0.0.1]:1/"] = "ws://[::ffff:7f00:1]:1/",
      ["ws://[0:0:0:0:0:0:0:1]:1/"] = "ws://[::1]:1/",
      ["WS://LOCALHOST:1/%41"] = "ws://localhost:1/%41",
      [" ws://127.0.0.1:1/../a/./b "] = "ws://127.0.0.1:1/a/b",
      ["ws:\\\\127.0.0.1:1\\a"] = "ws://127.0.0.1:1/a",
    } do
      local sock = ground:client(url, { proxy = false })
      assert.equal(canonical, sock.url)
      sock:terminate()
    end
  end)

  it("A27 credentials in it cannot break out of their header", function()
    local port, accept = ground:listen()
    ground:client(("ws://u%%0d%%0aX:%%00p%%0a@127.0.0.1:%d/%%0d%%0aY: z?\r\na"):format(port))
    local request = asked(accept())
    assert.matches("^GET /%%0d%%0aY:%%20z%?a HTTP/1%.1\r\n", request)
    assert.equal("Basic " .. core.base64 "u\r\nX:\0p\n",
      request:match "Authorization: ([^\r]*)\r\n")
    for line in request:gmatch "[^\r\n]+" do assert.is_nil(line:find "^[XY]:") end
  end)

  it("A28 a NUL in URL, headers, subprotocols or options raises, cuts nothing", function()
    local url = "ws://127.0.0.1:1/"
    for _, case in ipairs {
      { "ws://127.0.0.1\0.test:1/" }, { "ws\0://127.0.0.1:1/" },
      { url, { "a\0b" } }, { url, "a\0b" }, { url, { headers = { ["X\0"] = "a" } } },
      { url, { headers = { X = "a\0b" } } }, { url, { origin = "http://a\0b" } },
      { url, { headers = { X = { "a", "\0" } } } },
    } do
      local ok, sock = pcall(ws.new, case[1], case[2])
      if ok then sock:terminate() end
      assert.is_false(ok)
    end
    local sock = ground:client(url .. "a\0b")
    assert.equal(url .. "a%00b", sock.url)
  end)

  it("A29 headers without end are cut at 16 KiB", function()
    for _, piece in ipairs { "X: y\r\n", "x", "X: y\r\n z", "\r" } do
      local sock, log, raw = ground:meet()
      asked(raw)
      raw:send "HTTP/1.1 101 Switching Protocols\r\n"
      local sent, many = 0, piece:rep(math.floor(2000 / #piece))
      wait_until(function()
        if sock.readyState == 0 then sent = sent + (raw.tcp:send(many) or 0) end
        return sock.readyState == 3
      end)
      assert.equal("error close", log.types())
      assert.is_true(sent < 16384 + 300000, sent)
    end
  end)

  for _, stage in ipairs { "TCP", "TLS", "HTTP", "proxy" } do
    it(("A29 one byte now and then in %s: the one deadline"):format(stage), function()
      local port, accept = ground:listen()
      local there = "127.0.0.1:" .. port
      local options = { timeout = 300, proxy = stage == "proxy" and "http://" .. there or false }
      local url = (stage == "TLS" and "wss://" or "ws://") .. there
      if stage == "proxy" then url = "ws://target.test/" end
      local began = ws.now()
      local sock, log = ground:client(url, options)
      local slow = ({ TCP = "", TLS = "\22\3\3\2\0", HTTP = "HTTP/1.1 101 Switching",
        proxy = "HTTP/1.1 200 Connected" })[stage]
      local raw, sent = accept(), 0
      wait_until(function()
        if sent < #slow and ws.now() - began > sent * 30 then
          sent = sent + 1
          raw.tcp:send(slow:sub(sent, sent))
        end
        return sock.readyState == 3
      end)
      local took = ws.now() - began
      failed(sock, log, "ETIMEDOUT")
      assert.is_true(took >= 290 and took < 300 + 1500 * helper.patience, took)
    end)
  end

  -- ------------------------------------------------------------------- proxy

  local function through(target, options)
    local port, accept = ground:listen()
    options = options or {}
    options.proxy = ("http://user:word@127.0.0.1:%d"):format(port)
    local sock, log = ground:client(target or "ws://target.test:81/path", options)
    return sock, log, accept()
  end

  it("A30 answers of a proxy that are no way through", function()
    for _, answer in ipairs {
      "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403 No\r\n\r\n", "garbage\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n", "\0\5\0\0", "",
      "HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n",
    } do
      local sock, log, raw = through(nil, { followRedirects = 3 })
      asked(raw)
      raw:send(answer)
      raw:shutdown()
      assert.matches("proxy", failed(sock, log, "EPROXY"))
    end
  end)

  it("A30 endless headers of a proxy are cut", function()
    local sock, log, raw = through(nil, { timeout = 4000 })
    asked(raw)
    raw:send "HTTP/1.1 200 OK\r\n"
    local sent = 0
    wait_until(function()
      sent = sent + (raw.tcp:send(("X: y\r\n"):rep(300)) or 0)
      return sock.readyState == 3
    end)
    failed(sock, log, "EPROXY")
    assert.is_true(sent < 16384 + 300000, sent)
  end)

  it("A30 a proxy's 200 with a body is no answer of the target's", function()
    local sock, log, raw = through()
    asked(raw)
    raw:send "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    failed(sock, log)
  end)

  it("A30 a proxy is told the name, and the target nothing of the credentials", function()
    local sock, _, raw = through()
    local request = asked(raw)
    assert.matches("^CONNECT target%.test:81 HTTP/1%.1\r\n", request)
    assert.matches("Proxy-Authorization: Basic " .. core.base64 "user:word", request, 1, true)
    assert.is_nil(request:find("/path", 1, true))
    raw.bytes = ""
    raw:send "HTTP/1.1 200 OK\r\n\r\n"
    local head = raw:welcome()
    assert.is_nil(head:lower():find("authorization", 1, true))
    wait_until(function() return sock.readyState == 1 end)
  end)
end)
