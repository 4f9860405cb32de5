-- SPDX-License-Identifier: MIT
-- Attacks A1 to A13 on a server's handshake, by raw clients that send what no client
-- should. What the Lua side decides about it: handshake_policy_spec.lua.

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local turning = require "spec.lua.turning"
local ws = require "ws"

local handshake, frame = helper.handshake, helper.frame
local KEY, VERSION = "Sec-WebSocket-Key", "Sec-WebSocket-Version"
local HEAD_MOST = 16384

describe("handshake of a server:", function()
  local ground = proving.ground(before_each, after_each)
  local opened

  local function serve(options)
    opened = 0
    local all = { open = function() opened = opened + 1 end }
    for name, value in pairs(options or {}) do all[name] = value end
    return ground:serve(all)
  end

  -- Sends a request; returns the answer's status and headers. A refusal must be
  -- complete, and end the connection.
  local function answer(bytes)
    local raw = ground:raw(bytes)
    local status, headers = raw:head()
    if status ~= 101 then
      local body = raw:all()
      assert.equal(tonumber(headers["content-length"]), #body)
      assert.matches("^close", headers.connection)
    end
    return status, headers
  end

  local function all_get(expected, requests)
    for what, bytes in pairs(requests) do
      assert.equal(expected, (answer(bytes)), tostring(what) .. ": " .. bytes:sub(1, 200))
    end
    assert.equal(0, opened)
  end

  it("A1 one byte at a time: the deadline is for the whole handshake (slowloris)", function()
    serve { handshakeTimeout = 300 }
    local raw, request = ground:raw(), handshake()
    local began, sent = ws.now(), 0
    raw:wait(function(self)
      if ws.now() - began >= sent * 20 and sent < #request - 1 then
        sent = sent + 1
        self:send(request:sub(sent, sent))
      end
      return self.ended
    end, "the deadline")
    local took = ws.now() - began
    assert.is_true(took >= 290 and took < 300 + 1500 * helper.patience, took)
    assert.is_true(sent > 2)
    assert.equal("", raw.bytes)
    assert.equal(0, opened)
  end)

  it("A1 200 half requests hold up no honest client", function()
    local _, url = serve { handshakeTimeout = 5000 }
    for _ = 1, 200 do ground:raw(handshake():sub(1, 60)) end
    for _ = 1, 20 do proving.echo(url) end
  end)

  local endless = {
    ["names"] = "a", ["a line"] = "X: a", ["folded lines"] = "X: a\r\n b", ["blanks"] = "X:  ",
    ["lines"] = "X: a\r\n", ["colons"] = "::",
  }
  for what, unit in pairs(endless) do
    it("A2 endless " .. what .. ": 431 at 16 KiB (CVE-2026-54465 CVE-2026-33219)", function()
      serve()
      local raw = ground:raw "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
      local piece, sent = unit:rep(200), 33
      while #raw.bytes == 0 and sent < 40 * HEAD_MOST do
        raw:send(piece)
        sent = sent + #piece
        ws.poll(0)
        raw:pump()
      end
      local status = raw:head()
      assert.equal(431, status)
      assert.is_true(sent < HEAD_MOST + 4 * #piece, sent)
      assert.equal(0, opened)
    end)
  end

  it("A2 holds no more than the head's 16 KiB for each of 100 that stop in it", function()
    serve()
    local part = handshake():sub(1, -3) .. "X: " .. ("a"):rep(HEAD_MOST - 300)
    turning.live()
    local before = proving.resident()
    for _ = 1, 100 do
      ground:raw(part)
      ws.poll(0)
    end
    helper.turn_for(50)
    turning.live()
    local each = (proving.resident() - before) / 100
    assert.is_true(each <= (16 + 16 + 16) * helper.patience, each .. " KiB each")
  end)

  it("A3 the 101st header, and 4,000 of two bytes: 431 (CVE-2024-37890)", function()
    serve()
    local lines = {}
    for i = 1, 95 do lines[i] = "a:b" end
    assert.equal(101, (answer(handshake(nil, table.concat(lines, "\r\n")))))
    lines[96] = "a:b"
    assert.equal(431, (answer(handshake(nil, table.concat(lines, "\r\n")))))
    assert.equal(431, (answer(handshake(nil, ("a:\r\n"):rep(4000) .. "a:"))))
  end)

  -- A quadratic parser takes 10^8 steps, or a tenth of a second, for each of these:
  -- some hundred times as long as for an ordinary header of the same length.
  it("A4 15 KiB that are dear to parse are cheap (CVE-2021-32640 CVE-2020-7662 CVE-2020-7663 "
    .. "CVE-2018-17281)", function()
      serve { protocols = { "chat" }, compression = true }
      local protocols, extensions = "Sec-WebSocket-Protocol: ", "Sec-WebSocket-Extensions: "
      local dear = {
        protocols .. "b" .. (" "):rep(15000) .. "x", protocols .. (","):rep(15000),
        protocols .. ("a,"):rep(7500), protocols .. (" ,\t"):rep(5000),
        extensions .. "a; b=\"" .. ("\\c"):rep(7500),
        extensions .. "a; b=\"" .. ("\\c"):rep(7500) .. "\"",
        extensions .. (";"):rep(15000), extensions .. (","):rep(15000),
        extensions .. "a" .. ("; b"):rep(4500), extensions .. ("permessage-deflate,"):rep(780),
        extensions .. "permessage-deflate" .. ("; client_max_window_bits"):rep(600),
        "Connection: " .. (","):rep(15000), "Cookie: " .. ("a=b; "):rep(3000),
      }
      local function asking(line)
        return function()
          for _ = 1, 5 do
            local raw = ground:raw(handshake(nil, line))
            raw:head()
            raw:close(true)
          end
        end
      end
      local plain = asking("X: " .. ("a"):rep(15000))
      for _, line in ipairs(dear) do proving.times(10, plain, asking(line)) end
    end)

  it("A4 8,000 subprotocols of a plain request, which has no limit, cost in proportion", function()
    local told
    serve { request = function(request, response)
      told = #request.protocols
      response:finish "plain"
    end }
    proving.linear(function(names)
      local request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-WebSocket-Protocol: "
        .. ("a,"):rep(names) .. "\r\n\r\n"
      for _ = 1, 5 do
        assert.equal(200, (answer(request)))
        assert.equal(names, told)
      end
    end, 1000)
  end)

  it("A5 a head of 4 KiB in segments of one byte is read once (CVE-2023-43669)", function()
    serve()
    local raw = ground:raw()
    raw.tcp:setoption("tcp-nodelay", true)
    local request = handshake(nil, "X: " .. ("a"):rep(4000))
    for i = 1, #request do
      assert(raw.tcp:send(request:sub(i, i)))
      ws.poll(0)
    end
    assert.equal(101, (raw:head()))
  end)

  it("A6 keys that are none: 400 (CVE-2026-5067)", function()
    serve()
    local good = "dGhlIHNhbXBsZSBub25jZQ=="
    local requests = {
      missing = handshake { [KEY] = false },
      twice = handshake(nil, KEY .. ": " .. good),
      long = handshake { [KEY] = ("A"):rep(15 * 1024) },
      ["15 bytes"] = handshake { [KEY] = "dGhlIHNhbXBsZSBub25j" },
      ["17 bytes"] = handshake { [KEY] = "dGhlIHNhbXBsZSBub25jZTE=" },
      ["a NUL"] = handshake { [KEY] = good:sub(1, 10) .. "\0" .. good:sub(12) },
    }
    for length = 0, 23 do requests[length] = handshake { [KEY] = good:sub(1, length) } end
    for i = 1, 22, 3 do
      requests["at " .. i] = handshake { [KEY] = good:sub(1, i - 1) .. "*" .. good:sub(i + 1) }
    end
    requests[25] = handshake { [KEY] = good .. "=" }
    all_get(400, requests)
    assert.equal(431, (answer(handshake { [KEY] = ("A"):rep(65536) })))
  end)

  it("A7 tokens of Upgrade and Connection, versions, methods: only the RFC's", function()
    serve()
    all_get(400, {
      handshake { Upgrade = "notwebsocket" }, handshake { Upgrade = "websocket2" },
      handshake { Upgrade = "web socket" }, handshake { Upgrade = "websocket\0" },
      handshake { Upgrade = "" }, handshake { Upgrade = "\"websocket\"" },
      handshake { Connection = "notupgrade" }, handshake { Connection = "keep-alive" },
      handshake { Connection = "upgrade\0" }, handshake { Connection = "up grade" },
      handshake(nil, nil, "GET / HTTP/1.0"),
      handshake({ ["Content-Length"] = "1" }) .. "x",
    })
    for _, line in ipairs { "POST / ", "CONNECT a:1 ", "GETT / ", "get / " } do
      assert.equal(405, (answer(handshake(nil, nil, line .. "HTTP/1.1"))))
    end
    for _, request in ipairs { handshake { Upgrade = "WeBsOcKeT", Connection = "uPGRADE" },
      handshake { Connection = "keep-alive, Upgrade" }, handshake { Connection = ",,upgrade ,," },
      handshake({ Connection = "keep-alive" }, "Connection: Upgrade") } do
      assert.equal(101, (answer(request)))
    end
  end)

  it("A8 other versions: 426 with ours; and the connection ends (0ang3el-426)", function()
    serve()
    for _, version in ipairs { "0", "7", "8", "12", "14", "13,8", "13, 13", "013", "1 3", "",
      "+13", "13.0", "99999999999999999999", "4294967309" } do
      local status, headers = answer(handshake { [VERSION] = version } .. handshake())
      assert.equal(426, status, version)
      assert.equal("13", headers["sec-websocket-version"])
    end
    all_get(400, { handshake(nil, VERSION .. ": 13"), handshake { [VERSION] = false } })
  end)

  it("A9 nothing behind a refused upgrade is read (GHSA-mfx4-hv73-q22v CVE-2023-34188)",
    function()
      local requests = 0
      serve { request = function(_, response)
        requests = requests + 1
        response:finish "plain"
      end }
      local behind = handshake() .. "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n"
      for _, lines in ipairs {
        "X: y", "Content-Length: 5", "Content-Length: 0", "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 18446744073709551616", "Content-Length: 5, 6", "Content-Length: 0x5",
        "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked", "Transfer-Encoding: \vchunked",
      } do
        local raw = ground:raw(handshake({ [VERSION] = "12" }, lines) .. "0\r\n\r\n" .. behind)
        local all = raw:all()
        assert.matches("^HTTP/1%.1 4%d%d ", all, nil, lines)
        assert.equal(1, select(2, all:gsub("HTTP/1%.1 %d", "")), lines)
      end
      assert.equal(0, requests)
      assert.equal(0, opened)
    end)

  it("A9 nor behind a plain request, whatever its length is said to be", function()
    local requests = 0
    serve { request = function(_, response)
      requests = requests + 1
      response:finish "plain"
    end }
    for _, case in ipairs {
      { 200, "X: y" }, { 200, "Content-Length: 3" }, { 400, "Content-Length: -1" },
      { 400, "Content-Length: +3" }, { 400, "Content-Length: 18446744073709551616" },
      { 413, "Content-Length: 9223372036854775807" }, { 400, "Content-Length: 3, 4" },
      { 400, "Transfer-Encoding: chunked\r\nContent-Length: 3" },
      { 400, "Transfer-Encoding: gzip, chunked" }, { 400, "Transfer-Encoding: chunked, chunked" },
    } do
      local raw = ground:raw("POST / HTTP/1.1\r\nHost: a\r\n" .. case[2] .. "\r\n\r\nabc"
        .. handshake())
      local all = raw:all()
      assert.equal(case[1], tonumber(all:match "^HTTP/1%.1 (%d+) "), case[2])
      assert.equal(1, select(2, all:gsub("HTTP/1%.1 %d", "")), case[2])
    end
    assert.equal(2, requests)
    assert.equal(0, opened)
  end)

  it("A10 early frames are kept; an upgrade with a body is refused", function()
    serve()
    local raw = ground:raw(handshake() .. frame(1, "early") .. frame(9, "p"))
    assert.equal(101, (raw:head()))
    assert.same({ 1, "early", true, false }, { raw:frame() })
    assert.same({ 10, "p", true, false }, { raw:frame() })
    opened = 0
    all_get(400, { handshake { ["Content-Length"] = tostring(#frame(1, "x")) } .. frame(1, "x"),
      handshake { ["Transfer-Encoding"] = "chunked" } .. "5\r\nhello\r\n0\r\n\r\n" })
  end)

  it("A11 lines that are none: 400", function()
    serve()
    all_get(400, {
      (handshake():gsub("\r\n", "\n")), (handshake():gsub("\r\n", "\n", 1)),
      handshake(nil, "X: a\rY: b"), handshake(nil, "X: a\0"), handshake(nil, "X: a\r\n b"),
      handshake(nil, "X: a\r\n\tb"), handshake(nil, "X : a"), handshake(nil, "X\t: a"),
      handshake(nil, " X: a"), handshake(nil, "X(: a"), handshake(nil, "X\195\164: a"),
      handshake(nil, ": a"), handshake(nil, "X"), handshake(nil, "X: a\127"),
      handshake(nil, "X: a\27[31m"), "\r\n\r\n" .. handshake(), " " .. handshake(),
      "\n" .. handshake(), "\r" .. handshake(), "\0\r\n" .. handshake(),
    })
    assert.equal(101, (answer("\r\n" .. handshake()))) -- RFC 9112 section 2.2
  end)

  it("A12 request targets come to Lua as they were sent, or not at all", function()
    local paths = {}
    serve { open = function(_, request)
      paths[#paths + 1] = request.query and request.path .. "?" .. request.query or request.path
    end }
    local targets = { "/%00", "/../../etc/passwd", "//host/a", "/a//b/./c", "/%2e%2e/", "/?a?b",
      "/;a=b&c", "/\\", "http://other.test/a?b", "/" .. ("a"):rep(8192) }
    for i, target in ipairs(targets) do
      assert.equal(101, (answer(handshake(nil, nil, "GET " .. target .. " HTTP/1.1"))), target)
      helper.wait_until(function() return #paths == i end)
      assert.equal(target, paths[i])
    end
    for _, target in ipairs { "*", "host:80", "/a#b", "/\195\164", "/a\0b", "", "a", "ftp://a/",
      "/\1", "/\127" } do
      assert.equal(400, (answer(handshake(nil, nil, "GET " .. target .. " HTTP/1.1"))), target)
    end
    local longest = HEAD_MOST - #handshake(nil, nil, "GET / HTTP/1.1")
    for more, expected in pairs { [0] = 101, [1] = 431, [HEAD_MOST] = 414 } do
      local target = "/" .. ("a"):rep(longest + more)
      assert.equal(expected, (answer(handshake(nil, nil, "GET " .. target .. " HTTP/1.1"))))
    end
    helper.wait_until(function() return #paths == #targets + 1 end)
  end)

  it("A13 hosts that are none: 400, and no error escapes (CVE-2026-61666)", function()
    serve { upgrade = function() return true end }
    local requests = { missing = handshake { Host = false },
      twice = handshake(nil, "Host: 127.0.0.1") }
    for _, host in ipairs { "a b", "[::1", "::1", "a:99999", "a:-1", "a:0x1", "a:", "a@b", "a/b",
      "a?b", "[]", "[::1]x", "\195\164", "a:1:2", "[::1%25lo]:", "%zz" } do
      requests[host] = handshake { Host = host }
    end
    all_get(400, requests)
  end)
end)
