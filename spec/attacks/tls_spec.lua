-- SPDX-License-Identifier: MIT
-- Attacks A80 to A88 over real connections: which peers are accepted, what a peer may
-- send below TLS, where a handshake may stop. What needs hostile records or failing
-- memory is in spec/transport (see elsewhere.txt).

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local turning = require "spec.lua.turning"
local ws = require "ws"

local function file(name) return "build/certs/" .. name end

local good = { cert = file "server.pem", key = file "leaf.key" }

local function with(more)
  local tls = { cert = good.cert, key = good.key }
  for name, value in pairs(more) do tls[name] = value end
  return tls
end

-- A relay between a client and the server: it can count, hold back, cut and flip bytes.
local Relay = {}
Relay.__index = Relay

function Relay:pump()
  for _, way in ipairs(self.ways) do
    local from, to = way[1], way[2]
    from:pump()
    local bytes = from.bytes
    if self.most then bytes = bytes:sub(1, math.max(0, self.most - self.passed)) end
    from.bytes = ""
    if #bytes > 0 then
      self.passed = self.passed + #bytes
      local bite = self.bite or #bytes
      for i = 1, #bytes, bite do to:send(bytes:sub(i, i + bite - 1)) end
    end
    if from.ended and not way.ended then
      way.ended = true
      to:shutdown()
    end
  end
end

describe("TLS:", function()
  setup(function() ws.connect("ws://localhost:1/", { anyPort = true }) end) -- makes the resolver
  local ground = proving.ground(before_each, after_each)

  local function secure(tls, options)
    local all = { tls = tls or good }
    for name, value in pairs(options or {}) do all[name] = value end
    ground:serve(all)
    return ground.url:gsub("127.0.0.1", "localhost")
  end

  local function ends(sock)
    helper.wait_until(function() return sock.readyState == 3 end, 8000, "the client's end")
  end

  local function refused(url, tls, words)
    local sock, log = ground:client(url, { tls = tls })
    ends(sock)
    assert.equal("error close", log.types())
    assert.equal("ETLS", log[1][2].code)
    if words then assert.matches(words, log[1][2].message) end
  end

  -- Connects a client through a relay: sock, log, relay.
  local function relayed(settings)
    local port, accept = ground:listen()
    local sock, log = ground:client(("wss://localhost:%d/"):format(port),
      { tls = { ca = file "root.pem" }, timeout = settings.timeout })
    local relay = setmetatable({ passed = 0, most = settings.most, bite = settings.bite }, Relay)
    local client = accept()
    local server = ground:raw()
    relay.ways = { { client, server }, { server, client } }
    relay.client, relay.server = client, server
    return sock, log, relay
  end

  local function run(relay, condition, what)
    return helper.wait_until(function()
      relay:pump()
      return condition()
    end, 8000, what)
  end

  it("A80 a wrong name, a stranger, an old certificate never open, and no environment helps "
    .. "them (CVE-2018-8034 CVE-2020-11050 CVE-2017-1000209 CVE-2020-15133)", function()
    for name, words in pairs {
      ["wrong.pem"] = "hostname mismatch", ["expired.pem"] = "expired", ["self.pem"] = "self",
      ["unknown.pem"] = "issuer", ["cn_only.pem"] = "mismatch", ["eku_client.pem"] = "purpose",
    } do
      local key = name == "self.pem" and file "other.key" or good.key
      local url = secure { cert = file(name), key = key }
      refused(url, { ca = file "root.pem", servername = "ws.test" }, words)
      helper.raised_there("TypeError",
        function() ws.new(url, nil, { tls = { ca = file "root.pem", servername = "" } }) end)
      ground.server:close()
    end
    local code, output = turning.child([[
      local ws = require "ws"
      local server = assert(ws.serve { port = 0,
        tls = { cert = "build/certs/self.pem", key = "build/certs/other.key" } })
      local sock, _, code = ws.connect(("wss://localhost:%d/"):format(server.port))
      assert(sock == nil and code == "ETLS", code)
      assert(not pcall(ws.new, "wss://localhost/", { tls = { verify = 0 } }))
      assert(not pcall(ws.new, "wss://localhost/", { tls = { rejectUnauthorized = false } }))
      server:close()
      os.exit(0, true)]],
      "NODE_TLS_REJECT_UNAUTHORIZED=0 PYTHONHTTPSVERIFY=0 SSL_VERIFY_NONE=1 CURL_INSECURE=1")
    assert.equal(0, code, output)
    secure()
  end)

  it("A80 verify = false still says which name it wants", function()
    local url = secure(with { sni = { ["a.test"] = { cert = file "a.pem", key = good.key } } })
    local sock = ground:client(url, { tls = { verify = false, servername = "a.test" } })
    helper.wait_until(function() return sock.readyState == 1 end)
    assert.matches("^CN=a$", sock.tls.peer)
  end)

  it("A82 an unverified connection opens no way for a verified one (openssl-resumption "
    .. "CVE-2017-7192)", function()
    local url = secure { cert = file "wrong.pem", key = good.key }
    for _ = 1, 3 do
      local sock = ground:client(url, { tls = { verify = false } })
      helper.wait_until(function() return sock.readyState == 1 end)
      sock:send "x" -- the echo brings the session tickets too
      helper.turn_for(5)
      refused(url, { ca = file "root.pem" }, "mismatch")
      refused(url, { ca = file "root.pem", pin = ("0"):rep(64) })
      sock:terminate()
    end
  end)

  it("A83 records one byte at a time, and messages over many of them", function()
    secure()
    local sock, _, relay = relayed { bite = 7 }
    run(relay, function() return sock.readyState == 1 end, "the handshake")
    relay.bite = 1000
    local got
    sock.onmessage = function(event) got = event.data end
    local text = ("text "):rep(60000)
    sock:send(text)
    run(relay, function() return got end, "the echo")
    assert.is_true(got == text)
  end)

  for _, how in ipairs { "FIN", "RST" } do
    it("A84 cut off by " .. how .. " without close_notify: 1006, an error, for both", function()
      local codes = {}
      secure(nil, { close = function(_, code) codes[#codes + 1] = code end })
      local sock, log, relay = relayed {}
      run(relay, function() return sock.readyState == 1 end, "the handshake")
      relay.client:close(how == "RST")
      relay.server:close(how == "RST")
      ends(sock)
      helper.wait_until(function() return codes[1] end, 5000, "the server's end")
      assert.equal("open error close", log.types())
      assert.equal(1006, log[3][2].code)
      assert.is_false(log[3][2].wasClean)
      assert.same({ 1006 }, codes)
    end)
  end

  it("A84 a flipped bit ends it for both, and is no message", function()
    local told = 0
    secure(nil, { message = function(sock, data)
      told = told + 1
      sock:send(data)
    end })
    local sock, log, relay = relayed {}
    run(relay, function() return sock.readyState == 1 end, "the handshake")
    sock:send "flipped"
    relay.client:wait(function(self) return #self.bytes > 20 end)
    local bytes = relay.client.bytes
    relay.client.bytes = bytes:sub(1, -2) .. string.char((bytes:byte(-1) + 1) % 256)
    run(relay, function() return sock.readyState == 3 end, "the end")
    assert.equal("open error close", log.types())
    assert.equal(0, told)
  end)

  it("A86 a handshake that stops anywhere ends at the deadline of either", function()
    secure(nil, { handshakeTimeout = 250 })
    for _, most in ipairs { 0, 1, 5, 200, 600, 1500, 2200 } do
      local sock, log, relay = relayed { most = most, timeout = 250 }
      run(relay, function() return sock.readyState == 3 and relay.server.ended end,
        "both to give up after " .. most)
      assert.equal("error close", log.types(), most)
    end
  end)

  it("A86 300 stalled handshakes cost at most 64 KiB each, and hold up nobody", function()
    secure(nil, { handshakeTimeout = 20000 })
    proving.echo(ground.url, { tls = { verify = false } })
    local before = proving.resident()
    for _ = 1, 300 do ground:raw "\22\3\1\2\0\1\0" end
    helper.turn_for(50)
    collectgarbage()
    local each = (proving.resident() - before) / 300
    assert.is_true(each < 64 * helper.patience, each .. " KiB each")
    proving.echo(ground.url, { tls = { verify = false } })
  end)

  it("A86 of handshakes that come at once a turn does eight, and the first come first", function()
    local port, accept = ground:listen()
    ground:client("wss://127.0.0.1:" .. port, { tls = { verify = false } })
    local client = accept()
    client:wait(function(self) return #self.bytes > 100 end, "a ClientHello")
    local url = secure()
    local raws, answered = {}, 0
    for i = 1, 40 do raws[i] = ground:raw(client.bytes) end
    local late = ground:client(url, { tls = { ca = file "root.pem" } })
    local function answers()
      local count = 0
      for _, raw in ipairs(raws) do
        if #raw.bytes == 0 then raw:pump() end
        if #raw.bytes > 0 then count = count + 1 end
      end
      return count
    end
    repeat
      ws.poll(20)
      local now = answers()
      assert.is_true(now - answered <= 8, now - answered .. " in one turn")
      assert.is_true(late.readyState == 0 or now == 40, "one that came later was let in before")
      answered = now
    until answered == 40
    helper.wait_until(function() return late.readyState == 1 end, 5000, "who came last")
  end)

  it("A87 client certificates: none, old, a stranger's, a server's: not let in", function()
    local opened = 0
    local url = secure(with { ca = file "root.pem", requestCert = true },
      { open = function() opened = opened + 1 end })
    for _, name in ipairs { "client_expired.pem", "client_unknown.pem", "client_wrong.pem" } do
      refused(url, { ca = file "root.pem", cert = file(name), key = good.key })
    end
    refused(url, { ca = file "root.pem" })
    assert.equal(0, opened)
    ground.options = {} -- the fresh client after the test has no certificate
    ground:serve()
  end)

  it("A87 names nobody has, empty and long ones, get the usual certificate", function()
    local url = secure(with { sni = { ["a.test"] = { cert = file "a.pem", key = good.key } } })
    for _, name in ipairs { "nobody.test", ("a"):rep(63) .. ".test", "A.TEST" } do
      local sock = ground:client(url, { tls = { verify = false, servername = name } })
      helper.wait_until(function() return sock.readyState ~= 0 end)
      assert.equal(1, sock.readyState, name)
    end
    for _, name in ipairs { "", "a\0b", "a b", ("a."):rep(200) } do
      local ok, sock = pcall(ws.new, url, { tls = { verify = false, servername = name } })
      if ok then
        helper.wait_until(function() return sock.readyState ~= 0 end)
        sock:terminate()
        ends(sock)
      end
    end
  end)

  it("A88 what goes wrong on one connection is no other one's error", function()
    local url = secure()
    local others = {}
    for i = 1, 5 do
      others[i] = ground:client(url, { tls = { ca = file "root.pem" } })
    end
    helper.wait_until(function()
      for _, sock in ipairs(others) do if sock.readyState ~= 1 then return false end end
      return true
    end)
    local got = 0
    for _, sock in ipairs(others) do sock.onmessage = function() got = got + 1 end end
    for round = 1, 10 do
      ground:raw(("garbage %d"):format(round):rep(50))
      local bad = ground:client(url, { tls = { ca = file "stranger.pem" } })
      for _, sock in ipairs(others) do sock:send("round") end
      ends(bad)
      helper.wait_until(function() return got == 5 * round end)
    end
    for _, sock in ipairs(others) do assert.equal(1, sock.readyState) end
  end)
end)
