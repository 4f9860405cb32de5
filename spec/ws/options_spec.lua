-- SPDX-License-Identifier: MIT
-- Checking tables of options and headers, and that errors name the caller's line.

local helper = require "spec.helper"
local options = require "ws.options"
local ws = require "ws"

local raised = helper.raised

describe("options.check", function()
  local schema = { size = "size", name = "string", either = "string|table", any = "any",
    call = "callable", odd = function(v) return v == 1, "the number 1" end }

  it("copies what fits", function()
    local given = { size = 5, name = "x", either = {}, any = false, odd = 1 }
    local checked = options.check(given, schema, 1)
    assert.same(given, checked)
    assert.are_not.equal(given, checked)
    assert.same({}, options.check(nil, schema, 1))
  end)

  it("names the option and what was expected", function()
    local function check(given) return function() options.check(given, schema, 1) end end
    assert.matches("option 'name': string expected, got table", raised(check { name = {} }))
    assert.matches("option 'either': string or table expected", raised(check { either = 5 }))
    assert.matches("option 'odd': the number 1 expected, got 2", raised(check { odd = 2 }))
    for _, value in ipairs { -1, 1.5, 0 / 0, 1 / 0, 2 ^ 53, "5", true } do
      assert.matches("option 'size': a whole number", raised(check { size = value }))
    end
    assert.matches("option 'call'", raised(check { call = {} }))
    assert.matches("a table of options expected, got string", raised(check "x"))
  end)

  it("shows what is short, as it would be written", function()
    local function got(value)
      return raised(function() options.check({ odd = value }, schema, 1) end):match ", got (.*)"
    end
    assert.same({ "'5s'", "2.5", "true", "table", "string", "string" },
      { got "5s", got(2.5), got(true), got {}, got(("x"):rep(17)), got "a\nb" })
  end)

  it("refuses names it does not know, and guesses which was meant", function()
    assert.matches("unknown option 'siez'$", raised(options.check, { siez = 1 }, schema, 1))
    assert.matches("unknown option 'SIZE' %(did you mean 'size'%?%)",
      raised(options.check, { SIZE = 1 }, schema, 1))
    assert.matches("unknown option 'max_size' %(did you mean 'maxSize'%?%)",
      raised(options.check, { max_size = 1 }, { maxSize = "size" }, 1))
    assert.matches("unknown option '1'", raised(options.check, { "x" }, schema, 1))
  end)

  it("guesses by likeness: letters swapped, missing or added, parts of names", function()
    local names = { headers = "any", protocols = "any", maxPayload = "any", message = "any",
      open = "any", host = "any", timeout = "any", closeTimeout = "any", compression = "any",
      ca = "any", cert = "any" }
    for wrong, right in pairs {
      header = "headers", maxPaylaod = "maxPayload", ["max-payload"] = "maxPayload",
      onmessage = "message", onopen = "open", hostname = "host", connectTimeout = "timeout",
      close_timeout = "closeTimeout", subprotocols = "protocols", compress = "compression",
      certificate = "cert",
    } do
      local message = raised(options.check, { [wrong] = 1 }, names, 1)
      assert.matches("did you mean '" .. right .. "'", message, nil, wrong)
    end
    for _, strange in ipairs { "nonsense", "x", "", ("timeout"):rep(1000) } do
      assert.matches("unknown option '" .. strange .. "'$",
        raised(options.check, { [strange] = 1 }, names, 1))
    end
  end)

  it("says what the options are of", function()
    assert.matches("tls: unknown option 'x'", raised(options.check, { x = 1 }, schema, 1, "tls"))
    assert.matches("tls: option 'size'", raised(options.check, { size = "" }, schema, 1, "tls"))
    assert.matches("tls: a table of options", raised(options.check, 5, schema, 1, "tls"))
  end)

  it("knows what can be called", function()
    local callable = setmetatable({}, { __call = function() end })
    assert.is_true(options.is_callable(print))
    assert.is_true(options.is_callable(callable))
    for _, value in ipairs { {}, "x", 5, true } do
      assert.is_false(options.is_callable(value))
    end
    assert.is_false(options.is_callable(nil))
    options.check({ call = callable }, schema, 1)
  end)
end)

describe("options.flat_headers", function()
  local function flat(headers, owned) return options.flat_headers(headers, 1, owned) end

  it("makes pairs, one for each value", function()
    assert.same({}, flat(nil))
    assert.same({ "A", "b" }, flat { A = "b" })
    assert.same({ "A", "1", "A", "2" }, flat { A = { 1, "2" } })
    assert.same({ "A", "" }, flat { A = "" })
  end)

  it("refuses names that are none and values that cannot be", function()
    for _, name in ipairs { "", "a b", "a:", "a\r\nb", "é" } do
      assert.matches("is not a header name", raised(flat, { [name] = "x" }))
    end
    assert.matches("is not a header name", raised(flat, { "x" }))
    for _, value in ipairs { "a\r\nb: c", "a\nb", "a\0b", "a\127" } do
      assert.matches("control character", raised(flat, { A = value }))
      assert.matches("control character", raised(flat, { A = { "ok", value } }))
    end
    for _, value in ipairs { true, print } do
      assert.matches("a string expected", raised(flat, { A = value }))
    end
    assert.matches("a table expected", raised(flat, "A: b"))
    for _, list in ipairs { { a = "1" }, { "1", nil, "3" }, { "1", b = "2" } } do
      assert.matches("'A': a string or a list of strings", raised(flat, { A = list }))
    end
  end)

  it("refuses what is not the user's to say", function()
    for _, name in ipairs { "Host", "upgrade", "CONNECTION", "Sec-WebSocket-Key",
      "Content-Length", "Transfer-Encoding" } do
      assert.matches("written by this library", raised(flat, { [name] = "x" }))
    end
    assert.same({ "Host", "x" }, flat({ Host = "x" }, { connection = true }))
    assert.matches("written by", raised(flat, { Connection = "x" }, { connection = true }))
  end)
end)

describe("whose line it is", function()
  it("raise counts levels from its caller", function()
    local function inner() options.raise("TypeError", "message", 2) end
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, message = pcall(function() inner() end)
    assert.is_false(ok)
    assert.matches("options_spec.lua:" .. line .. ": TypeError: message", message)
  end)

  it("blame hands results on and puts the caller's line to errors", function()
    assert.same({ 1, 2, 3 }, { options.blame(1, function() return 1, 2, 3 end) })
    local function call() options.blame(2, error, "TypeError: it", 0) end
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, message = pcall(function() call() end)
    assert.is_false(ok)
    assert.matches("options_spec.lua:" .. line .. ": TypeError: it", message)
  end)

  -- What fn(...) raises when pcall calls it directly has to begin with our line.
  local function check_line(name, fn, ...)
    local line = debug.getinfo(1, "l").currentline + 1
    local _, message = pcall(fn, ...)
    local start = ("options_spec.lua:%d: %s: "):format(line, name)
    assert.matches(start, message, 1, true)
  end

  it("is the nearest one when pcall itself is the caller, or a tail call", function()
    local server = assert(ws.serve { port = 0 })
    local sock = ws.new("ws://127.0.0.1:" .. server.port)
    check_line("SyntaxError", ws.new, "")
    check_line("SyntaxError", ws, "")
    check_line("SyntaxError", ws.connect, "")
    check_line("SyntaxError", function() return ws.new "" end)
    check_line("TypeError", ws.new, sock.url, nil, { nonsense = 1 })
    check_line("InvalidStateError", sock.send, sock, "early")
    check_line("InvalidAccessError", sock.close, sock, 999)
    check_line("TypeError", ws.serve, { port = -1 })
    check_line("TypeError", server.publish, server, "topic")
    check_line("TypeError", ws.setTimeout)
    check_line("TypeError", ws.Event)
    check_line("TypeError", ws.protocol.client, { url = "ws://h/", headers = { a = true } })
    check_line("InvalidStateError", ws.protocol.server().ping, ws.protocol.server())
    sock:terminate()
    helper.closed(sock)
    helper.close_server(server)
  end)

  it("an object that the caller's own code raised stays as it is", function()
    local thrown = {}
    local _, got = pcall(options.blame, 1, function() error(thrown) end)
    assert.equal(thrown, got)
  end)
end)
