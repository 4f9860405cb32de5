-- SPDX-License-Identifier: MIT
-- The Lua type ws.loop.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("core.loop", function()
  it("has the pollers of the system", function()
    for _, name in ipairs { "epoll", "poll" } do
      local loop = assert(core.loop(name))
      assert.equal(name, loop:poller())
      loop:close()
    end
    local none, message, code = core.loop "carousel"
    assert.is_nil(none)
    assert.is_string(message)
    assert.equal("EUNSUPPORTED", code)
  end)

  it("has nothing to wait for at first", function()
    local loop = core.loop()
    assert.is_false(loop:alive())
    assert.is_false(loop:turning())
    assert.is_nil(loop:timeout())
    assert.equal(0, loop:turn(0))
    loop:close()
  end)

  it("says how long until something is due", function()
    local loop = core.loop()
    local timer = loop:timer(5000, false, function() end)
    assert.is_true(loop:alive())
    local ms = loop:timeout()
    assert.is_true(ms > 4000 and ms <= 5000)
    loop:post(function() end)
    assert.equal(0, loop:timeout())
    timer:stop()
    loop:turn(0)
    assert.is_false(loop:alive())
    loop:close()
  end)

  it("has a descriptor that is readable when there is work", function()
    local party = turning.party()
    if party.loop:poller() == "epoll" then assert.is_number(party.loop:fd()) end
    party.finish()
  end)

  it("does not run inside itself", function()
    local loop = core.loop()
    local message
    loop:post(function()
      assert(loop:turning())
      message = select(2, pcall(loop.turn, loop, 0))
    end)
    loop:turn(0)
    assert.matches("already running", message)
    loop:close()
  end)

  it("is not closed inside itself, and twice is fine outside", function()
    local loop = core.loop()
    local message
    loop:post(function() message = select(2, pcall(loop.close, loop)) end)
    loop:turn(0)
    assert.matches("running", message)
    loop:close()
    loop:close()
    assert.error_matches(function() loop:turn(0) end, "closed")
    assert.error_matches(function() loop:timer(1, false, print) end, "closed")
  end)

  it("takes odd times", function()
    local loop = core.loop()
    assert.equal(0, loop:turn(-5))
    assert.equal(0, loop:turn(0 / 0))
    loop:post(function() end)
    assert.equal(1, loop:turn(1e300))
    loop:close()
  end)

  it("closing says 1001 to the peers (S185)", function()
    local party = turning.party()
    local other = turning.party()
    local handlers, log = turning.recording()
    party.loop:connect { url = other.url, handlers = handlers }
    turning.wait(party.loop, function()
      other.loop:turn(0)
      return log.open
    end)
    party.loop:close()
    other.wait(function() return other.log.close end)
    assert.equal(1001, (other.log.last "close"))
    other.finish()
  end)

  it("ends with the state, whatever lives in it", function()
    local script = [[
      local core = require "ws.core"
      for i = 1, 3 do
        local loop = core.loop()
        local handlers = core.handlers { open = function(sock) sock:send "x" end }
        local server = loop:listen { host = "127.0.0.1", port = 0, handlers = handlers }
        for k = 1, 20 do
          loop:connect { url = "ws://127.0.0.1:" .. server:port(), handlers = handlers }
        end
        loop:connect { url = "ws://localhost:1", handlers = handlers }
        loop:timer(10, true, function() end)
        for k = 1, i * 4 do loop:turn(5) end
      end
    ]]
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local pipe = io.popen((arg[-1] or "lua5.4") .. " " .. path .. " 2>&1; echo code $?")
    local out = pipe:read "a"
    pipe:close()
    os.remove(path)
    assert.equal("code 0\n", out)
  end)
end)
