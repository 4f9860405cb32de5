-- SPDX-License-Identifier: MIT
-- Attacks A14 to A20: what a server's Lua side decides about a handshake, clients that
-- go away in the middle of one, and bytes that are no handshake.

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local handshake, wait_until = helper.handshake, helper.wait_until

describe("what a server decides:", function()
  local ground = proving.ground(before_each, after_each)

  local function status_of(bytes)
    local raw = ground:raw(bytes)
    local status = raw:head()
    raw:close(true)
    return status
  end

  -- ---------------------------------------------------------------- origins

  local foreign = { "null", "https://good.test.evil", "https://evil.test", "http://127.0.0.1.evil",
    "http://127.0.0.1:1", "ftp://127.0.0.1", "http://user@127.0.0.1", "http://127.0.0.1/",
    "127.0.0.1", "", "http://", "://127.0.0.1", "http:127.0.0.1", "file://", "http://127.0.0.2",
    "http://127.0.0.1 http://evil.test" }

  it("A14 by default a page of another origin gets 403 (CVE-2014-3429 CVE-2019-13611)", function()
    local server = ground:serve()
    local here = ("127.0.0.1:%d"):format(server.port)
    for _, origin in ipairs(foreign) do
      assert.equal(403, status_of(handshake { Host = here, Origin = origin }), origin)
    end
    local own = "http://" .. here
    assert.equal(403, status_of(handshake({ Host = here, Origin = own }, "Origin: " .. own)))
    assert.equal(403, status_of(handshake({ Host = here, Origin = own }, "Origin: null")))
    assert.equal(101, status_of(handshake { Host = here, Origin = own }))
    assert.equal(101, status_of(handshake { Host = here, Origin = own:upper():lower() }))
    assert.equal(101, status_of(handshake { Host = here }))
  end)

  it("A14 a list takes exactly those in it (CVE-2026-55883 CVE-2026-42283 GHSA-q355)", function()
    local server = ground:serve { origins = { "https://good.test", "http://other.test:81" } }
    for _, origin in ipairs { "https://good.test", "HTTPS://GOOD.test", "http://other.test:81" } do
      assert.equal(101, status_of(handshake { Origin = origin }), origin)
    end
    for _, origin in ipairs { "https://good.test.evil", "https://good.test:444", "http://good.test",
      "https://xgood.test", "https://good.tes", "https://good.test/", "http://other.test", "null",
      "https://good.test,https://evil.test", "http://127.0.0.1:" .. server.port } do
      assert.equal(403, status_of(handshake { Origin = origin }), origin)
    end
    local twice = handshake({ Origin = "https://good.test" }, "Origin: https://good.test")
    assert.equal(403, status_of(twice))
    twice = handshake({ Origin = "https://good.test" }, "Origin: https://evil.test")
    assert.equal(403, status_of(twice))
  end)

  -- ---------------------------------------------------------------- answers

  -- Random strings of harmless bytes and of those that break heads.
  local function random_text(random)
    local alphabet = { "\r", "\n", "\r\n", "\0", "\127", ":", " ", "\t", ",", ";", "a", "X-B: b",
      "\r\n\r\n", "HTTP/1.1 200 OK", "\195\164", "\255", "=", "\"", "%0d%0a" }
    local parts = {}
    for i = 1, random(1, 6) do parts[i] = alphabet[random(1, #alphabet)] end
    return table.concat(parts)
  end

  -- Parses a head into name -> value; fails when it is malformed.
  local function lines_of(head)
    local lines = {}
    local rest = head:match "^HTTP/1%.1 %d%d%d [%w ]*\r\n(.-\r\n)\r\n"
    assert.is_string(rest, head)
    for line in rest:gmatch "(.-)\r\n" do
      local name, value = line:match "^([^%z\1-\32:\127-\255]+): ([^%z\1-\8\10-\31\127]*)$"
      assert.is_string(name, ("%q"):format(line))
      lines[name] = value
    end
    return lines
  end

  it("A15 no header of 4,000 splits the answer: an error, or exactly it (CVE-2026-1527)",
    function()
      local random, taken, refused = math.random, 0, 0
      math.randomseed(15)
      ground:expect_errors()
      for i = 1, 4000 do
        local text = random_text(random)
        local name = i % 2 == 0 and "X-A" or text
        local value = i % 2 == 0 and text or "1"
        local side = ws.protocol.server { upgrade = function()
          return { headers = { [name] = value } }
        end }
        side:feed(handshake())
        for _ in side:events() do end -- luacheck: ignore 542
        local lines = lines_of(side:output())
        if side.state == 1 then
          taken = taken + 1
          assert.equal(value, lines[name])
        else
          refused = refused + 1
          assert.is_nil(lines["X-A"])
        end
      end
      assert.is_true(taken > 200 and refused > 200, taken)
    end)

  it("A15 nor does a plain answer's head, a refusal or a client's request", function()
    local results = {}
    local split = true
    ground:serve {
      upgrade = function()
        if not split then return true end
        return false, 403, "body", { ["X-A"] = "a\r\nX-B: b" }
      end,
      request = function(_, response)
        for _, headers in ipairs { { ["X-A"] = "a\r\nX-B: b" }, { ["X-A"] = "a\0" },
          { ["X\r\nX-B"] = "a" }, { [""] = "a" }, { ["X-A"] = { "a", "b\n" } } } do
          results[#results + 1] = pcall(response.writeHead, response, 200, headers)
        end
        response:writeHead(200, { ["X-A"] = "fine" })
        response:finish "done"
      end,
    }
    ground:expect_errors()
    assert.equal(500, status_of(handshake()))
    split = false
    local _, headers, body = ground:raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n"):response()
    assert.same({ "fine", "done" }, { headers["x-a"], body })
    assert.is_nil(headers["x-b"])
    assert.same({ false, false, false, false, false }, results)
    for _, bad in ipairs { "a\r\nX-B: b", "a\n", "a\0b", "a\127", "\1" } do
      assert.has_error(function() ws.new("ws://127.0.0.1:1/", { headers = { ["X-A"] = bad } }) end)
      assert.has_error(function() ws.new("ws://127.0.0.1:1/", { headers = { [bad] = "a" } }) end)
      assert.has_error(function() ws.new("ws://127.0.0.1:1/", { bad }) end)
      assert.has_error(function() ws.new("ws://127.0.0.1:1/", { origin = bad }) end)
    end
  end)

  it("A16 a subprotocol that the client did not offer is an error, and not sent", function()
    local choice
    ground:serve { upgrade = function() return { protocol = choice } end }
    ground:expect_errors()
    for _, given in ipairs { "other", "chat, chat2", "CHAT", "chat ", "", "chat\r\nX: y" } do
      choice = given
      local raw = ground:raw(handshake { ["Sec-WebSocket-Protocol"] = "chat, chat2" })
      local status, headers = raw:head()
      assert.is_nil(headers["sec-websocket-protocol"], given)
      assert.equal(given == "" and 101 or 500, status, given)
    end
    choice = "chat2"
    local _, headers = ground:raw(handshake { ["Sec-WebSocket-Protocol"] = "chat, chat2" }):head()
    assert.equal("chat2", headers["sec-websocket-protocol"])
    choice = nil -- so that the fresh client after the test is served
  end)

  -- ------------------------------------------------------------ those who go

  for _, reset in ipairs { false, true } do
    it(("A17 a client goes at each byte of the handshake, by %s"):format(reset and "RST" or "FIN"),
      function()
        local opened, closed = 0, 0
        ground:serve {
          open = function() opened = opened + 1 end, close = function() closed = closed + 1 end,
        }
        local request = handshake()
        for cut = 0, #request - 1 do
          local raw = helper.raw_client(ground.server.port, request:sub(1, cut))
          if cut % 2 == 0 then ws.poll(0) end
          raw:close(reset)
          if cut % 7 == 0 then ws.poll(0) end
        end
        helper.turn_for(20)
        assert.same({ 0, 0 }, { opened, closed })
        helper.raw_client(ground.server.port, request):close(reset)
        helper.turn_for(20)
        assert.equal(opened, closed) -- a whole request, then gone: both events or none
      end)
  end

  local ends = {
    ["the client goes"] = function(raw) raw:close() end,
    ["the client resets"] = function(raw) raw:close(true) end,
    ["the server stops"] = function(_, server) server:close() end,
    ["all is collected"] = function() collectgarbage() collectgarbage() end,
    ["its time is over"] = function(raw)
      raw:wait(function() return raw.ended end, "the deadline")
    end,
    ["nothing happens"] = function() end,
  }
  for what, happen in pairs(ends) do
    it(("A18 while a handshake waits for Lua %s (CVE-2025-11234 CVE-2025-11677)"):format(what),
      function()
        local resume, opened, closed, waits = nil, 0, 0, 0
        local is_late = what == "its time is over"
        ground:serve {
          handshakeTimeout = is_late and 150 or 10000,
          upgrade = function()
            if resume == false then return true end
            waits = waits + 1
            ws.sleep(is_late and 300 or 60)
            resume = false
            return true
          end,
          open = function() opened = opened + 1 end, close = function() closed = closed + 1 end,
        }
        local raw = ground:raw(handshake())
        wait_until(function() return waits == 1 end)
        happen(raw, ground.server)
        wait_until(function() return resume == false end)
        helper.turn_for(20)
        local stays = what == "nothing happens" or what == "all is collected"
        assert.equal(stays and 1 or 0, opened)
        assert.equal(0, closed)
        if what == "the server stops" then ground:serve() end
      end)
  end

  -- --------------------------------------------------------- other protocols

  local hello = "\22\3\1\2\0\1\0\1\252\3\3" .. ("\7"):rep(300)
  local strange = {
    ["a TLS ClientHello"] = hello,
    ["HTTP/2's preface"] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    ["a PROXY header"] = "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n" .. handshake(),
    ["a binary PROXY header"] = "\r\n\r\n\0\r\nQUIT\n\33\17\0\12" .. ("\1"):rep(12) .. handshake(),
    ["an SSH banner"] = "SSH-2.0-OpenSSH_9.9\r\n",
    ["SMTP"] = "EHLO a\r\nMAIL FROM:<a@b>\r\n\r\n",
    ["frames"] = helper.frame(1, "hello"):rep(50) .. "\r\n\r\n",
    ["NULs"] = ("\0"):rep(20000),
  }

  it("A19 bytes of other protocols on a plain port: refused, closed", function()
    ground:serve { handshakeTimeout = 200 }
    for what, bytes in pairs(strange) do
      local raw = ground:raw(bytes)
      local all = raw:all()
      assert.is_true(all == "" or all:find "^HTTP/1%.1 [45]" == 1, what)
      assert.equal(all == "" and 0 or 1, select(2, all:gsub("HTTP/1%.1 %d", "")), what)
    end
  end)

  local pair = proving.certificate

  it("A19 and on a TLS port, plain HTTP among them", function()
    local errors = {}
    ground:serve { tls = pair, handshakeTimeout = 300,
      error = function(_, message) errors[#errors + 1] = message end }
    strange["plain HTTP"] = handshake()
    for what, bytes in pairs(strange) do
      local raw = ground:raw(bytes)
      assert.is_nil(raw:all():find("HTTP/1.1 1", 1, true), what)
    end
    for _, message in ipairs(errors) do assert.is_nil(message:find "[%c\128-\255]") end
  end)

  it("A19 and 1 MiB of random bytes, on both", function()
    local random = assert(io.open("/dev/urandom", "rb"))
    local bytes = random:read(1048576)
    random:close()
    for _, tls in ipairs { false, pair } do
      ground:serve { tls = tls or nil, handshakeTimeout = 300 }
      local raw = ground:raw()
      raw:send(bytes)
      raw:wait(function() return raw.ended end, "the end")
      assert.is_nil(raw.bytes:find("HTTP/1.1 1", 1, true))
    end
  end)

  it("A19 a client says in one clean line what it met instead of HTTP", function()
    for _, bytes in pairs(strange) do
      local _, log, raw = ground:meet { timeout = 500 }
      raw:send(bytes .. "\27[31m\r\n\r\n")
      raw:shutdown()
      wait_until(function() return log[2] end)
      assert.equal("error close", log.types())
      local message = log[1][2].message
      assert.is_nil(message:find "[%c\127]")
      assert.is_true(#message < 512)
    end
  end)
end)
