-- SPDX-License-Identifier: MIT
-- What must hold with every peer, in both directions. `get()` returns the peer (see
-- peer.lua). `can` says what it can do besides echoing and closing:
--   compressed secure fragments split pings own_pings terminate choose
-- and in what it differs:
--   always_code            it never sends a Close without a code
--   answers(code, reason)  the Close with which it answers this one
--   filler                 what long texts for it consist of ("x")
--   refused                the pattern of its report when a server refuses it

local assert = require "luassert"
local helper = require "spec.helper"
local peer = require "spec.peers.peer"

local suite = {}
local describe, it
local wait = 10000 -- milliseconds

local function all_bytes()
  local bytes = {}
  for i = 0, 255 do bytes[i + 1] = string.char(i) end
  return table.concat(bytes)
end

local function echoes(sock, data, opcode)
  sock:send(data, opcode)
  local back, kind = sock:receive(wait)
  assert.equal(opcode, kind)
  assert.equal(#data, #back)
  assert.is_true(data == back) -- assert.equal would print a megabyte
end

local function closing(sock)
  local _, why, code, reason = sock:receive(wait)
  return ("%s %s %s"):format(why, code, reason)
end

-- Opens a connection, runs the test, closes, and checks the report.
local function with(get, kind, protocols, test)
  local sock = get().open(kind, protocols)
  test(sock)
  sock:close(1000)
  assert.equal("closed 1000 ", closing(sock))
  assert.equal("closed 1000 ", get().report())
end

-- ----------------------------------------------------------------- messages

local function messages(get, kind, can)
  local function case(name, test)
    it(name, function() with(get, kind, nil, test) end)
  end

  local filler = can.filler or "x"
  local function filled(size) return filler:rep(math.floor(size / #filler) + 1):sub(1, size) end

  case("echoes text, the empty one and UTF-8 of every length", function(sock)
    echoes(sock, "hello", "text")
    echoes(sock, "", "text")
    echoes(sock, "z\u{fc}\u{20ac}\u{1f422}\0\u{10ffff}", "text")
  end)

  case("echoes binary, the empty one and every byte", function(sock)
    echoes(sock, "", "binary")
    echoes(sock, all_bytes(), "binary")
  end)

  -- RFC 6455 section 5.2: the lengths at which the header changes.
  for _, size in ipairs { 125, 126, 127, 65535, 65536, 1048576 } do
    case(("echoes %d bytes"):format(size), function(sock)
      echoes(sock, filled(size), "text")
      echoes(sock, all_bytes():rep(math.floor(size / 256) + 1):sub(1, size), "binary")
    end)
  end

  case("keeps the order of many", function(sock)
    for i = 1, 500 do sock:send("message " .. i) end
    for i = 1, 500 do assert.equal("message " .. i, (sock:receive(wait))) end
  end)

  -- Each long message fills the inbox, so that reading stops until it is taken.
  case("reads on after a pause", function(sock)
    for i = 1, 20 do
      sock:send(filled(80000 + i * 997))
      sock:send("after " .. i)
    end
    for i = 1, 20 do
      local long, short = (sock:receive(wait)), (sock:receive(wait))
      assert.equal(80000 + i * 997, #(long or ""))
      assert.equal("after " .. i, short)
    end
  end)
end

-- --------------------------------------------------- fragments, ping, pong

local function frames(get, kind, can)
  local function case(needs, name, test)
    if can[needs] then it(name, function() with(get, kind, nil, test) end) end
  end

  -- RFC 6455 section 5.4
  case("fragments", "joins the fragments of a message", function(sock)
    sock:send "!fragments text"
    assert.same({ "frag ment ed", "text" }, { sock:receive(wait) })
    sock:send "!fragments binary"
    assert.same({ "\0\1\254\255", "binary" }, { sock:receive(wait) })
  end)

  case("split", "joins fragments cut inside a character, with a ping between", function(sock)
    local pings = 0
    sock:addEventListener("ping", function() pings = pings + 1 end)
    sock:send "!split"
    assert.same({ "\u{20ac}", "text" }, { sock:receive(wait) })
    assert.equal("pong between", (sock:receive(wait)))
    assert.equal(1, pings)
  end)

  -- RFC 6455 section 5.5.2
  case("pings", "answers pings", function(sock)
    local seen
    sock:addEventListener("ping", function(event) seen = event.data end)
    sock:send "!ping are you there"
    assert.equal("pong are you there", (sock:receive(wait)))
    assert.equal("are you there", seen)
  end)

  case("own_pings", "answers pings whose payload the peer chooses", function(sock)
    local pings = 0
    sock:addEventListener("ping", function() pings = pings + 1 end)
    sock:send "!ping"
    assert.equal("pong", (sock:receive(wait)))
    assert.equal(1, pings)
  end)

  it("gets an answer to its pings", function()
    with(get, kind, nil, function(sock)
      local seen
      sock:addEventListener("pong", function(event) seen = event.data end)
      sock:ping "here I am"
      helper.wait_until(function() return seen end)
      assert.equal("here I am", seen)
    end)
  end)
end

-- ------------------------------------------------------------------ closing

-- RFC 6455 section 5.5.1: the answer typically has the same code.
local function answer(can, code, reason)
  if can.answers then code, reason = can.answers(code, reason) end
  return ("closed %s %s"):format(code, reason)
end

local function closes(get, kind, can)
  local function case(name, test)
    it(name, function() test(get().open(kind)) end)
  end

  case("closes with a code and a reason", function(sock)
    sock:close(3001, "f\u{fc}r heute")
    assert.equal(answer(can, 3001, "f\u{fc}r heute"), closing(sock))
    assert.equal("closed 3001 f\u{fc}r heute", get().report())
  end)

  case("closes without a code", function(sock)
    sock:close()
    assert.equal(answer(can, 1005, ""), closing(sock))
    assert.equal("closed 1005 ", get().report())
  end)

  case("is closed with a code and a reason", function(sock)
    local clean
    sock:addEventListener("close", function(event) clean = event.wasClean end)
    sock:send "!close 4002 genug f\u{fc}r heute"
    assert.equal("closed 4002 genug f\u{fc}r heute", closing(sock))
    assert.is_true(clean)
    assert.equal("closed 4002 genug f\u{fc}r heute", get().report())
  end)

  if not can.always_code then
    case("is closed without a code", function(sock)
      sock:send "!close"
      assert.equal("closed 1005 ", closing(sock))
      assert.equal("closed 1005 ", get().report())
    end)
  end

  if not can.terminate then return end
  case("notices when the peer drops the connection", function(sock)
    sock:send "!terminate"
    assert.equal("closed 1006 ", closing(sock))
    get().report()
  end)

  case("drops the connection", function(sock)
    sock:terminate()
    assert.equal("closed 1006 ", closing(sock))
    assert.equal("closed 1006", get().report():sub(1, 11))
  end)
end

-- ---------------------------------------------------------------------- all

local function handshake(get, kind, can)
  it("agrees on a subprotocol", function()
    local offered = can.choose and { "other", "chat.v1" } or { "chat.v1" }
    with(get, kind, offered, function(sock)
      assert.equal("chat.v1", sock.protocol)
      echoes(sock, "hello", "text")
    end)
  end)

  it("has no subprotocol when none is offered", function()
    with(get, kind, nil, function(sock) assert.equal("", sock.protocol) end)
  end)

  it("has the extensions that were agreed on", function()
    with(get, kind, nil, function(sock)
      local agreed = sock.extensions:match "^[^;]*"
      assert.equal(kind == "compressed" and "permessage-deflate" or "", agreed)
    end)
  end)

  if kind ~= "secure" then return end
  it("is encrypted", function()
    with(get, kind, nil, function(sock) assert.matches("^TLSv1%.[23]$", sock.tls.version) end)
  end)
end

--- busted defines its functions only in the spec's own file, which passes them on here.
function suite.using(describe_, it_)
  describe, it = describe_, it_
  return suite
end

--- Both sides talk: over ws, over ws with compression, over wss.
function suite.talk(get, can)
  for _, kind in ipairs { "plain", "compressed", "secure" } do
    if kind == "plain" or can[kind] then
      describe(kind .. ",", function()
        handshake(get, kind, can)
        messages(get, kind, can)
        frames(get, kind, can)
        closes(get, kind, can)
      end)
    end
  end
end

--- Our client refuses their server's certificate.
function suite.refuses(get)
  local function refused(name, pattern, tls)
    it("refuses " .. name, function()
      local sock, message, code = get().attempt(tls)
      assert.is_nil(sock)
      assert.equal("ETLS", code)
      assert.matches(pattern, message)
    end)
  end
  refused("an unknown authority", "certificate verify failed", nil)
  refused("another authority", "certificate verify failed",
    { ca = peer.certs .. "unknown_sent.pem" })
  refused("another name", "wrong.test",
    { ca = peer.certs .. "root.pem", servername = "wrong.test" })
end

--- Their client is refused by our server, or refuses our certificate, or hears that the
--- server goes away. That comes last, because it closes a server.
function suite.serves(get, can)
  if can.refused then
    it("tells the client that it is refused", function()
      get().order "refusing"
      assert.matches(can.refused, get().report())
    end)
  end

  if can.secure then
    it("is refused by the client for a wrong certificate", function()
      get().order "wrong"
      assert.matches("^failed", get().report())
    end)
  end

  it("closes with 1001 when the server goes away", function()
    local sock = get().open "secure"
    get().servers.secure:close()
    assert.equal(answer(can, 1001, ""), closing(sock))
    assert.equal("closed 1001 ", get().report())
  end)
end

return suite
