-- SPDX-License-Identifier: MIT
-- How messages reach Lua (csrc/lua/lua_message.c): an only listener is called
-- directly, with an event. Views are in view_spec.lua.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("a message for an only listener", function()
  local class = { __name = "of the test" }
  local party, conn, told, handled, state

  before_each(function()
    told, handled, state = {}, {}, nil
    party = turning.party {
      handlers = core.handlers {
        event = class,
        open = function(sock)
          state = { listeners = {} }
          sock:setState(state)
        end,
        message = function(_, data) handled[#handled + 1] = data end,
      },
    }
    conn = party.client()
    party.wait(function() return state end)
  end)
  after_each(function() party.finish() end)

  local function listen(fn)
    state.listeners[1] = function(event)
      told[#told + 1] = event
      if fn then return fn(event) end
    end
  end

  local function send(...)
    for _, data in ipairs { ... } do conn:send(data) end
  end

  it("is an event of the class with data, opcode and target, and nothing else", function()
    listen()
    conn:send("text", "text")
    conn:send("a\0b", "binary")
    party.wait(function() return told[2] end)
    local fields = {}
    for key, value in pairs(told[2]) do fields[key] = value end
    assert.equal("userdata", type(fields.target))
    assert.equal(fields.target, told[1].target)
    fields.target = nil
    assert.same({ data = "a\0b", opcode = "binary" }, fields)
    assert.same({ "text", "text" }, { told[1].data, told[1].opcode })
    assert.equal(class, getmetatable(told[1]))
    assert.are_not_equal(told[1], told[2])
    assert.same({}, handled)
  end)

  it("goes to the handler when there is no listener, and from when there is none", function()
    send("1")
    party.wait(function() return handled[1] end)
    listen(function(event) if event.data == "3" then state.listeners[1] = nil end end)
    send("2", "3", "4")
    party.wait(function() return handled[2] end)
    assert.same({ "1", "4" }, handled)
    assert.same({ "2", "3" }, { told[1].data, told[2].data })
  end)

  it("goes to the handler when the state is no table, or has no listeners", function()
    for i, value in ipairs { false, 5, { other = {} }, { listeners = "none" }, {} } do
      local sock
      listen(function(event) sock = event.target end)
      send("to the listener")
      party.wait(function() return sock end)
      sock:setState(value)
      send("to the handler")
      party.wait(function() return handled[i] end)
      sock:setState(state)
    end
    assert.equal(5, #handled)
  end)

  it("is told while it is told, to the end or an error, and no other is", function()
    local seen = {}
    listen(function(event)
      seen[#seen + 1] = core.isTold(event)
      if told[2] then seen[#seen + 1] = core.isTold(told[1]) end
      if not told[2] then error "on purpose" end
    end)
    send("1", "2")
    party.wait(function() return told[2] end)
    assert.same({ true, true, false }, seen)
    assert.is_false(core.isTold(told[1]))
    assert.is_false(core.isTold(told[2]))
    assert.equal(1, #party.errors)
    table.remove(party.errors)
  end)

  it("is told whatever its listener does meanwhile", function()
    local other = party.client()
    local after
    listen(function(event)
      other:terminate()
      event.target:pause()
      event.target:resume()
      event.target:rawClose(1000)
      collectgarbage()
      after = core.isTold(event)
    end)
    for _, one in ipairs { conn, other } do one:send("x") end
    party.wait(function() return after ~= nil end)
    assert.is_true(after)
    assert.is_false(core.isTold(told[1]))
  end)

  it("may be changed: what is sent is looked at unless it is what came", function()
    local raised
    listen(function(event)
      event.data = nil
      collectgarbage()
      event.data = ("\255"):rep(4)
      raised = select(2, pcall(event.target.send, event.target, event.data))
    end)
    send("good")
    party.wait(function() return raised end)
    assert.matches("text is not UTF%-8", raised)
  end)

  it("that is binary is looked at before it is sent as text", function()
    local raised
    listen(function(event)
      raised = select(2, pcall(event.target.send, event.target, event.data, "text"))
    end)
    conn:send("\255", "binary")
    party.wait(function() return raised end)
    assert.matches("text is not UTF%-8", raised)
  end)

  it("is over, and held by nobody, while the next of its read is told", function()
    local weak, over = setmetatable({}, { __mode = "k" }), nil
    listen(function(event)
      if next(weak) then
        told = {}
        collectgarbage()
        over = next(weak) == nil
      end
      weak[event] = true
    end)
    send("1", "2")
    party.wait(function() return over ~= nil end)
    assert.is_true(over)
    local first
    listen(function(event) first, state.listeners[1] = event, nil end)
    party.server:clients()[1]:setHandlers(core.handlers {
      event = class,
      message = function() over = core.isTold(first) end,
    })
    over = nil
    send("3", "4")
    party.wait(function() return over ~= nil end)
    assert.is_false(over)
  end)

  it("is nothing that can be forged", function()
    for _, value in ipairs { 5, "x", true, print, {}, { target = 5 }, { target = conn },
      { target = io.stdout }, io.stdout } do
      assert.is_false(core.isTold(value))
    end
    assert.is_false(core.isTold())
    assert.is_false(core.isTold(conn))
    assert.is_false(core.isTold(5, conn))
  end)
end)
