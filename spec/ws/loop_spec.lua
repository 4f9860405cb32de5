-- SPDX-License-Identifier: MIT
-- Running the loop, its timers, and where errors of handlers go.

local ws = require "ws"
local helper = require "spec.helper"

local raised, wait_until = helper.raised, helper.wait_until

describe("the loop", function()
  local servers, ids

  local function later(fn, ms, ...)
    local id = ws.setTimeout(fn, ms, ...)
    ids[#ids + 1] = id
    return id
  end

  local function every(fn, ms, ...)
    local id = ws.setInterval(fn, ms, ...)
    ids[#ids + 1] = id
    return id
  end

  local function serve(options)
    local server = helper.echo_server(options)
    servers[#servers + 1] = server
    return server, ("ws://127.0.0.1:%d/"):format(server.port)
  end

  before_each(function()
    servers, ids = {}, {}
    helper.settle()
  end)

  after_each(function()
    ws.onerror = nil
    for _, id in ipairs(ids) do ws.clearTimeout(id) end
    for _, server in ipairs(servers) do
      helper.close_server(server)
    end
  end)

  -- ------------------------------------------------------------- run and stop

  it("run returns at once when there is nothing to wait for", function()
    local before = ws.now()
    ws.run()
    assert.is_true(ws.now() - before < 1000)
  end)

  it("run returns when the last timer has fired", function()
    local fired = {}
    later(function() fired[1] = "a" later(function() fired[2] = "b" end, 10) end, 5)
    ws.run()
    assert.same({ "a", "b" }, fired)
  end)

  it("run returns when servers and sockets are closed", function()
    local server, url = serve()
    local sock, log = helper.recorded(ws.new(url))
    sock.onopen = function() sock:send "x" end
    sock.onmessage = function() sock:close(1000) end
    sock.onclose = function() server:close() end
    ws.run()
    assert.equal("open message close", log.types())
  end)

  it("stop makes run return at the end of the turn, though something is left", function()
    serve()
    local order = {}
    later(function() ws.stop() order[1] = "stop" end, 1)
    later(function() order[#order + 1] = "late" end, 10000)
    ws.run()
    assert.same({ "stop" }, order)
    later(function() order[2] = "again" ws.stop() end, 1) -- it can be run again
    ws.run()
    assert.same({ "stop", "again" }, order)
  end)

  it("stop works from a coroutine and from any handler", function()
    local _, url = serve { open = function() ws.stop() end }
    local sock = ws.new(url)
    ws.run()
    sock:terminate()
    ws.spawn(function() ws.sleep(1) ws.stop() end)
    ws.run()
  end)

  it("refuses to run inside itself", function()
    local messages = {}
    later(function()
      messages[1] = raised(ws.run)
      messages[2] = raised(ws.poll)
      messages[3] = raised(function() ws.poll(10) end)
    end, 0)
    ws.run()
    for i = 1, 3 do assert.matches("already running", messages[i]) end
    assert.matches("loop_spec.lua:%d+", messages[3])
  end)

  -- --------------------------------------------------------------------- poll

  it("poll does one turn and returns the number of events handled", function()
    assert.equal(0, ws.poll())
    local fired = 0
    for _ = 1, 3 do later(function() fired = fired + 1 end, 0) end
    wait_until(function() return fired > 0 end)
    assert.equal(3, fired) -- all that are due, in one turn
    later(function() end, 0)
    helper.turn_for(0)
    local count = 0
    for _ = 1, 100 do
      count = count + ws.poll(1)
      if count > 0 then break end
    end
    assert.equal(1, count)
  end)

  it("poll waits at most so long, and not at all by default", function()
    serve()
    local before = ws.now()
    ws.poll()
    ws.poll(-5)
    assert.is_true(ws.now() - before < 1000)
    before = ws.now()
    assert.equal(0, ws.poll(30))
    local took = ws.now() - before
    assert.is_true(took >= 29 and took < 3000)
  end)

  it("poll returns early when something happens", function()
    later(function() end, 10)
    local before = ws.now()
    assert.equal(1, ws.poll(5000))
    assert.is_true(ws.now() - before < 1000)
  end)

  it("poll raises for what is no number", function()
    assert.matches("loop_spec.lua:%d+: TypeError", raised(function() ws.poll("1") end))
  end)

  -- ------------------------------------------- for other loops: fd, nextTimeout

  local function readable(fd, seconds)
    local object = { getfd = function() return fd end, dirty = function() return false end }
    return #require "socket".select({ object }, nil, seconds) > 0
  end

  it("fd is readable when poll(0) has work, and only then", function()
    local fd = ws.fd()
    if not fd then return pending "this poller has no descriptor" end
    local server = serve()
    while ws.poll(0) > 0 do assert(true) end
    assert.is_false(readable(fd, 0))
    local raw = helper.raw_client(server.port)
    assert.is_true(readable(fd, 2))
    ws.poll(0)
    raw:close()
    assert.equal(fd, ws.fd())
  end)

  it("nextTimeout tells how long until the next timer, nil without one", function()
    assert.is_nil(ws.nextTimeout())
    later(function() end, 5000)
    local first = ws.nextTimeout()
    assert.is_true(first > 4000 and first <= 5000)
    local id = later(function() end, 50)
    assert.is_true(ws.nextTimeout() <= 50)
    ws.clearTimeout(id)
    assert.is_true(ws.nextTimeout() > 4000)
    later(function() end, 0)
    assert.is_true(ws.nextTimeout() <= 1)
  end)

  it("both are enough for another loop to drive this one", function()
    local fd = ws.fd()
    if not fd then return pending "this poller has no descriptor" end
    local server, url = serve()
    local got
    local sock = ws.new(url)
    sock.onopen = function() ws.setTimeout(function() sock:send "driven" end, 10) end
    sock.onmessage = function(event) got = event.data sock:close() end
    sock.onclose = function() server:close() end
    local deadline = ws.now() + 3000
    while sock.readyState ~= 3 and ws.now() < deadline do
      local wait = math.min(ws.nextTimeout() or 500, 500)
      readable(fd, wait / 1000)
      ws.poll(0)
    end
    assert.equal("driven", got)
    assert.equal(3, sock.readyState)
  end)

  it("now is monotonic, in milliseconds", function()
    local before, last = ws.now(), ws.now()
    helper.turn_for(20)
    assert.is_true(ws.now() - before >= 20 and ws.now() - before < 5000)
    for _ = 1, 1000 do
      local now = ws.now()
      assert(now >= last)
      last = now
    end
  end)

  -- ------------------------------------------------------------------- timers

  it("setTimeout calls once, later, with the arguments given", function()
    local got = {}
    local id = later(function(...) got[#got + 1] = { select("#", ...), ... } end, 0, 1, nil, "c",
      nil)
    assert.equal(0, id % 1)
    assert.is_true(id > 0)
    assert.same({}, got) -- never inside the call
    helper.turn_for(20)
    assert.equal(1, #got)
    assert.same({ 4, 1, nil, "c", nil }, got[1])
  end)

  it("timers fire by their time, then in the order set, and not too early", function()
    local order, before = {}, ws.now()
    later(function() order[#order + 1] = "c" end, 30)
    later(function() order[#order + 1] = "a" end, 10)
    later(function() order[#order + 1] = "b" end, 10)
    later(function() order[#order + 1] = ws.now() - before >= 40 and "late" or "early" end, 40)
    wait_until(function() return #order == 4 end)
    assert.same({ "a", "b", "c", "late" }, order)
  end)

  it("one set inside a timer waits for a later turn, however short it is", function()
    local order = {}
    later(function()
      later(function() order[#order + 1] = "inner" end, 0)
      order[#order + 1] = "outer"
    end, 0)
    later(function() order[#order + 1] = "second" end, 0)
    wait_until(function() return #order == 3 end)
    assert.same({ "outer", "second", "inner" }, order)
  end)

  it("odd times count as 0, numeric text as its number", function()
    local fired = 0
    for _, ms in ipairs { -5, 0 / 0, "x", {}, "1" } do
      later(function() fired = fired + 1 end, ms)
    end
    later(function() fired = fired + 1 end)
    local id = later(function() fired = fired + 100 end, "100000")
    wait_until(function() return fired == 6 end, 1000)
    ws.clearTimeout(id)
  end)

  it("setInterval calls again and again, until it is cleared, also by itself", function()
    local calls, id = 0, nil
    id = every(function(argument)
      calls = calls + 1
      assert(argument == "x")
      if calls == 3 then ws.clearInterval(id) end
    end, 3, "x")
    ws.run()
    assert.equal(3, calls)
  end)

  it("an interval of 0 works and holds up nobody", function()
    local calls, done = 0, false
    local id = every(function() calls = calls + 1 end, 0)
    later(function() done = true end, 20)
    wait_until(function() return done end, 1000)
    assert.is_true(calls > 1)
    ws.clearInterval(id)
    local before = calls
    helper.turn_for(10)
    assert.equal(before, calls)
  end)

  it("clearTimeout and clearInterval clear either, at any time", function()
    local fired = {}
    ws.clearTimeout(later(function() fired.a = true end, 0))
    ws.clearInterval(later(function() fired.b = true end, 0))
    ws.clearTimeout(every(function() fired.c = true end, 0))
    local victim
    later(function() ws.clearTimeout(victim) end, 5)
    victim = later(function() fired.d = true end, 5) -- due in the same turn
    helper.turn_for(30)
    assert.same({}, fired)
    assert.is_nil(ws.nextTimeout())
  end)

  it("clearing what is unknown or over is fine", function()
    for _, id in ipairs { 0, -1, 1e9, "x", {}, later(function() end, 0) } do
      ws.clearTimeout(id)
      ws.clearInterval(id)
    end
    ws.clearTimeout()
    ws.clearInterval(nil)
  end)

  it("raises for what cannot be called, takes what can", function()
    for _, name in ipairs { "setTimeout", "setInterval" } do
      for _, bad in ipairs { 5, "print", {} } do
        assert.matches("loop_spec.lua:%d+: TypeError: " .. name,
          raised(function() ws[name](bad, 1) end))
      end
    end
    local got
    later(setmetatable({}, { __call = function(_, argument) got = argument end }), 0, 7)
    wait_until(function() return got end)
    assert.equal(7, got)
  end)

  it("timers are kept while they wait, and let go of afterwards", function()
    local held = setmetatable({}, { __mode = "k" })
    do
      local key = {}
      held[key] = true
      later(function() key.fired = true end, 10)
    end
    collectgarbage() collectgarbage()
    assert.is_not_nil(next(held))
    ws.run()
    collectgarbage() collectgarbage()
    assert.is_nil(next(held))
  end)

  -- ------------------------------------------------------------------- errors

  it("S85 an error in a handler goes to ws.onerror, and the loop goes on", function()
    local reports, calls = {}, 0
    ws.onerror = function(message, traceback) reports[#reports + 1] = { message, traceback } end
    local id = every(function()
      calls = calls + 1
      if calls == 1 then error("first") end
      if calls == 2 then error({ code = 5 }) end
    end, 1)
    wait_until(function() return calls == 4 end)
    ws.clearInterval(id)
    assert.equal(2, #reports)
    assert.matches("loop_spec.lua:%d+: first$", reports[1][1])
    assert.matches("stack traceback", reports[1][2])
    assert.equal(5, reports[2][1].code)
  end)

  it("an error in ws.onerror comes out of poll and run, and the loop still works", function()
    ws.onerror = function(message) error("worse: " .. message:match("[^:]+$"), 0) end
    later(function() error("bad") end, 0)
    assert.equal("worse:  bad", raised(helper.turn_for, 50))
    later(function() error("bad") end, 0)
    assert.equal("worse:  bad", raised(ws.run))
    for _, next_use in ipairs { helper.turn_for, ws.run } do
      ws.spawn(function() error("bad") end) -- outside a turn: the next use raises it
      assert.equal("worse:  bad", raised(next_use, 50))
    end
    ws.run()
    assert.equal(0, ws.poll(0))
  end)

  it("ws.onerror takes what can be called, or nil", function()
    local got
    local callable = setmetatable({}, { __call = function(_, message) got = message end })
    ws.onerror = callable
    assert.equal(callable, ws.onerror)
    later(function() error("x", 0) end, 0)
    wait_until(function() return got end)
    assert.equal("x", got)
    assert.matches("loop_spec.lua:%d+: TypeError", raised(function() ws.onerror = 5 end))
    ws.onerror = nil
    assert.is_nil(ws.onerror)
  end)

  it("it may be set before there is a loop", function()
    local status, output = helper.child [[
      local ws = require "ws"
      ws.onerror = setmetatable({}, { __call = function(_, message) print("told " .. message) end })
      ws.setTimeout(function() error("early", 0) end, 0)
      ws.run()
    ]]
    assert.equal("told early\n", output)
    assert.equal(0, status)
  end)

  it("the traceback begins with what was raised, whatever it was", function()
    local named = setmetatable({}, { __tostring = function() return "named" end })
    local broken = setmetatable({}, { __tostring = function() error "broken" end })
    local sock, reports = ws.new "ws://127.0.0.1:1/", nil
    ws.onerror = function(message, traceback) reports[#reports + 1] = { message, traceback } end
    local raises = {
      function(fn) later(fn, 0) helper.turn_for(5) end,
      function(fn) ws.spawn(fn) end,
      function(fn)
        sock.onopen = fn
        sock:dispatchEvent(ws.Event "open")
      end,
    }
    for text, raised_value in pairs {
      ["words"] = "words", ["5"] = 5, ["named"] = named, ["error object of type table"] = {},
      ["error object of type boolean"] = false, ["error object of type .*table"] = broken,
    } do
      for _, raise in ipairs(raises) do
        reports = {}
        raise(function() error(raised_value, 0) end)
        assert.equal(raised_value, reports[1][1])
        assert.matches("^" .. text .. "\n+stack traceback:", reports[1][2])
      end
    end
    sock:terminate()
  end)

  -- LuaJIT raises in whatever runs, other Lua programs in the main coroutine.
  it("Ctrl-C ends run, also while a handler runs", function()
    for _, where in ipairs { "ws.setTimeout", "ws.spawn" } do
      local status, output = helper.child(([[
        local ws = require "ws"
        ws.onerror = print
        ws.setTimeout(function() print "still here" ws.stop() end, 5000)
        ws.setTimeout(function()
          %s(function() io.popen("kill -INT $PPID"):close() end)
        end)
        ws.run()
      ]]):format(where))
      assert.matches("interrupted!", output)
      assert.not_matches("still here", output)
      assert.equal(1, status)
    end
  end)

  it("what ws.onerror raises while something of it waits to come out goes to stderr", function()
    local status, output = helper.child [[
      local ws = require "ws"
      ws.onerror = function(message) error("worse " .. message, 0) end
      for _, where in ipairs { ws.spawn, ws.setTimeout } do
        where(function() error("first", 0) end)
        where(function() error("second", 0) end)
        where(function() error({}, 0) end)
        print(pcall(ws.run))
      end
      print(pcall(ws.run))
    ]]
    assert.equal(0, status)
    local _, told = output:gsub("false\tworse first", "")
    local _, lost = output:gsub("ws: raised by [^\n]*, too: worse second", "")
    local _, odd = output:gsub("ws: raised by [^\n]*, too: [^\n]*table", "")
    assert.same({ 2, 2, 2 }, { told, lost, odd }, output)
    assert.matches("true%s*$", output)
  end)

  it("by default the traceback goes to stderr", function()
    local status, output = helper.child [[
      local ws = require "ws"
      ws.setTimeout(function() error("in a timer") end, 0)
      ws.spawn(function() ws.sleep(1) error("in a coroutine") end)
      ws.setTimeout(function() print("still here") end, 5)
      ws.run()
    ]]
    assert.equal(0, status)
    assert.matches("in a timer\nstack traceback:", output)
    assert.matches("in a coroutine\nstack traceback:", output)
    assert.matches("still here", output)
  end)

  it("a loop that could not be given its error handler is not used", function()
    local core, made = require "ws.core", 0
    local real, fresh = core.loop, assert(loadfile "lua/ws/loop.lua")()
    core.loop = function()
      made = made + 1
      local first = made == 1
      return { onError = function() if first then error("not enough memory", 0) end end }
    end
    local ok, message = pcall(fresh.get)
    local again = pcall(fresh.get)
    core.loop = real
    assert.same({ false, "not enough memory", true, 2 }, { ok, message, again, made })
  end)
end)
