-- SPDX-License-Identifier: MIT
-- What the constructor and close() accept. Nothing here touches the network.

local arguments = require "ws.arguments"
local helper = require "spec.helper"
local ws = require "ws"

local raised = helper.raised

-- The normalised URL, by a socket that never connects.
local function url_of(text, ...)
  local sock = ws.new(text, ...)
  local url = sock.url
  sock:terminate()
  return url
end

local function syntax_error(...)
  local list = { ... }
  for _, text in ipairs(list) do
    local message = raised(ws.new, text)
    assert.matches("SyntaxError: ", message, nil, ("for %q"):format(text))
  end
end

describe("the URL", function()
  after_each(function() helper.settle() end)

  it("S1 is required, S2 is converted to a string", function()
    assert.matches("TypeError: ", raised(ws.new))
    assert.matches("TypeError: ", raised(ws.new, {}))
    assert.matches("TypeError: ", raised(ws.new, true))
    assert.matches("SyntaxError: ", raised(ws.new, 42))
    local object = setmetatable({}, { __tostring = function() return "ws://h/x" end })
    assert.equal("ws://h/x", url_of(object))
  end)

  it("S3 is absolute", function()
    syntax_error("", "test", "?", "/x", "//h/x", "#t", "ws://", "ws://a b/")
  end)

  it("S4 may be http or https, S5 nothing else", function()
    assert.equal("ws://h/a", url_of "http://h/a")
    assert.equal("wss://h/a", url_of "https://h/a")
    syntax_error("ftp://h/", "mailto:a@b", "about:blank", "file:///x", "data:,x", "blob:x")
  end)

  it("S6 has no fragment", function()
    syntax_error("ws://h/#", "ws://h/#x", "ws://h#")
    assert.equal("ws://h/%23", url_of "ws://h/%23")
  end)

  it("S7 is checked at once: no object, no events", function()
    local before = ws.nextTimeout()
    syntax_error "ws://h/#x"
    assert.equal(before, ws.nextTimeout())
  end)

  it("S8 is checked before the protocols", function()
    assert.matches("fragment", raised(ws.new, "ws://h/#x", ""))
    assert.matches("fragment", raised(ws.new, "ws://h/#x", nil, { nonsense = 1 }))
    assert.matches("subprotocol", raised(ws.new, "ws://h/", ""))
    assert.matches("URL", raised(ws.new, "ftp://h/#x", ""))
  end)

  it("S9 is followed by protocols and options; what comes after is ignored", function()
    assert.equal("ws://h/", url_of("ws://h/", nil, nil, "more", 5))
  end)

  it("S10 has scheme and host in lower case", function()
    assert.equal("ws://example.com/A", url_of "WS://EXAMPLE.com/A")
    assert.equal("ws://example.com/", url_of "ws://ex%61mple.com/")
    syntax_error "ws://天気.example/" -- there is no IDNA here
  end)

  it("S11 loses a default port, S12 has none above 65535", function()
    assert.equal("ws://h/", url_of "ws://h:80/")
    assert.equal("wss://h/", url_of "wss://h:443/")
    assert.equal("ws://h:443/", url_of "ws://h:443/")
    assert.equal("ws://h:81/", url_of "ws://h:0081/")
    assert.equal("ws://h/", url_of "ws://h:/")
    assert.equal("ws://h:65535/", url_of "ws://h:65535/")
    assert.equal("ws://h:0/", url_of "ws://h:0/")
    syntax_error("ws://h:65536/", "ws://h:8a/", "ws://h:+80/", "ws://h:80:80/")
  end)

  it("S13 needs no two slashes", function()
    for _, text in ipairs { "ws:h/x", "ws:/h/x", "ws:///h/x", "ws:\\\\h\\x" } do
      assert.equal("ws://h/x", url_of(text))
    end
  end)

  it("S14 has a path, without dots", function()
    assert.equal("ws://h/?x", url_of "ws://h?x")
    assert.equal("ws://h/b/c", url_of "ws://h/a/../b/./c")
    assert.equal("ws://h/b", url_of "ws://h/a/%2e%2E/b")
  end)

  it("S15 is cut and cleaned of control characters", function()
    assert.equal("ws://h/", url_of " ws://h/ ")
    assert.equal("ws://h/ab", url_of "\1ws:\n//h\t/a\rb\0")
    assert.equal("ws://h/?x%00y", url_of "ws://h/?x\0y\0")
    syntax_error "ws://h\0/"
  end)

  it("S16 is percent-encoded", function()
    assert.equal("ws://h/%20%22%3C%3E%60%7B%7D%5E%7F%C3%A9", url_of "ws://h/ \"<>`{}^\127é")
    assert.equal("ws://h/?%20%22%3C%3E%27`{}%C3%A9", url_of "ws://h/? \"<>'`{}é")
    assert.equal("ws://h/|[]%zz%41", url_of "ws://h/|[]%zz%41")
  end)

  it("S17 keeps user and password", function()
    assert.equal("ws://u:p@h/", url_of "ws://u:p@h/")
  end)

  it("S18 has addresses in one form", function()
    assert.equal("ws://127.0.0.1/", url_of "ws://127.1/")
    assert.equal("ws://127.0.0.1/", url_of "ws://0x7f.1/")
    assert.equal("ws://[::1]/", url_of "ws://[0:0::1]/")
    syntax_error("ws://256.256.256.256/", "ws://1.2.3.4.5/", "ws://[::1/", "ws://[1::2::3]/")
  end)

  it("S19 has a host of good characters", function()
    syntax_error("ws://", "ws://:80/", "ws://u@/", "ws://a b/", "ws://a%20b/", "ws://a%00b/",
      "ws://a<b/", "ws://a|b/")
  end)

  it("S20 is the serialised one, for life", function()
    local sock = ws.new "HTTP://User@LOCALHOST:1/a/.."
    assert.equal("ws://User@localhost:1/", sock.url)
    sock:close()
    helper.closed(sock)
    assert.equal("ws://User@localhost:1/", sock.url)
  end)

end)

describe("errors of the constructor carry the caller's line", function()
  local raised_there = helper.raised_there

  -- Every way to open a socket, with the same arguments.
  local doors = {
    new = function(name, ...)
      local a, b, c = ...
      return raised_there(name, function() ws.new(a, b, c) end)
    end,
    call = function(name, ...)
      local a, b, c = ...
      return raised_there(name, function() ws(a, b, c) end)
    end,
    WebSocket = function(name, ...)
      local a, b, c = ...
      return raised_there(name, function() ws.WebSocket(a, b, c) end)
    end,
    connect = function(name, ...)
      local a, b, c = ...
      return raised_there(name, function() ws.connect(a, b, c) end)
    end,
    ["connect in a task"] = function(name, ...)
      local a, b, c = ...
      local message
      ws.spawn(function()
        message = raised_there(name, function() ws.connect(a, b, c) end)
      end)
      return assert(message)
    end,
  }

  for door, enter in pairs(doors) do
    it("by " .. door, function()
      enter("TypeError")
      enter("TypeError", {})
      assert.matches("'ftp://h/'", enter("SyntaxError", "ftp://h/"))
      enter("SyntaxError", "ws://h/#")
      assert.matches("'a b'", enter("SyntaxError", "ws://h/", "a b"))
      assert.matches("twice", enter("SyntaxError", "ws://h/", { "a", "a" }))
      enter("TypeError", "ws://h/", { {} })
      enter("TypeError", "ws://h/", nil, 5)
      assert.matches("did you mean 'maxPayload'",
        enter("TypeError", "ws://h/", nil, { maxpayload = 5 }))
      enter("TypeError", "ws://h/", { timeout = "5" })
      enter("SyntaxError", "ws://h/", { protocols = "" })
      enter("TypeError", "ws://h/", { headers = { Host = "x" } })
      enter("TypeError", "ws://h/", { headers = { ["X-A"] = { "a\nb" } } })
    end)
  end
end)

describe("the protocols", function()
  after_each(function() helper.settle() end)

  local function accepted(protocols) return arguments.protocols(protocols, 1) end
  local function refused(protocols, name)
    assert.matches((name or "SyntaxError") .. ": ", raised(ws.new, "ws://h/", protocols))
  end

  it("S24 may be left out or empty", function()
    assert.same({}, accepted(nil))
    assert.same({}, accepted {})
    ws.new("ws://h/", {}):terminate()
  end)

  it("S25 may be one string, but not an empty one", function()
    assert.same({ "chat" }, accepted "chat")
    refused ""
    refused { "" }
  end)

  it("S26 are tokens", function()
    for _, bad in ipairs { "a b", "a,b", "/a", "a\0", "a\127", "a\128", "é", "(a)", "a\t", '"' } do
      refused(bad)
    end
    assert.same({ "azAZ09!#$%&'*+-.^_`|~" }, accepted "azAZ09!#$%&'*+-.^_`|~")
    for byte = 0, 255 do
      local char = string.char(byte)
      local token = byte > 32 and byte < 127 and not ('()<>@,;:\\"/[]?={}'):find(char, 1, true)
      if token then assert.same({ char }, accepted(char)) else refused(char) end
    end
  end)

  it("S27 are each there once, compared exactly", function()
    refused { "a", "a" }
    refused { "a", "b", "a" }
    assert.same({ "a", "A" }, accepted { "a", "A" }) -- X1
  end)

  it("S29 are converted to strings", function()
    assert.same({ "1", "2" }, accepted { 1, 2 })
    refused({ {} }, "TypeError")
    refused({ true }, "TypeError")
    refused(true, "TypeError")
  end)

  it("S30 are checked against no server here", function()
    ws.new("ws://h/", "nobody.has.this"):terminate()
  end)

  it("may be in the options, which may stand in their place (X14)", function()
    refused({ "a", nil, "b" }, "TypeError")
    refused({ [0] = "a" }, "TypeError")
    ws.new("ws://h/", { protocols = { "a", "b" }, timeout = 5 }):terminate()
    assert.matches("SyntaxError", raised(ws.new, "ws://h/", { protocols = "a b" }))
    assert.matches("SyntaxError", raised(ws.new, "ws://h/", nil, { protocols = { "a", "a" } }))
  end)

  it("are given once: nothing is silently left out", function()
    for _, first in ipairs { "a", { "a" } } do
      local message = helper.raised_there("TypeError",
        function() ws.new("ws://h/", first, { protocols = "b" }):close() end)
      assert.matches("protocols: given twice", message)
    end
    assert.matches("options: given twice", helper.raised_there("TypeError",
      function() ws.new("ws://h/", { timeout = 5 }, { timeout = 6 }):close() end))
    helper.raised_there("TypeError",
      function() ws("ws://h/", "a", { protocols = "b" }):close() end)
    helper.raised_there("TypeError",
      function() assert(ws.connect("ws://h/", "a", { protocols = "b" })) end)
    ws.new("ws://h/", {}, { protocols = "b" }):terminate() -- an empty list is none
  end)
end)

describe("close's arguments", function()
  local sock
  before_each(function() sock = ws.new "ws://h/" end)
  after_each(function()
    sock:terminate()
    helper.settle()
  end)

  local function refused(name, ...)
    local message = raised(sock.close, sock, ...)
    assert.matches(name .. ": ", message)
    assert.equal(0, sock.readyState)
  end

  it("S113 S115 the code is 1000 or 3000 to 4999, whole", function()
    for _, code in ipairs { 0, 999, 1001, 1005, 1006, 1015, 2999, 5000, -1, 66536, 0 / 0, 1 / 0,
      -1 / 0, 65535, 999.5, 1000.4, 1000.5, 2999.5, 3000.1, 4999.5, "3000.5", "", "1001" } do
      refused("InvalidAccessError", code)
    end
    for code = 1001, 1015 do refused("InvalidAccessError", code) end
    for _, code in ipairs { 1000, 3000, 4999, "1000", 1000.0, "3000" } do
      assert.equal(tonumber(code), arguments.code(code, false, 1))
    end
    for _, code in ipairs { 1001, 1003, 1007, 1011, 1014 } do -- R34
      assert.equal(code, arguments.code(code, true, 1))
    end
    for _, code in ipairs { 1004, 1005, 1006, 1010, 1015 } do
      assert.is_false((pcall(arguments.code, code, true, 1)))
    end
  end)

  it("R34 says which codes there are, a server's too", function()
    assert.matches("must be 1000 or 3000 to 4999, got 1001",
      raised(sock.close, sock, 1001), 1, true)
    assert.matches("must be 1000, 1001, 1003, 1007 to 1009, 1011 to 1014 or 3000 to 4999, got 'x'",
      raised(arguments.code, "x", true, 1), 1, true)
  end)

  it("S116 the code is checked first, S118 a text is no code", function()
    refused("InvalidAccessError", 999, ("x"):rep(124))
    refused("InvalidAccessError", "bye")
    refused("InvalidAccessError", true)
    refused("InvalidAccessError", {})
  end)

  it("S117 the reason has at most 123 bytes of UTF-8", function()
    refused("SyntaxError", 1000, ("x"):rep(124))
    refused("SyntaxError", 1000, ("é"):rep(62))
    refused("TypeError", 1000, "\255")
    refused("TypeError", 1000, {})
    assert.equal(("x"):rep(123), arguments.reason(("x"):rep(123), 1))
    assert.equal("5", arguments.reason(5, 1))
  end)

  it("S124 it returns nothing", function()
    assert.equal(0, select("#", sock:close()))
    assert.equal(0, select("#", sock:close(1000, "again")))
  end)

  it("errors carry the caller's line", function()
    local there = helper.raised_there
    there("InvalidAccessError", function() sock:close(999) end)
    there("SyntaxError", function() sock:close(1000, ("x"):rep(124)) end)
    there("TypeError", function() sock:close(1000, {}) end)
    there("TypeError", function() sock:close(1000, "\255") end)
    there("TypeError", function() sock.close({}) end)
    there("TypeError", function() sock.close() end)
  end)
end)
