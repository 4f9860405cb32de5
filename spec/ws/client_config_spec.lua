-- SPDX-License-Identifier: MIT
-- A client's options, with right and wrong values.

local client_config = require "ws.client_config"
local core = require "ws.core"
local helper = require "spec.helper"
local ws = require "ws"

local function config(given, url)
  return client_config(given, core.url(url or "ws://h/"), 1)
end

describe("a client's options", function()
  it("all are optional", function()
    local made, raw = config(nil)
    assert.is_nil(raw)
    assert.same({}, made.headers)
    assert.is_nil(made.tls)
    assert.is_table(made.deflate)
  end)

  it("go to the core under its names", function()
    local made = config { timeout = 1, closeTimeout = 2, maxPayload = 3, pingInterval = 4,
      pingTimeout = 5, highWaterMark = 7, lowWaterMark = 6, noDelay = false, family = 6,
      origin = "http://o", headers = { A = "b" }, path = "/run/x", compression = false,
      followRedirects = 8, anyPort = true, parallel = true }
    assert.same({ timeout = 1, closeTimeout = 2, maxPayload = 3, pingInterval = 4,
      pingTimeout = 5, highWaterMark = 7, lowWaterMark = 6, noDelay = false, family = 6,
      origin = "http://o", headers = { "A", "b" }, unixPath = "/run/x",
      redirects = 8, tls = made.tls, blockPorts = false, parallel = true },
      made)
    assert.is_userdata(made.tls) -- a redirect may lead to wss
    assert.is_true(config {}.blockPorts)
  end)

  it("have the types and ranges the API says, else the caller's line", function()
    local no_size = { -1, 1.5, 0 / 0, 1 / 0, 2 ^ 53, "5", true, {} }
    local no_text, no_flag = { 5, true, {}, print }, { 0, "yes", {} }
    local wrong = { headers = { "x", 5, true }, origin = no_text, path = no_text,
      timeout = no_size, closeTimeout = no_size, maxPayload = no_size, pingInterval = no_size,
      pingTimeout = no_size, highWaterMark = no_size, lowWaterMark = no_size,
      followRedirects = no_size, noDelay = no_flag, anyPort = no_flag, parallel = no_flag,
      tls = { true, "x", 5 },
      proxy = { {}, 5, true }, compression = { 5, "deflate" }, family = { 5, "4", true, 46 },
      open = { "x", {} }, message = { "x", 5 }, close = { true }, timeot = { 5 } }
    for name, values in pairs(wrong) do
      for _, value in ipairs(values) do
        local message = helper.raised_there("TypeError",
          function() ws.new("ws://h/", nil, { [name] = value }) end)
        assert.matches("option '" .. name .. "'", message)
      end
    end
  end)

  it("so have those inside them", function()
    for url, given in pairs {
      ["ws://h/1"] = { compression = { level = 10 } },
      ["ws://h/2"] = { compression = { clientMaxWindowBits = 16 } },
      ["ws://h/3"] = { compression = { serverMaxWindowBits = 7 } },
      ["ws://h/4"] = { compression = { threshold = -1 } },
      ["ws://h/5"] = { compression = { windowBits = 9 } },
      ["wss://h/6"] = { tls = { verify = "no" } }, ["wss://h/7"] = { tls = { pin = "xyz" } },
      ["wss://h/8"] = { tls = { ca = "/no/such" } }, ["wss://h/9"] = { tls = { requestCert = 1 } },
      ["ws://h/a"] = { headers = { ["a b"] = "" } }, ["ws://h/b"] = { origin = "a\nb" },
      ["ws://h/c"] = { lowWaterMark = 2000000 },
    } do
      helper.raised_there("TypeError", function() ws.new(url, nil, given) end)
      helper.raised_there("TypeError", function() ws.new(url, given) end)
    end
    helper.raised_there("SyntaxError", function() ws.new("ws://h/", nil, { proxy = "ftp://p" }) end)
  end)

  it("family chooses among a name's addresses", function()
    local server = helper.echo_server()
    local url = ("ws://localhost:%d/"):format(server.port)
    local sock = ws.new(url, nil, { family = 4 })
    helper.wait_until(function() return sock.readyState == 1 end)
    assert.equal("127.0.0.1", sock.remoteAddress)
    sock:terminate()
    local other, log = helper.recorded(ws.new(url, nil, { family = 6 }))
    helper.closed(other)
    assert.equal("error close", log.types())
    helper.wait_until(function() return server.connections == 0 end)
    server:close()
  end)

  it("fit together", function()
    assert.matches("lowWaterMark' is above", helper.raised(config,
      { lowWaterMark = 11, highWaterMark = 10 }))
    config { lowWaterMark = 10, highWaterMark = 10 }
    assert.matches("origin'", helper.raised(config, { origin = "http://o\r\nX: y" }))
    assert.matches("Origin is given twice", helper.raised(config,
      { origin = "http://a", headers = { ORIGIN = "http://b" } }))
    config { headers = { Origin = "http://b" } }
  end)

  it("may hold raw handlers, as a server's", function()
    local _, raw = config { message = print, close = print }
    assert.same({ message = print, close = print }, raw)
    local server, url = helper.echo_server()
    local log = {}
    local sock = ws.new(url, nil, {
      open = function(sock) sock:send "hi" end,
      message = function(sock, data, opcode)
        log[#log + 1] = { data, opcode }
        sock:close(3000, "x")
      end,
      close = function(_, code, reason, clean) log[#log + 1] = { code, reason, clean } end,
    })
    helper.closed(sock)
    assert.same({ { "hi", "text" }, { 3000, "x", true } }, log)
    server:close()
  end)

  it("tls: wss only, made once for all that read no file", function()
    assert.is_nil(config({ tls = {} }, "ws://h/").tls)
    local first, second = config(nil, "wss://h/"), config(nil, "wss://h/")
    assert.is_userdata(first.tls)
    assert.equal(first.tls, second.tls)
    assert.are_not.equal(first.tls, config({ tls = { verify = false } }, "wss://h/").tls)
    assert.equal("other", config({ tls = { servername = "other" } }, "wss://h/").servername)
    for name, value in pairs { ca = 5, cert = {}, verify = "no", pin = 5, minVersion = "TLSv1.0",
      servername = 5, ciphers = {}, requestCert = true } do
      for _, url in ipairs { "wss://h/", "ws://h/" } do
        assert.matches("TypeError: tls: .*'" .. name .. "'",
          helper.raised(config, { tls = { [name] = value } }, url))
      end
    end
    -- None of these may mean "not given": a program that asks for a pin relies on it.
    local pin = ("00"):rep(32)
    local wrong = { ca = { "" }, cert = { "" }, key = { "" }, pin = { {}, { sha256 = pin },
      { [0] = pin }, { [2] = pin }, { pin, nil, pin }, { pin, x = pin }, { pin, 5 } },
      servername = { "", "a b", "a\0b", ".a.test", "a..test", "a/b", "u@h", "h:1", "1.2.3" } }
    for name, values in pairs(wrong) do
      for _, value in ipairs(values) do
        assert.matches("TypeError: tls: option '" .. name .. "'",
          helper.raised(config, { tls = { [name] = value } }, "ws://h/"))
      end
    end
    for _, name in ipairs { "WS.test", "a_b", "127.0.0.1", "::1", "fe80::1", "ws.test." } do
      assert.equal(name, config({ tls = { servername = name } }, "wss://h/").servername)
    end
    for _, url in ipairs { "wss://.a.test/", "wss://a..test/" } do
      assert.matches("SyntaxError: .*" .. url, helper.raised(config, nil, url))
    end
    for name, value in pairs { ca = "/no/such/file", cert = "/no/such/file", pin = "xyz",
      ciphers = "no-such-cipher" } do
      assert.matches("TypeError: option 'tls'",
        helper.raised(config, { tls = { [name] = value } }, "wss://h/"))
    end
  end)
end)
