-- SPDX-License-Identifier: MIT
-- The module ws.core as a whole (csrc/lua/lua_core.c): its contents, loading it, and
-- the four tables through which lua/ws adds to connections.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("ws.core", function()
  it("holds these names and no others", function()
    local names = {}
    for name in pairs(core) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "VERSION", "base64", "connection", "failAllocation", "handlers", "headerValueOk",
                  "isToken", "isTold", "live", "loop", "mask", "now", "ownsHeader", "reasonPhrase",
                  "session", "sha1", "tls", "url", "validUtf8" }, names)
  end)

  it("tells a time that does not go back, with a fraction", function()
    local last, fraction = core.now(), false
    for _ = 1, 1000 do
      local now = core.now()
      assert.is_true(now >= last)
      fraction = fraction or now % 1 ~= 0
      last = now
    end
    assert.is_true(fraction)
  end)

  it("sets no global, opens nothing, and loads twice into one state", function()
    local code, output = turning.child [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      local core = require "ws.core"
      assert(core.live() == 0)
      for name in pairs(_G) do assert(before[name], name) end
      local loop = core.loop()
      local handlers = core.handlers { message = function(conn, data) conn:send(data) end }
      local server = loop:listen { host = "127.0.0.1", port = 0, handlers = handlers }
      local got
      local conn = loop:connect { url = "ws://127.0.0.1:" .. server:port(),
        handlers = core.handlers { open = function(conn) conn:send "x" end,
                                   message = function(_, data) got = data end } }
      package.loaded["ws.core"] = nil
      local again = require "ws.core"
      assert(again ~= core)
      again.connection.getters.added = function() return "here" end
      for _ = 1, 100 do
        if got then break end
        loop:turn(10)
      end
      assert(got == "x")
      assert(conn.readyState == 1)
      local other = again.loop()
      other:connect { url = "ws://127.0.0.1:" .. server:port(), handlers = handlers }
      again.loop():listen { host = "127.0.0.1", port = 0, handlers = again.handlers {} }
      other:turn(5)]]
    assert.equal("", output)
    assert.equal(0, code)
  end)

  it("lives in a coroutine's require, too", function()
    local code, output = turning.child [[
      local core, loop
      local co = coroutine.create(function()
        core = require "ws.core"
        loop = core.loop()
        loop:timer(0, true, function() error "each time" end)
        loop:onError(function(message) loop.last = nil end)
      end)
      assert(coroutine.resume(co))
      co = nil
      collectgarbage() collectgarbage()
      for _ = 1, 3 do pcall(loop.turn, loop, 5) end]]
    assert.equal("", output)
    assert.equal(0, code)
  end)
end)

describe("core.connection", function()
  local connection = core.connection
  local party, conn
  before_each(function()
    party = turning.party()
    conn = party.client()
  end)
  after_each(function()
    for _, name in ipairs { "methods", "getters", "setters" } do
      connection[name].extra = nil
    end
    party.finish()
  end)

  it("is four tables", function()
    assert.is_table(connection.methods)
    assert.is_table(connection.getters)
    assert.is_table(connection.setters)
    assert.is_function(connection.internals.state)
    assert.is_function(connection.methods.send)
    assert.is_function(connection.getters.readyState)
  end)

  it("takes methods, constants, getters and setters at any time", function()
    assert.is_nil(conn.extra)
    connection.methods.extra = 5
    assert.equal(5, conn.extra)
    assert.error_matches(function() conn.extra = 1 end, "TypeError: cannot assign to 'extra'")
    connection.methods.extra = nil
    local seen
    connection.getters.extra = function(self) return self == conn and "got" end
    connection.setters.extra = function(self, value) seen = { self, value } return "ignored" end
    assert.equal("got", conn.extra)
    conn.extra = nil
    assert.same({ conn, nil }, seen)
    conn.extra = 7
    assert.equal(7, seen[2])
  end)

  it("passes on what a getter or setter raises, and lets them yield nothing", function()
    connection.getters.extra = function() error("from within", 0) end
    connection.setters.extra = function() error({ 1 }, 0) end
    assert.equal("from within", turning.raised(function() return conn.extra end))
    assert.same({ 1 }, turning.raised(function() conn.extra = 1 end))
    connection.getters.extra = function() return coroutine.yield() end
    local co = coroutine.create(function() return conn.extra end)
    local ok, message = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("yield", message)
    connection.getters.extra = function() collectgarbage() end
    assert.is_nil(conn.extra)
    connection.getters.extra = 5 -- not callable
    assert.has_error(function() return conn.extra end)
  end)

  it("has keys of any type looked up safely", function()
    for _, key in ipairs { 5, 1.5, true, {}, print, conn, 0 / 0, "", "a\0b" } do
      assert.is_nil(conn[key])
      assert.error_matches(function() conn[key] = 1 end, "TypeError: cannot assign to")
    end
  end)

  it("gives methods that know a wrong self by themselves", function()
    for name, getter in pairs(connection.getters) do
      for _, wrong in ipairs { {}, "x", 5, io.stdout, party.loop, party.server } do
        assert.error_matches(function() getter(wrong) end, "TypeError: a WebSocket expected", name)
      end
      assert.has_error(function() getter() end)
    end
  end)
end)
