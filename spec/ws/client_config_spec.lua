-- SPDX-License-Identifier: MIT
-- A client's options: API.md section 1, each with its wrong values.

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
      followRedirects = 8 }
    assert.same({ timeout = 1, closeTimeout = 2, maxPayload = 3, pingInterval = 4,
      pingTimeout = 5, highWaterMark = 7, lowWaterMark = 6, noDelay = false, family = 6,
      origin = "http://o", headers = { "A", "b" }, unixPath = "/run/x",
      redirects = 8, tls = made.tls }, made)
    assert.is_userdata(made.tls) -- a redirect may lead to wss
  end)

  it("have the types the API says", function()
    local wrong = { headers = "x", origin = 5, timeout = -1, closeTimeout = "1", tls = true,
      proxy = {}, compression = 5, maxPayload = 1.5, pingInterval = false, pingTimeout = "x",
      highWaterMark = -1, lowWaterMark = {}, followRedirects = -1, noDelay = 1, family = 5,
      path = 5, message = "x", open = {}, timeot = 5 }
    for name, value in pairs(wrong) do
      local message = helper.raised(function() ws.new("ws://h/", nil, { [name] = value }) end)
      assert.matches("client_config_spec.lua:%d+: TypeError: .*'" .. name .. "'", message)
    end
  end)

  it("fit together", function()
    assert.matches("lowWaterMark' is above", helper.raised(config,
      { lowWaterMark = 11, highWaterMark = 10 }))
    config { lowWaterMark = 10, highWaterMark = 10 }
    assert.matches("origin'", helper.raised(config, { origin = "http://o\r\nX: y" }))
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
    helper.wait_until(function() return sock.readyState == 3 end)
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
      assert.matches("TypeError: .*'" .. name .. "'",
        helper.raised(config, { tls = { [name] = value } }, "wss://h/"))
    end
    for name, value in pairs { ca = "/no/such/file", cert = "/no/such/file", pin = "xyz",
      ciphers = "no-such-cipher" } do
      assert.matches("TypeError: option 'tls'",
        helper.raised(config, { tls = { [name] = value } }, "wss://h/"))
    end
  end)
end)
