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
    assert.has_error(function() loop:timer(1, false, {}) end)
    assert.has_error(function() loop:post() end)
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
