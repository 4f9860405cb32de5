-- SPDX-License-Identifier: MIT
-- The Lua type ws.loop.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("core.loop", function()
  it("has the pollers of the system", function()
    local best = core.loop()
    assert.truthy(("epoll kqueue poll"):find(best:poller(), 1, true))
    for _, name in ipairs { best:poller(), "poll" } do
      local loop = assert(core.loop(name))
      assert.equal(name, loop:poller())
      loop:close()
    end
    best:close()
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

  it("lets the collector know how large its buffers are", function()
    turning.live() -- collects garbage
    local before = collectgarbage "count" -- KiB
    local loop = core.loop()
    assert.is_true(collectgarbage "count" > before + 320)
    loop:close()
    loop = nil -- luacheck: ignore 311
    turning.live()
    assert.is_true(collectgarbage "count" < before + 100)
  end)

  it("takes odd times", function()
    local loop = core.loop()
    assert.equal(0, loop:turn(-5))
    assert.equal(0, loop:turn(0 / 0))
    loop:post(function() end)
    assert.equal(1, loop:turn(1e300))
    loop:close()
  end)

  it("serves at most as many events as it is told, at least one", function()
    local loop = core.loop()
    local ran = 0
    for _ = 1, 7 do loop:post(function() ran = ran + 1 end) end
    for _, wrong in ipairs { 0, 0.5, -1, 0 / 0, -1 / 0, "x", {} } do
      assert.has_error(function() loop:turn(0, wrong) end)
    end
    for _, step in ipairs { { 1, 1 }, { 2.5, 3 }, { 1, 4 }, { 2 ^ 40, 7 } } do
      loop:turn(0, step[1])
      assert.equal(step[2], ran)
    end
    loop:close()
  end)

  it("closing says 1001 to the peers (S185)", function()
    local party = turning.party()
    local other = turning.party()
    local handlers, log = turning.recording()
    for _ = 1, 3 do party.loop:connect { url = other.url, handlers = handlers } end
    turning.wait(party.loop, function()
      other.loop:turn(0)
      return log.open == 3
    end)
    party.loop:close()
    other.wait(function() return other.log.close == 3 end)
    for _, entry in ipairs(other.log) do
      if entry[1] == "close" then assert.same({ "close", 1001, "", true }, entry) end
    end
    other.finish()
  end)

  it("says 1001 also when the state ends in a handler, where os.exit can end it", function()
    if newproxy and not jit then return end -- luacheck: ignore 113
    local party = turning.party()
    local pipe = io.popen(([[%s -e '
      local core = require "ws.core"
      local loop = core.loop()
      loop:connect { url = "%s", handlers = core.handlers {
        open = function() os.exit(0, true) end } }
      while true do loop:turn() end']]):format(turning.interpreter(), party.url))
    party.wait(function() return party.log.close end)
    pipe:close()
    assert.equal(1001, (party.log.last "close"))
    party.finish()
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
    local out = pipe:read "*a"
    pipe:close()
    os.remove(path)
    assert.equal("code 0\n", out)
  end)
end)

describe("a loop's arguments", function()
  it("survive odd values in every method", function()
    local loop = turning.loop()
    for _, method in ipairs { "turning", "thread", "alive", "timeout", "fd", "poller", "onError",
                              "timer", "post", "connect", "listen" } do
      assert.is_true(turning.survives(loop[method], loop, 3), method)
    end
    for _, ms in ipairs { "x", {}, true, print } do
      assert.has_error(function() loop:turn(ms) end)
    end
    for _, name in ipairs { "", ("x"):rep(10000) } do
      assert.is_nil((core.loop(name)))
    end
    for _, name in ipairs { {}, true, print } do
      assert.has_error(function() core.loop(name) end)
    end
    loop:close()
  end)

  it("raise on a closed loop, all but close", function()
    local loop = turning.loop()
    loop:close()
    for _, method in ipairs { "turn", "turning", "thread", "alive", "timeout", "fd", "poller",
                              "onError", "timer", "post", "connect", "listen" } do
      assert.error_matches(function() loop[method](loop) end, "the loop is closed")
    end
    loop:close()
    assert.is_string(tostring(loop))
  end)
end)

describe("a loop and coroutines", function()
  it("turns inside one, while handlers run elsewhere", function()
    local party = turning.party()
    local main
    local log
    local co = coroutine.create(function()
      local conn
      conn, log = party.client { message = function() main = coroutine.running() end }
      conn:send "x"
      party.wait(function() return log.message end)
      coroutine.yield(conn)
      conn:send "y"
      party.wait(function() return log.message == 2 end)
    end)
    local ok, conn = coroutine.resume(co)
    assert.is_true(ok, conn)
    assert.not_equal(co, main)
    assert.equal(party.loop:thread(), main)
    assert.is_true((coroutine.resume(co)))
    assert.equal("dead", coroutine.status(co))
    co = nil -- luacheck: ignore 311
    collectgarbage() collectgarbage()
    conn:send "z" -- conn was made in a coroutine that is gone
    party.wait(function() return log.message == 3 end)
    party.finish()
  end)

  it("lends its methods to coroutines of handlers", function()
    local party = turning.party()
    local results = {}
    local waiting
    party.client { open = function(conn)
      waiting = coroutine.create(function(its)
        results[1] = its:send("a")
        coroutine.yield()
        results[2] = its:send("b")
        error("dies")
      end)
      coroutine.resume(waiting, conn)
    end, message = function(conn, data)
      if data == "a" then coroutine.resume(waiting) end
      if data == "b" then conn:rawClose(1000) end
    end, close = function() results[3] = true end }
    party.wait(function() return results[3] end)
    assert.same({ true, true, true }, results)
    assert.equal("dead", coroutine.status(waiting))
    party.prove()
    party.finish()
  end)
end)

describe("two loops", function()
  it("do not disturb each other, also inside each other's handlers", function()
    local a, b = turning.party(), turning.party()
    local conn, log = a.client()
    local inner
    a.loop:post(function()
      local functions, its = turning.recording()
      b.loop:connect { url = b.url, handlers = functions }
      b.wait(function() return its.open end)
      inner = its.open
      b.finish()
    end)
    a.wait(function() return inner end)
    conn:send("x")
    a.wait(function() return log.message end)
    assert.same({}, a.errors)
    a.prove()
    a.finish()
  end)
end)

describe("a loop that is dropped", function()
  it("gives all back, whatever lives in it", function()
    local baseline = turning.live()
    local function leave(turns)
      local loop = core.loop()
      local server = turning.server(loop)
      for _ = 1, 5 do
        turning.client(loop, "ws://127.0.0.1:" .. server:port(), {
          open = function(conn) conn:send(("x"):rep(200000)) end })
      end
      turning.client(loop, "ws://localhost:" .. server:port())
      turning.client(loop, "ws://127.0.0.1:1")
      loop:timer(1, true, function() end)
      loop:timer(1e9, false, function() end)
      loop:post(function() end)
      for _ = 1, turns do loop:turn(2) end
      server:clients()
    end
    for turns = 0, 6 do
      leave(turns)
      turning.no_more(baseline, turns .. " turns")
    end
  end)

  it("gives all back that it was to call, dropped or closed", function()
    local baseline = turning.live()
    local function leave(close)
      local loop = turning.loop() -- with an onError
      local asked = 0
      local function ask(conn)
        asked = asked + 1
        if asked == 1 then conn:accept() end
      end
      local server = turning.server(loop, { judge = ask, httpClosed = print, closed = print })
      local url = "ws://127.0.0.1:" .. server:port()
      local conn = turning.client(loop, url, { message = print, close = print })
      turning.client(loop, url, { open = print })
      loop:timer(1e9, true, print)
      turning.wait(loop, function() return asked == 2 and conn.readyState == 1 end)
      loop:post(print)
      server:clients()[1]:pause()
      conn:send(("x"):rep(5000000), "binary") -- more than the system takes, so it is pinned
      if close then loop:close() end
    end
    for _, close in ipairs { true, false } do
      leave(close)
      turning.no_more(baseline, close and "closed" or "dropped")
    end
  end)

  it("while connections, servers and timers of it are still held", function()
    local baseline = turning.live()
    local function leave()
      local loop = core.loop()
      local server = turning.server(loop)
      local conn = turning.client(loop, "ws://127.0.0.1:" .. server:port())
      local timer = loop:timer(1, true, function() end)
      local task = loop:post(function() end)
      turning.wait(loop, function() return conn.readyState == 1 end)
      local peer = server:clients()[1]
      local early = turning.client(loop, "ws://127.0.0.1:" .. server:port())
      loop = nil -- luacheck: ignore 311
      collectgarbage() collectgarbage()
      for _, it in ipairs { conn, peer, early } do
        assert.equal(3, it.readyState)
        assert.is_true(it:send("late"))
        it:terminate() it:rawClose(1000) it:ping() it:pause() it:resume() it:hold(true)
        it:setHandlers(core.handlers {})
        for name in pairs(core.connection.getters) do tostring(it[name]) end
        for _, method in pairs(core.connection.methods) do pcall(method, it, "x", "text") end
      end
      for _, name in ipairs { "port", "host", "connections", "clients", "close", "publish" } do
        pcall(server[name], server, "x", "y")
      end
      timer:stop()
      task:stop()
      timer = nil -- luacheck: ignore 311
      collectgarbage()
      return conn, server
    end
    local held = { leave() }
    collectgarbage() collectgarbage()
    assert.equal("WebSocket (CLOSED) " .. held[1].url, tostring(held[1]))
    held[2] = nil
    collectgarbage()
    held[1] = nil
    turning.no_more(baseline)
  end)
end)

describe("memory that runs out", function()
  it("fails the making of a loop, with nil and why", function()
    local baseline = turning.live()
    local failures = 0
    for k = 1, 10 do
      core.failAllocation(k)
      local loop, message, code = core.loop()
      core.failAllocation(0)
      if loop then loop:close()
      else
        failures = failures + 1
        assert.is_string(message)
        assert.equal("ENOMEM", code)
      end
      turning.no_more(baseline)
    end
    assert.is_true(failures > 0)
  end)

  it("at any step from the loop's making to its close harms nobody", function()
    local baseline = turning.live()
    local function attempt(k, forever)
      core.failAllocation(k, forever)
      local loop = core.loop()
      if not loop then return core.failAllocation(0) end
      local told = {}
      loop:onError(function(message) told[#told + 1] = message end)
      local ok = pcall(function()
        local server = loop:listen { host = "127.0.0.1", port = 0,
          handlers = core.handlers { message = function(conn, data, opcode)
            conn:send(data, opcode)
          end } }
        if not server then return end
        local done
        loop:timer(100, false, function() done = true end)
        loop:connect { url = "ws://127.0.0.1:" .. server:port(), handlers = core.handlers {
          open = function(conn) conn:send(("m"):rep(30000), "binary") end,
          message = function(conn) conn:rawClose(1000, "done") end,
          close = function() done = true end,
        } }
        for _ = 1, 40 do
          if done then break end
          loop:turn(5)
        end
        server:close()
        loop:turn(0)
      end)
      core.failAllocation(0)
      loop:turn(0)
      loop:close()
      return ok
    end
    for _, forever in ipairs { false, true } do
      for k = 1, 60 do
        attempt(k, forever)
        turning.no_more(baseline, "left behind after " .. k)
      end
    end
    local party = turning.party()
    party.prove()
    party.finish()
  end)
end)

describe("the end of the state", function()
  local function expect(code, chunk)
    local status, output = turning.child("local core = require 'ws.core'\n" .. chunk)
    assert.equal("", output)
    assert.equal(code, status)
  end

  local scene = [[
    local raw = core.connection.internals
    local loop = core.loop()
    local handlers
    local server = loop:listen { host = "127.0.0.1", port = 0, handlers = core.handlers {
      message = function(conn, data) conn:send(data) end },
      judge = function(conn, request) if request.path == "/" then raw.accept(conn) end end }
    local url = "ws://127.0.0.1:" .. server:port()
    local function client(functions, path)
      return loop:connect { url = url .. (path or ""), parallel = true,
                            handlers = core.handlers(functions) }
    end
    local function turn(n) for _ = 1, n do loop:turn(5) end end
  ]]

  it("inside each handler, by os.exit or an error out of the error handler", function()
    for _, event in ipairs { "open", "message", "close", "error" } do
      for _, leave in ipairs { "os.exit(0, true)", "os.exit(0, false)" } do
        expect(0, scene .. ([[
          client({}, "/waits") client({ open = function(c) c:send(("x"):rep(1e6)) end })
          client { open = function(conn) conn:send "x" end,
                   message = function(conn) raw.rawClose(conn, 1000) end, %s }
          local function last() %s end
          client { open = function(conn) if "%s" == "open" then last() end conn:send "x" end,
                   message = function(conn)
                     if "%s" == "message" then last() end
                     if "%s" == "error" then server:close() client { error = last } end
                     raw.rawClose(conn, 1000)
                   end,
                   close = function() if "%s" == "close" then last() end end }
          while true do loop:turn() end]]):format("", leave, event, event, event, event))
      end
    end
  end)

  it("after 0, 1, 2 ... turns of a busy loop, with and without a last collection", function()
    for turns = 0, 7 do
      expect(0, scene .. ([[
        for i = 1, 4 do client { open = function(c) c:send(("x"):rep(3e5)) end } end
        client({}, "/waits")
        loop:connect { url = "ws://localhost:" .. server:port(), handlers = core.handlers {} }
        loop:timer(1, true, function() end)
        turn(%d)
        if %d %% 2 == 0 then server, loop = nil, nil collectgarbage() end]]):format(turns, turns))
    end
  end)

  it("with a finalizer that uses the loop and makes new things", function()
    expect(0, scene .. [[
      client { open = function(c) c:send "x" end }
      turn(4)
      local last = finally(function()
        pcall(client, {})
        pcall(turn, 3)
        pcall(core.loop)
        pcall(core.session, { role = "server" })
        pcall(core.handlers, {})
        pcall(loop.close, loop)
        pcall(client, {})
      end)]])
  end)

  it("with a finalizer inside a turn", function()
    expect(0, scene .. [[
      local n = 0
      loop:timer(0, true, function()
        n = n + 1
        finally(function()
          pcall(loop.turn, loop, 0)
          pcall(loop.close, loop)
          local conn = client {}
          if n % 2 == 0 then conn:terminate() end
        end)
        collectgarbage()
      end)
      while n < 50 do loop:turn(1) end]])
  end)

  it("by an error nobody catches", function()
    local status, output = turning.child("local core = require 'ws.core'\n" .. scene .. [[
      client { open = function() error "in a handler" end }
      loop:onError(function(message) error("fatal: " .. message, 0) end)
      while true do loop:turn() end]])
    assert.equal(1, status)
    assert.matches("fatal: .*in a handler", output)
  end)
end)
