-- SPDX-License-Identifier: MIT
-- The gate, the only way from the core into Lua (csrc/lua/lua_gate.c): errors of every
-- kind in handlers, errors of the error handler, and the thread on which handlers run.
-- Timers stand for all callbacks here; link_spec.lua has the others.

local core = require "ws.core"
local turning = require "spec.lua.turning"

-- Recurses until the stack overflows. Its frames are wide, because walking along a
-- million narrow ones takes long.
local function descend(...) return 1 + descend(...) end
local function deeper() return descend(turning.unpack({}, 1, 50)) end

describe("an error in a handler", function()
  local loop, errors

  before_each(function() loop, errors = turning.loop() end)
  after_each(function() if not loop:turning() then loop:close() end end)

  -- Runs fn in a timer, and turns the loop until it has run.
  local function run(fn)
    loop:timer(0, false, fn)
    turning.finish(loop)
  end

  it("comes to onError with its message and a traceback", function()
    local function culprit() error("it broke") end
    run(culprit)
    assert.equal(1, #errors)
    assert.matches("gate_spec.lua:%d+: it broke", errors[1].message)
    assert.matches("it broke", errors[1].traceback)
    assert.matches("stack traceback:", errors[1].traceback)
    assert.matches("gate_spec.lua:%d+: in function", errors[1].traceback)
  end)

  it("may be any value", function()
    local object = setmetatable({}, { __tostring = function() error "no text" end })
    for _, value in ipairs { object, {}, true, false, 42, "", "a\0b", print, io.stdout,
                             coroutine.create(function() end), { 1, 2 } } do
      errors[1] = nil
      run(function() error(value, 0) end)
      assert.equal(value, errors[1].message)
      assert.is_string(errors[1].traceback)
    end
    local told
    loop:onError(function(...) told = { n = select("#", ...), ... } end)
    run(function() error(nil, 0) end)
    assert.equal(2, told.n)
    assert.is_string(told[2])
  end)

  it("does not stop what comes after it", function()
    local ran = 0
    for i = 1, 5 do
      loop:post(function() ran = ran + 1 error("number " .. i, 0) end)
    end
    turning.finish(loop)
    assert.equal(5, ran)
    assert.equal(5, #errors)
    assert.equal("number 1", errors[1].message)
    assert.equal("number 5", errors[5].message)
  end)

  it("of endless recursion is one like the others", function()
    run(deeper)
    local message = errors[1].message
    -- LuaJIT may have no stack left for the traceback.
    if message ~= "error in error handling" then assert.matches("stack overflow", message) end
    run(function() string.rep() end)
    assert.equal(2, #errors)
    run(function() local s = "x" while true do s = s:gsub("x", deeper) end end)
    assert.equal(3, #errors)
  end)

  it("comes when a handler tries to yield", function()
    run(function() coroutine.yield(1) end)
    assert.equal(1, #errors)
    assert.matches("attempt to yield", errors[1].message)
  end)

  it("is raised from a coroutine inside the handler as usual", function()
    run(function()
      local ok, message = coroutine.resume(coroutine.create(function() error("deep", 0) end))
      assert.is_false(ok)
      assert.equal("deep", message)
    end)
    assert.same({}, errors)
  end)
end)

describe("onError", function()
  local loop

  before_each(function() loop = turning.loop() end)
  after_each(function() loop:close() end)

  it("that raises itself: loop:turn raises that value, the first one", function()
    local object = {}
    loop:onError(function() error(object, 0) end)
    loop:post(function() error("one") end)
    loop:post(function() loop:onError(function() error("second", 0) end) error("two") end)
    local ran
    loop:post(function() ran = true end)
    local ok, raised = pcall(loop.turn, loop, 0)
    assert.is_false(ok)
    assert.equal(object, raised)
    assert.is_true(ran) -- first the turn was finished
    assert.equal(0, loop:turn(0))
  end)

  it("that raises nil or false is noticed too", function()
    for _, value in ipairs { false, 7, "text" } do
      loop:onError(function() error(value, 0) end)
      loop:post(function() error("one") end)
      local ok, raised = pcall(loop.turn, loop, 0)
      assert.is_false(ok)
      assert.equal(value, raised)
    end
    loop:onError(function() error(nil, 0) end)
    loop:post(function() error("one") end)
    assert.is_false((pcall(loop.turn, loop, 0)))
  end)

  it("that yields or recurses without end raises from loop:turn", function()
    loop:onError(function() coroutine.yield() end)
    loop:post(function() error("one") end)
    assert.error_matches(function() loop:turn(0) end, "attempt to yield")
    loop:onError(deeper)
    loop:post(function() error("one") end)
    assert.error_matches(function() loop:turn(0) end, "stack overflow")
    assert.equal(0, loop:turn(0))
  end)

  -- Without the gate's care, LuaJIT continued on the gate's thread and left compiled
  -- code in it.
  it("that raises leaves the caller as it was, compiled or not", function()
    local code, output = turning.child [[
      local loop = require "ws.core".loop()
      loop:onError(function() error(nil, 0) end)
      local sum = 0
      for i = 1, 500 do
        loop:post(function() error("one") end)
        assert(not pcall(loop.turn, loop, 0))
        for k = 1, i do if k % (i % 7 + 1) == 0 then sum = sum + k else sum = sum - 1 end end
      end
      os.exit(sum == 7691640 and 0 or 1)]]
    assert.equal(0, code, output)
  end)

  it("takes functions and nil only", function()
    for _, value in ipairs { 5, "text", true, {}, io.stdout } do
      assert.error_matches(function() loop:onError(value) end,
                           "TypeError: 'onerror': a function expected")
    end
    loop:onError(nil)
    loop:onError()
  end)

  it("may replace and remove itself, and collect", function()
    local told = {}
    loop:onError(function(message)
      told[#told + 1] = message
      loop:onError(function(second) told[#told + 1] = "new " .. second end)
      collectgarbage()
    end)
    for i = 1, 3 do loop:post(function() error("e" .. i, 0) end) end
    loop:turn(0)
    assert.same({ "e1", "new e2", "new e3" }, told)
  end)
end)

describe("without onError", function()
  local chunk = [[
    local core = require "ws.core"
    local loop = core.loop()
    loop:timer(0, false, function() %s end)
    while loop:alive() do loop:turn() end
    os.exit(0, true)]]

  it("message and traceback go to stderr, whatever was raised", function()
    for raised, expected in pairs {
      ["error('plain words')"] = "plain words.*stack traceback",
      ["error(42, 0)"] = "42.*stack traceback",
      ["error({})"] = "table.*stack traceback",
      ["error(nil, 0)"] = "nil.*stack traceback",
      ["error(setmetatable({}, {__tostring = error}))"] = "table.*stack traceback",
      ["coroutine.yield()"] = "attempt to yield.*stack traceback",
    } do
      local code, output = turning.child(chunk:format(raised))
      assert.equal(0, code, output)
      assert.matches(expected, output)
    end
  end)
end)

describe("the thread of handlers", function()
  local loop, errors

  before_each(function() loop, errors = turning.loop() end)
  after_each(function() loop:close() end)

  local function thread_of()
    local thread
    loop:post(function() thread = coroutine.running() end)
    loop:turn(0)
    return thread
  end

  it("is not the coroutine that made an object, which may have ended", function()
    local ran = 0
    local co = coroutine.wrap(function()
      loop:timer(0, false, function() ran = ran + 1 end)
      loop:post(function() ran = ran + 1 end)
    end)
    co()
    co = nil -- luacheck: ignore 311
    collectgarbage() collectgarbage()
    turning.finish(loop)
    assert.equal(2, ran)
  end)

  it("cannot be resumed, closed or filled by others between turns", function()
    local thread = thread_of()
    if not thread then return end -- the main thread, in Lua 5.1
    assert.is_false((coroutine.resume(thread)))
    assert.is_false((coroutine.resume(thread, 1, 2, 3)))
    if coroutine.close then pcall(coroutine.close, thread) end
    local ran
    loop:post(function() ran = true error("still told", 0) end)
    loop:turn(0)
    assert.is_true(ran)
    assert.equal("still told", errors[1].message)
    assert.equal(thread, thread_of())
  end)

  it("cannot be resumed or closed from inside either", function()
    local thread = thread_of()
    if not thread then return end
    local results = {}
    loop:post(function()
      results[1] = coroutine.resume(thread)
      results[2] = coroutine.close and pcall(coroutine.close, thread) or false
      coroutine.wrap(function() results[3] = coroutine.resume(thread) end)()
    end)
    loop:turn(0)
    assert.same({ false, false, false }, results)
    assert.same({}, errors)
  end)

  it("keeps its stack's height over thousands of callbacks", function()
    local n = 0
    local timer
    timer = loop:timer(0, true, function()
      n = n + 1
      if n == 2000 then timer:stop() end
      if n % 3 == 0 then error("x", 0) end
    end)
    turning.finish(loop)
    assert.equal(2000, n)
    assert.equal(666, #errors)
  end)
end)

-- Before Lua 5.4.3, luaL_unref allocates when the head of its list of free references,
-- [0], is missing, and may then raise out of a turn, which would never end.
it("references are given back without memory", function()
  local loop = core.loop()
  for _ = 1, 200 do loop:timer(1000, true, print) end -- none is free now
  local head = debug.getregistry()[0]
  loop:close()
  assert.is_number(head)
end)

describe("a state that ends", function()
  it("is left cleanly from inside a handler", function()
    for _, action in ipairs { "os.exit(0, true)", "os.exit(0, false)" } do
      local code, output = turning.child([[
        local core = require "ws.core"
        local loop = core.loop()
        loop:timer(0, true, function() ]] .. action .. [[ end)
        while true do loop:turn() end]])
      assert.equal(0, code, output)
      assert.equal("", output)
    end
  end)

  it("runs the version it says", function()
    assert.matches("^%d+%.%d+%.%d+$", core.VERSION)
  end)
end)
