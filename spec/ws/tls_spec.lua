-- SPDX-License-Identifier: MIT
-- The option `tls` of clients and servers, over loopback, with the certificates of
-- spec/certs.sh. What exactly TLS accepts is tested in spec/transport.

local ws = require "ws"
local helper = require "spec.helper"

local raised, wait_until = helper.raised, helper.wait_until

local function file(name) return "build/certs/" .. name end

local function text_of(name)
  local handle = assert(io.open(file(name), "rb"))
  local text = handle:read("*a")
  handle:close()
  return text
end

-- SHA-256 of a key's public key, by OpenSSL's tools.
local function pin_of(name)
  local pipe = io.popen("openssl pkey -in " .. file(name) .. " -pubout -outform DER"
    .. " | openssl dgst -sha256 -r")
  local digest = pipe:read("*l"):match("^%x+")
  pipe:close()
  return digest
end

describe("tls", function()
  local server, socks, told

  local function serve(tls, options)
    told = {}
    local all = {
      port = 0, tls = tls,
      open = function(sock) told[#told + 1] = { "open", sock } end,
      message = function(sock, data) sock:send(data) end,
      close = function() told[#told + 1] = { "close" } end,
      error = function(_, message, code) told[#told + 1] = { "error", message, code } end,
    }
    for name, value in pairs(options or {}) do all[name] = value end
    server = assert(ws.serve(all))
    return server
  end

  local function serve_file(name, key, more)
    local tls = { cert = file(name), key = file(key or "leaf.key") }
    for option, value in pairs(more or {}) do tls[option] = value end
    return serve(tls)
  end

  local function connect(tls, host)
    tls = tls or {}
    if tls.ca == nil and tls.verify == nil then tls.ca = file "root.pem" end
    local url = ("wss://%s:%d/"):format(host or "localhost", server.port)
    local sock = ws.new(url, { tls = tls, timeout = 3000 })
    socks[#socks + 1] = sock
    return helper.recorded(sock)
  end

  local function opens(tls, host)
    local sock, log = connect(tls, host)
    wait_until(function() return log[1] end, 5000, "an answer")
    assert.equal("open", log.types(), log[1][2].message)
    return sock, log
  end

  local function fails(tls, host)
    local sock, log = connect(tls, host)
    wait_until(function() return sock.readyState == 3 and log[2] end, 5000, "the end")
    assert.equal("error close", log.types())
    assert.same({ 1006, "", false }, { log[2][2].code, log[2][2].reason, log[2][2].wasClean })
    return log[1][2].message, log[1][2].code
  end

  before_each(function() socks = {} end)

  after_each(function()
    for _, sock in ipairs(socks) do sock:terminate() end
    if not server then return end
    helper.close_server(server)
    server = nil
  end)

  -- ------------------------------------------------------ good certificates

  it("S23 encrypts, and says with what", function()
    serve_file "server.pem"
    local sock, log = opens()
    assert.matches("^TLSv1%.[23]$", sock.tls.version)
    assert.is_string(sock.tls.cipher)
    assert.equal("CN=localhost", sock.tls.peer)
    assert.equal("wss://localhost:" .. server.port .. "/", sock.url)
    sock:send(("x"):rep(100000))
    wait_until(function() return log[2] end)
    assert.equal(100000, #log[2][2].data)
    assert.equal("wss://localhost:" .. server.port, log[2][2].origin)
    local there = told[1][2]
    assert.equal(sock.tls.version, there.tls.version)
    assert.is_nil(there.tls.peer)
    sock:close(3000)
    wait_until(function() return log[3] end)
    assert.same({ "close", 3000, true }, { log[3][1], log[3][2].code, log[3][2].wasClean })
  end)

  it("takes PEM text in place of files, and both in one file", function()
    serve { cert = text_of "server.pem", key = text_of "leaf.key" }
    opens { ca = text_of "root.pem" }
    server:close()
    serve { cert = file "both.pem" }
    opens()
  end)

  it("takes a key with its password", function()
    serve { cert = file "server.pem", key = file "encrypted.key", password = "secret" }
    opens()
    local none, message, code = ws.serve {
      port = 0, tls = { cert = file "server.pem", key = file "encrypted.key", password = "x" } }
    assert.same({ nil, "ETLS" }, { none, code })
    assert.matches("key", message)
  end)

  it("checks addresses as well as names", function()
    serve_file "server.pem"
    opens(nil, "127.0.0.1")
    server:close()
    serve_file "a.pem"
    fails(nil, "127.0.0.1")
  end)

  it("servername replaces the URL's host, in what is asked and what is checked", function()
    serve_file "a.pem"
    opens { servername = "a.test" }
    fails { servername = "b.test" }
  end)

  it("minVersion and ciphers hold on both sides", function()
    serve_file("server.pem", nil, { minVersion = "TLSv1.3" })
    assert.equal("TLSv1.3", opens().tls.version)
    server:close()
    serve_file("server.pem", nil, { ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" })
    assert.is_table(opens().tls)
    assert.equal("TLSv1.3", opens({ minVersion = "TLSv1.3" }).tls.version)
  end)

  -- ------------------------------------------------------- bad certificates

  it("S23 S66 a bad certificate is ETLS, and the message says what is wrong", function()
    for name, words in pairs {
      ["wrong.pem"] = "hostname mismatch", ["expired.pem"] = "expired",
      ["self.pem"] = "self", ["unknown.pem"] = "issuer", ["no_inter.pem"] = "issuer",
      ["eku_client.pem"] = "purpose",
    } do
      serve_file(name, name == "self.pem" and "other.key" or nil)
      local message, code = fails { servername = name ~= "no_inter.pem" and "ws.test" or nil }
      assert.equal("ETLS", code)
      assert.matches("certificate", message)
      assert.matches(words, message)
      for _, entry in ipairs(told) do assert.not_equal("open", entry[1]) end
      server:close()
    end
  end)

  it("the message for a bad certificate names the stage, as the README says", function()
    serve_file "wrong.pem"
    assert.matches("^tls: ", (fails { servername = "ws.test" }))
  end)

  it("trusts the system's authorities only, unless told otherwise", function()
    serve_file "server.pem"
    assert.equal("ETLS", select(2, fails { verify = true }))
    assert.equal("ETLS", select(2, fails { ca = file "stranger.pem" }))
  end)

  it("verify = false takes any", function()
    serve_file("self.pem", "other.key")
    opens { verify = false }
  end)

  it("pin: the key has to be one of those, besides all else", function()
    serve_file "server.pem"
    local pin, other = pin_of "leaf.key", pin_of "other.key"
    opens { pin = pin }
    opens { pin = { other, pin } }
    local message, code = fails { pin = other }
    assert.equal("ETLS", code)
    assert.matches("pin", message)
    fails { pin = { other }, verify = false }
    fails { pin = pin, ca = file "stranger.pem" }
  end)

  it("a server that speaks no TLS is ETLS", function()
    server = assert(ws.serve { port = 0 })
    local message, code = fails()
    assert.equal("ETLS", code)
    assert.matches("TLS", message)
  end)

  it("R20 a client that speaks none gets no HTTP: TCP is closed", function()
    serve_file "server.pem"
    for _, bytes in ipairs { helper.handshake(), ("\0"):rep(100), "\22\3\1\255\255" } do
      local raw = helper.raw_client(server.port, bytes)
      if #bytes < 20 then raw:shutdown() end
      assert.is_nil(raw:all():find("HTTP", 1, true))
      raw:close()
    end
    assert.same({}, told)
    opens() -- and others are served
  end)

  it("R20 one that stalls is dropped after handshakeTimeout", function()
    serve({ cert = file "server.pem", key = file "leaf.key" }, { handshakeTimeout = 60 })
    local raw = helper.raw_client(server.port, "\22\3\1")
    assert.is_nil(raw:all():find("HTTP", 1, true))
    raw:close()
    assert.same({}, told)
  end)

  -- -------------------------------------------------- clients' certificates

  local client = { cert = file "client.pem", key = file "leaf.key" }
  local function with(more)
    local tls = {}
    for name, value in pairs(more) do tls[name] = value end
    return tls
  end

  it("requestCert = true lets in only who shows a good one", function()
    serve_file("server.pem", nil, { ca = file "root.pem", requestCert = true })
    local _, log = opens(with(client))
    assert.equal("CN=client", told[1][2].tls.peer)
    assert.equal("open", log.types())
    for _, name in ipairs { "none", "client_unknown.pem", "client_expired.pem",
                            "client_wrong.pem" } do
      local message, code = fails(name ~= "none"
        and { cert = file(name), key = file "leaf.key" } or {})
      -- In TLS 1.3 the refusal comes after the handshake; a reset may overtake it.
      if code ~= "ECONNRESET" then assert.equal("ETLS", code, message) end
    end
    wait_until(function() return server.connections == 1 end)
    local opened = 0
    for _, entry in ipairs(told) do if entry[1] == "open" then opened = opened + 1 end end
    assert.equal(1, opened)
  end)

  it("requestCert = \"optional\" lets in all, and tells who is known", function()
    serve_file("server.pem", nil, { ca = file "root.pem", requestCert = "optional" })
    opens(with(client))
    opens()
    opens { cert = file "client_unknown.pem", key = file "leaf.key" }
    wait_until(function() return #told == 3 end)
    local peers = {}
    for i, entry in ipairs(told) do peers[i] = entry[2].tls.peer or "nobody" end
    assert.same({ "CN=client", "nobody", "nobody" }, peers)
  end)

  -- ------------------------------------------------------- sni, setTLS

  it("sni chooses the certificate by the name that is asked for", function()
    serve_file("server.pem", nil, { sni = {
      ["a.test"] = { cert = file "a.pem", key = file "leaf.key" },
      ["*.a.test"] = { cert = file "wild.pem", key = file "leaf.key" },
    } })
    for name, subject in pairs {
      ["a.test"] = "CN=a", ["A.Test"] = "CN=a", ["x.a.test"] = "CN=wild",
      ["ws.test"] = "CN=localhost",
    } do
      assert.equal(subject, opens({ servername = name }).tls.peer)
    end
    fails { servername = "b.test" }
    assert.equal("CN=localhost", opens(nil, "127.0.0.1").tls.peer) -- asks for no name
  end)

  it("sni hands on the outer options", function()
    serve_file("server.pem", nil, { ca = file "root.pem", requestCert = true, sni = {
      ["a.test"] = { cert = file "a.pem", key = file "leaf.key" } } })
    fails { servername = "a.test" }
    local tls = with(client)
    tls.servername = "a.test"
    opens(tls)
  end)

  it("sni takes names, with options that have no names of their own", function()
    local own = { cert = file "a.pem", key = file "leaf.key" }
    local outer = { cert = file "server.pem", key = file "leaf.key" }
    for _, wrong in ipairs { { [true] = own }, { own } } do
      outer.sni = wrong
      helper.raised_there("TypeError", function() ws.serve { tls = outer } end)
    end
    own.sni = { ["b.test"] = { cert = file "b.pem", key = file "leaf.key" } }
    outer.sni = { ["a.test"] = own }
    assert.matches("sni 'a.test': unknown option 'sni'",
      raised(function() ws.serve { tls = outer } end))
    outer.cert, own.cert = file "no such.pem", nil -- mistakes are told before any file's failure
    assert.matches("unknown option 'sni'", raised(function() ws.serve { tls = outer } end))
    own.sni = nil
    assert.matches("sni 'a.test': cert is missing", raised(function() ws.serve { tls = outer } end))
  end)

  it("setTLS: new connections get the new certificate, open ones stay", function()
    serve_file "a.pem"
    local first, log = opens { servername = "a.test" }
    assert.is_true(server:setTLS { cert = file "b.pem", key = file "leaf.key" })
    local second = opens { servername = "b.test" }
    assert.same({ "CN=a", "CN=b" }, { first.tls.peer, second.tls.peer })
    fails { servername = "a.test" }
    first:send("still here")
    wait_until(function() return log[2] end)
    assert.equal("still here", log[2][2].data)
  end)

  it("setTLS raises for no options at all, and where there was no TLS", function()
    serve_file "a.pem"
    for _, wrong in ipairs { false, 5 } do
      helper.raised_there("TypeError", function() server:setTLS(wrong or nil) end)
    end
    local plain = assert(ws.serve { port = 0 })
    helper.raised_there("InvalidStateError", function() plain:setTLS { cert = "", key = "" } end)
    plain:close()
  end)

  it("setTLS that fails changes nothing", function()
    serve_file "a.pem"
    for _, bad in ipairs { { cert = file "b.pem", key = file "other.key" },
                           { cert = file "garbage.pem", key = file "leaf.key" },
                           { cert = file "no such.pem" } } do
      local ok, message, code = server:setTLS(bad)
      assert.same({ nil, "ETLS" }, { ok, code })
      assert.is_string(message)
    end
    assert.matches("tls_spec.lua:%d+: TypeError: .*cret", raised(function()
      server:setTLS { cret = "x" }
    end))
    opens { servername = "a.test" }
  end)

  -- ---------------------------------------------------------- the options

  it("a server's files that cannot be used are nil, message, ETLS", function()
    for name, words in pairs { ["no such.pem"] = "no such", ["empty.pem"] = "empty",
                               ["garbage.pem"] = "garbage", ["broken.pem"] = "broken" } do
      local none, message, code = ws.serve { port = 0,
        tls = { cert = file(name), key = file "leaf.key" } }
      assert.same({ nil, "ETLS" }, { none, code })
      assert.matches(words, message)
    end
    local none, message = ws.serve { port = 0, tls = { cert = file "server.pem",
      key = file "leaf.key", sni = { ["a.test"] = { cert = file "empty.pem" } } } }
    assert.is_nil(none)
    assert.matches("a%.test", message)
  end)

  it("wrong options raise at the caller's line", function()
    for pattern, tls in pairs {
      ["cert is missing"] = {}, ["option 'cert'"] = { cert = 5 },
      ["option 'minVersion'"] = { minVersion = "TLSv1" },
      ["option 'requestCert'"] = { requestCert = "maybe" }, ["'verfiy'"] = { verfiy = true },
      ["option 'ca'"] = { cert = file "server.pem", key = file "leaf.key", ca = "" },
      ["requestCert needs ca"] = { cert = file "server.pem", key = file "leaf.key",
        requestCert = "optional" },
      ["'crt'"] = { cert = file "server.pem", key = file "leaf.key", sni = { a = { crt = "" } } },
    } do
      assert.matches("tls_spec.lua:%d+: TypeError: .*" .. pattern,
        raised(function() ws.serve { port = 0, tls = tls } end))
    end
    for pattern, tls in pairs {
      ["no such"] = { ca = file "no such.pem" }, ["pin"] = { pin = "abc" },
      ["key"] = { key = file "leaf.key" }, ["ciphers"] = { ciphers = "NO-SUCH" },
      ["option 'verify'"] = { verify = 1 }, ["'certificate'"] = { certificate = "x" },
    } do
      assert.matches("tls_spec.lua:%d+: TypeError: .*" .. pattern,
        raised(function() ws.new("wss://localhost:1/", { tls = tls }) end))
    end
  end)
end)
