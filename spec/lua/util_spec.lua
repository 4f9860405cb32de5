-- SPDX-License-Identifier: MIT
-- What all types of ws.core share (csrc/lua/lua_util.c): the check of `self`, fields of
-- option tables, failures as values, opcodes. Tested through functions that use them.

local core = require "ws.core"
local turning = require "spec.lua.turning"

-- An object of every type, and the methods of its type.
local function all_objects(loop)
  local handlers = core.handlers {}
  local server, url = turning.server(loop)
  local conn = loop:connect { url = url, handlers = handlers }
  local list = {
    loop = { loop, { "turn", "turning", "thread", "alive", "timeout", "fd", "poller",
                     "onError", "close", "timer", "post", "connect", "listen" } },
    timer = { loop:timer(1e6, false, print), { "stop" } },
    server = { server, { "port", "host", "connections", "clients", "publish", "close",
                         "setTLS" } },
    tls = { assert(core.tls { verify = false }), { "addName" } },
    session = { core.session { role = "server" },
                { "feed", "next", "output", "send", "control", "close", "accept", "refuse",
                  "finish", "state", "endInput", "clean" } },
    connection = { conn, {} },
  }
  for name in pairs(core.connection.methods) do
    if type(core.connection.methods[name]) == "function" then
      table.insert(list.connection[2], name)
    end
  end
  return list, handlers
end

describe("self", function()
  local loop
  before_each(function() loop = turning.loop() end)
  after_each(function() loop:close() end)

  it("of another type is refused by every method of every type", function()
    local list, handlers = all_objects(loop)
    for name, entry in pairs(list) do
      local object, methods = entry[1], entry[2]
      for _, method in ipairs(methods) do
        local fn = object[method]
        assert.is_function(fn, name .. "." .. method)
        local wrong = turning.wrong_selves(handlers)
        for other, its in pairs(list) do
          if other ~= name then wrong[#wrong + 1] = its[1] end
        end
        for i = 0, #wrong do
          local ok, message = pcall(fn, wrong[i], "x", "x", "x")
          assert.is_false(ok, name .. "." .. method .. " took " .. tostring(wrong[i]))
          assert.matches("expected, got", message)
        end
      end
    end
  end)

  it("is missing: a TypeError, not a crash", function()
    for name, entry in pairs((all_objects(loop))) do
      for _, method in ipairs(entry[2]) do
        local ok, message = pcall(entry[1][method])
        assert.is_false(ok, name .. "." .. method)
        assert.matches("TypeError: .* expected, got no value", message)
      end
    end
  end)

  it("keeps its metatable to itself", function()
    for name, entry in pairs((all_objects(loop))) do
      assert.is_false(getmetatable(entry[1]), name)
      assert.is_false((pcall(setmetatable, entry[1], {})))
    end
  end)

  it("of a foreign userdata wearing the type's metatable is refused", function()
    if not debug then return end
    local list = all_objects(loop)
    for _, name in ipairs { "connection" } do
      local object = list[name][1]
      local forged = assert(io.tmpfile())
      local own = debug.getmetatable(forged)
      debug.setmetatable(forged, debug.getmetatable(object))
      for _, method in ipairs(list[name][2]) do
        assert.is_false((pcall(object[method], forged, "x")))
      end
      assert.is_false((pcall(tostring, forged)))
      debug.setmetatable(forged, own)
    end
  end)

  it("keeps names that error messages of Lua can use", function()
    if not tostring(loop):find("ws.loop", 1, true) then return end -- up to Lua 5.2
    for name, entry in pairs((all_objects(loop))) do
      assert.matches(name == "connection" and "^WebSocket" or "^ws%." .. name,
                     tostring(entry[1]))
    end
  end)
end)

describe("a finalizer called by hand, twice", function()
  it("closes the object, whose methods raise from then on", function()
    if not debug then return end
    local loop = turning.loop()
    local list = all_objects(loop)
    for _, name in ipairs { "connection", "server", "timer", "tls", "session", "loop" } do
      local object, methods = list[name][1], list[name][2]
      local finalizer = debug.getmetatable(object).__gc
      finalizer(object)
      finalizer(object)
      for _, method in ipairs(methods) do
        local ok = pcall(object[method], object, 1, "x", 1)
        local may = name == "timer" or name == "tls" or name == "loop" and method == "close"
        assert.is_true(may or not ok, name .. " " .. method)
      end
      pcall(tostring, object)
      pcall(finalizer)
      pcall(finalizer, {})
      pcall(finalizer, io.stdout)
    end
  end)
end)

describe("a finalizer called by hand in a handler", function()
  it("ends the connection at once: nothing more of the read is told", function()
    local party, told = nil, {}
    party = turning.party { handlers = core.handlers {
      message = function(conn, data)
        if party.calm then return conn:send(data) end
        told[#told + 1] = data
        debug.getmetatable(conn).__gc(conn)
      end,
    } }
    local conn, log = party.client()
    conn:send "1"
    conn:send "2"
    party.wait(function() return log.close end)
    assert.same({ "1" }, told)
    assert.same({}, party.errors)
    party.prove()
    party.finish()
  end)
end)

describe("a field of an option table", function()
  local loop, url
  before_each(function()
    loop = turning.loop()
    url = "ws://127.0.0.1:9/"
  end)
  after_each(function() loop:close() end)

  local function connect(name, value)
    return pcall(loop.connect, loop, { url = url, handlers = core.handlers {}, [name] = value })
  end

  it("of a wrong type raises a TypeError with its name", function()
    local wrong = {
      origin = { 5, true, {}, print }, servername = { 5, {} }, unixPath = { false, {} },
      timeout = { "5", -1, 1.5, 0 / 0, 1 / 0, -1 / 0, 1e300, true, {} },
      maxPayload = { -1, 2 ^ 54 }, noDelay = { 0, "true", {} },
      protocols = { 5, "chat", true }, deflate = {},
    }
    for name, values in pairs(wrong) do
      for _, value in ipairs(values) do
        local ok, message = connect(name, value)
        assert.is_false(ok, name)
        assert.matches(("TypeError: option '%s': .* expected, got %s$"):format(name, type(value)),
          message)
      end
    end
  end)

  it("that is a list must hold strings", function()
    local function refuses(name, list, kind)
      local ok, message = connect(name, list)
      assert.is_false(ok)
      assert.matches("TypeError: a list of strings expected, got " .. kind .. " in it$", message)
    end
    refuses("protocols", { 5 }, "number")
    refuses("protocols", { "a", {} }, "table")
    refuses("protocols", { "a", false }, "boolean")
    refuses("headers", { "a", 5 }, "number")
    refuses("headers", { {}, "b" }, "table")
    assert.error_matches(function()
      loop:connect { url = url, handlers = core.handlers {}, headers = "a" }
    end, "TypeError: a list of headers expected, got string")
  end)

  it("is read without metamethods: what they compute, nothing anchors", function()
    local options = setmetatable({ handlers = core.handlers {} }, {
      __index = function(_, name)
        collectgarbage()
        if name == "url" then return url .. ("x"):rep(100) .. os.time() end
        if name == "origin" then return ("http://%d.example/"):format(os.time()) end
        if name == "tls" then return core.tls {} end
      end,
    })
    assert.error_matches(function() loop:connect(options) end, "TypeError: cannot connect")
    options.url = url
    assert.equal(url, loop:connect(options).url)
  end)
end)

describe("a function", function()
  it("is one, or nil; else a TypeError with its name", function()
    local loop = turning.loop()
    for _, wrong in ipairs { 5, "x", true, {} } do
      local function refuses(name, fn, ...)
        assert.matches(("TypeError: '%s': a function expected, got %s$"):format(name, type(wrong)),
          turning.raised(fn, loop, ...))
      end
      refuses("onerror", loop.onError, wrong)
      for _, name in ipairs { "judge", "httpClosed", "closed" } do
        refuses(name, loop.listen, { handlers = core.handlers {}, [name] = wrong })
      end
    end
    loop:onError(nil)
    loop:close()
  end)
end)

describe("a mistake", function()
  it("is told with the nearest line, though pcall itself calls the method", function()
    local session = core.session { role = "server" }
    local _, message = pcall(session.send, session, "x", "blob")
    assert.matches("^[^\n]*util_spec%.lua:%d+: TypeError: send: ", message)
  end)
end)

describe("a failure of the world", function()
  it("is nil, a sentence and a word", function()
    local loop, message, code = core.loop("no such")
    assert.is_nil(loop)
    assert.is_string(message)
    assert.matches("^%a+$", code)
  end)
end)

describe("an opcode", function()
  it("is \"text\", \"binary\" or nil; else a TypeError", function()
    local session = core.session { role = "server" }
    for _, value in ipairs { "Text", "texx", "binarx", "", "ping", "text\0", "binary\0x", 1,
                             true, {} } do
      assert.error_matches(function() session:send("x", value) end,
                           'TypeError: send: "text" or "binary" expected, got')
    end
    assert.error_matches(function() session:send("x", "blob") end, "expected, got blob$")
    assert.error_matches(function() session:send("x", {}) end, "expected, got table$")
    for _, value in ipairs { "text", "binary" } do
      assert.is_nil((session:send("x", value))) -- not open yet
    end
    assert.is_nil((session:send("x")))
  end)
end)
