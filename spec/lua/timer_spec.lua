-- SPDX-License-Identifier: MIT
-- The Lua type ws.timer.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("loop:timer", function()
  local loop
  before_each(function() loop = core.loop() end)
  after_each(function() loop:close() end)

  it("fires once, in the order of their times", function()
    local order = {}
    loop:timer(20, false, function() order[#order + 1] = "later" end)
    loop:timer(5, false, function() order[#order + 1] = "sooner" end)
    turning.wait(loop, function() return #order == 2 end)
    assert.same({ "sooner", "later" }, order)
    assert.is_false(loop:alive())
  end)

  it("repeats until stopped, also from inside", function()
    local count, timer = 0, nil
    timer = loop:timer(1, true, function()
      count = count + 1
      if count == 3 then timer:stop() end
    end)
    turning.wait(loop, function() return not loop:alive() end)
    assert.equal(3, count)
    timer:stop() -- again is fine
  end)

  it("is held by the loop, not by the user", function()
    local fired = false
    loop:timer(1, false, function() fired = true end)
    collectgarbage() collectgarbage()
    turning.wait(loop, function() return fired end)
  end)

  it("gives its function back once it is done", function()
    local weak = setmetatable({}, { __mode = "k" })
    do
      local fn = function() end
      weak[fn] = true
      loop:timer(0, false, fn)
      loop:timer(1000, false, fn):stop()
    end
    turning.wait(loop, function() return not loop:alive() end)
    collectgarbage() collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("goes on repeating after an error", function()
    local count, errors = 0, 0
    loop:onError(function() errors = errors + 1 end)
    local timer = loop:timer(1, true, function()
      count = count + 1
      error "each time"
    end)
    turning.wait(loop, function() return count >= 3 end)
    timer:stop()
    assert.equal(count, errors)
  end)

  it("collecting, stopping and starting others inside is fine", function()
    local left = 50
    local others = {}
    for i = 1, 50 do
      others[i] = loop:timer(i % 3, false, function()
        left = left - 1
        others[i % 50 + 1]:stop()
        collectgarbage()
        loop:timer(0, false, function() end)
      end)
    end
    turning.wait(loop, function() return not loop:alive() end)
    assert.is_true(left < 50)
  end)

  it("wants a number and a function", function()
    assert.has_error(function() loop:timer("soon", false, print) end)
    assert.has_error(function() loop:timer(1, false) end)
    assert.has_error(function() loop:timer(1, false, nil) end)
    assert.has_error(function() loop:timer(1, false, {}) end)
    assert.has_error(function() loop:post() end)
    assert.has_error(function() loop:post(nil) end)
    assert.error_matches(function() loop.timer(1, false, print) end, "ws.loop expected")
    assert.is_false(loop:alive())
  end)

  it("takes odd times", function()
    local fired = 0
    for _, ms in ipairs { -1, 0, -1 / 0, 0.5 } do
      loop:timer(ms, false, function() fired = fired + 1 end)
    end
    local never = loop:timer(1 / 0, false, function() fired = 100 end)
    turning.wait(loop, function() return fired == 4 end)
    never:stop()
  end)
end)

describe("a timer", function()
  local loop, errors
  before_each(function() loop, errors = turning.loop() end)
  after_each(function()
    loop:close()
    assert.same({}, errors)
  end)

  it("that repeats every 0 ms lets the rest of the loop live", function()
    local party = turning.party()
    local count = 0
    local timer = party.loop:timer(0, true, function() count = count + 1 end)
    party.prove()
    assert.is_true(count > 0)
    timer:stop()
    party.finish()
  end)

  it("survives odd values", function()
    assert.is_true(turning.survives(loop.timer, loop, 3))
    assert.is_true(turning.survives(loop.post, loop, 1))
    local timer = loop:timer(1e300, true, print)
    assert.is_true(loop:timeout() >= 0)
    assert.is_true(turning.survives(timer.stop, timer, 1))
    assert.is_false((pcall(loop.timer, loop)))
    assert.is_false((pcall(loop.timer, loop, 1, true, "print")))
    for _, wrong in ipairs { "1", 0 / 0 } do
      loop:timer(wrong, false, function() end):stop()
    end
  end)

  it("stops from inside, before and after it fired, and with the loop closed", function()
    local timer
    timer = loop:timer(0, false, function() timer:stop() timer:stop() end)
    turning.finish(loop)
    timer:stop()
    local posted = loop:post(function() error("never") end)
    posted:stop()
    assert.is_false(loop:alive())
    loop:turn(0)
    local last = loop:timer(5, true, print)
    loop:close()
    last:stop()
    loop = turning.loop()
  end)

  it("may start itself anew, be dropped and collected while it runs", function()
    local count = 0
    local function again()
      count = count + 1
      collectgarbage()
      if count < 20 then
        if count % 2 == 0 then loop:post(again) else loop:timer(0, false, again) end
      end
    end
    loop:post(again)
    turning.finish(loop)
    assert.equal(20, count)
  end)

  it("a posted function that posts waits for the next turn", function()
    local log = {}
    loop:post(function()
      log[#log + 1] = "first"
      loop:post(function() log[#log + 1] = "second" end)
    end)
    loop:turn(0)
    assert.same({ "first" }, log)
    loop:turn(0)
    assert.same({ "first", "second" }, log)
  end)

  it("is one of thousands, of which half are stopped", function()
    local fired, timers = 0, {}
    for i = 1, 4000 do
      timers[i] = loop:timer(i % 7, false, function() fired = fired + 1 end)
    end
    for i = 1, 4000, 2 do timers[i]:stop() end
    turning.finish(loop)
    assert.equal(2000, fired)
  end)

  it("gives up its function when it is stopped, though it is held", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function start()
      local big = {}
      weak[big] = true
      return loop:timer(1000, true, function() return big end)
    end
    local timer = start()
    timer:stop()
    collectgarbage() collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("fails cleanly when there is no memory for it", function()
    local baseline = turning.live()
    core.failAllocation(1)
    local ok, why = pcall(loop.timer, loop, 1, false, print)
    core.failAllocation(0)
    assert.is_false(ok)
    assert.matches("not enough memory", why)
    assert.is_false(loop:alive())
    for k = 1, 4 do
      core.failAllocation(k)
      pcall(loop.timer, loop, 1, false, print)
      pcall(loop.post, loop, function() end)
      core.failAllocation(0)
    end
    loop:close()
    turning.no_more(baseline)
    loop = turning.loop()
  end)
end)
