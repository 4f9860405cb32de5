-- SPDX-License-Identifier: MIT
-- Sets of handlers (csrc/lua/lua_handlers.c): what they accept, how long they hold
-- what they were given, and changing them while a connection is live.

local core = require "ws.core"
local turning = require "spec.lua.turning"

local names = { "open", "message", "close", "error", "drain", "ping", "pong" }

describe("core.handlers", function()
  it("takes functions or nil for each of its names", function()
    for _, name in ipairs(names) do
      assert.has_no_error(function() core.handlers { [name] = print } end)
      for _, value in ipairs { 5, "text", true, false, {}, io.stdout } do
        local ok, message = pcall(core.handlers, { [name] = value })
        assert.is_false(ok)
        assert.matches("TypeError: '" .. name .. "': a function expected", message)
      end
    end
    core.handlers { unknown = 5 }
  end)

  it("takes a table only", function()
    for _, value in ipairs { 5, "text", true, print } do
      assert.has_error(function() core.handlers(value) end)
    end
    assert.has_error(function() core.handlers() end)
  end)

  it("holds its functions, and lets go of them with itself", function()
    local weak = setmetatable({}, { __mode = "v" })
    local baseline = turning.live()
    local kept = { core.handlers { message = (function()
      local big = {}
      weak.fn = function() return big end
      return weak.fn
    end)(), tag = (function() weak.tag = {} return weak.tag end)() } }
    turning.live()
    assert.is_function(weak.fn)
    assert.is_table(weak.tag)
    assert.is_userdata(kept[1])
    kept[1] = nil
    turning.no_more(baseline)
    assert.is_nil(weak.fn)
    assert.is_nil(weak.tag)
  end)

  it("does not live for ever when its functions or its tag know it", function()
    local weak = setmetatable({}, { __mode = "k" })
    local baseline = turning.live()
    do
      local tag = {}
      local set
      set = core.handlers { open = function() return set end, tag = tag }
      tag.set = set
      weak[tag] = true
    end
    turning.no_more(baseline)
    assert.is_nil(next(weak))
  end)

  it("takes no notice of further arguments", function()
    for count = 1, 5 do
      local more = { 1, "two", {}, print, true }
      local handlers = core.handlers({ open = print, tag = "t" }, turning.unpack(more, 1, count))
      assert.equal("userdata", type(handlers))
    end
  end)

  it("survives memory running out", function()
    local baseline = turning.live()
    for k = 1, 4 do
      core.failAllocation(k)
      pcall(core.handlers, { open = print })
      core.failAllocation(0)
    end
    turning.no_more(baseline)
  end)
end)

describe("the handlers of a connection", function()
  local loop, errors, url
  before_each(function()
    loop, errors = turning.loop()
    url = select(2, turning.server(loop))
  end)
  after_each(function()
    loop:close()
    assert.same({}, errors)
  end)

  it("must be a set", function()
    for _, value in ipairs { 5, "x", {}, print, true, loop } do
      assert.has_error(function() loop:connect { url = url, handlers = value } end)
      assert.has_error(function() loop:listen { handlers = value } end)
    end
    assert.has_error(function() loop:connect { url = url } end)
    assert.has_error(function() loop:listen {} end)
    local conn = turning.client(loop, url)
    assert.has_error(function() conn:setHandlers({}) end)
    assert.has_error(function() conn:setHandlers() end)
  end)

  it("may be shared by many and dropped by all", function()
    local count = 0
    local set = core.handlers {
      open = function(conn) conn:send("x") end,
      message = function(conn) count = count + 1 conn:rawClose(1000) end,
    }
    for _ = 1, 10 do loop:connect { url = url, handlers = set } end
    set = nil -- luacheck: ignore 311
    collectgarbage() collectgarbage()
    turning.wait(loop, function() return count == 10 end)
  end)

  it("change between two messages, also from inside a handler", function()
    local log = {}
    local second = core.handlers {
      message = function(conn, data) log[#log + 1] = "second " .. data conn:rawClose(1000) end,
      close = function() log[#log + 1] = "closed" end,
    }
    turning.client(loop, url, {
      open = function(conn) conn:send("1") conn:send("2") end,
      message = function(conn, data)
        log[#log + 1] = "first " .. data
        conn:setHandlers(second)
        second = nil
        collectgarbage() collectgarbage()
      end,
    })
    turning.wait(loop, function() return log[3] end)
    assert.same({ "first 1", "second 2", "closed" }, log)
  end)

  it("may leave messages to nobody: the rest of a read is dropped without an error", function()
    local log = {}
    local pinged = false
    local server = turning.server(loop, { handlers = core.handlers {
      message = function(conn, data)
        log[#log + 1] = data
        if data == "2" then
          conn:setHandlers(core.handlers { ping = function() pinged = true end })
        end
      end,
    } })
    local raw = turning.raw(loop, server)
    raw.send(turning.upgrade())
    raw.wait(function() return raw.bytes:find("\r\n\r\n", 1, true) end, "the answer")
    local frames = {}
    for i = 1, 4 do frames[i] = "\129\129\0\0\0\0" .. i end
    raw.send(table.concat(frames) .. "\137\128\0\0\0\0")
    raw.wait(function() return pinged end, "the ping behind them")
    assert.same({ "1", "2" }, log)
    raw.close()
  end)

  it("carry a tag the connection can be asked for, also when it is closed", function()
    local tag = {}
    local closed
    local conn = loop:connect { url = url, handlers = core.handlers {
      tag = tag, close = function() closed = true end } }
    assert.equal(tag, conn:tag())
    conn:setHandlers(core.handlers { tag = "other", close = function() closed = true end })
    assert.equal("other", conn:tag())
    conn:setHandlers(core.handlers { close = function() closed = true end })
    assert.is_nil(conn:tag())
    conn:setHandlers(core.handlers { tag = tag, close = function() closed = true end })
    conn:terminate()
    turning.wait(loop, function() return closed end)
    collectgarbage() collectgarbage()
    assert.equal(tag, conn:tag())
    conn:setHandlers(core.handlers { tag = 5 })
    assert.equal(5, conn:tag())
  end)

  it("do not keep a closed connection alive by knowing it", function()
    turning.prove(loop, url) -- creates what the loop makes on first use
    local weak = setmetatable({}, { __mode = "k" })
    local baseline = turning.settled(loop)
    local late = {}
    for _ = 1, 5 do
      local conn
      local tag = {}
      conn = turning.client(loop, url, {
        open = function() conn:rawClose(1000) end,
        close = function() conn = conn or true end,
      }, nil)
      tag.conn = conn
      late[#late + 1] = conn
      conn:setHandlers(core.handlers { tag = tag, open = function() conn:rawClose(1000) end })
      weak[conn] = true
    end
    turning.wait(loop, function()
      for _, conn in ipairs(late) do
        if conn.readyState < 3 then return false end
      end
      return true
    end)
    for i, conn in ipairs(late) do -- nor does a set that a closed connection gets
      late[i] = nil
      conn:setHandlers(core.handlers { open = function() return conn end })
    end
    turning.wait(loop, function()
      turning.live()
      return next(weak) == nil
    end, "the collector", 3000)
    turning.no_more(baseline, nil, loop)
  end)
end)
