-- SPDX-License-Identifier: MIT
-- What must hold in every loop that can drive ours. An adapter's spec calls the suite
-- with its host:
--   attach(), detach()
--   spawn(fn)        runs fn in a coroutine of the host
--   sleep(seconds)   the host's own sleep, inside such a coroutine
--   run(seconds)     runs the host's loop until it has nothing left to wait for (then
--                    it returns true) or that much time has passed

local assert = require "luassert"
local helper = require "spec.helper"
local loop = require "ws.loop"
local ws = require "ws"

local raised = helper.raised

local suite = {}

-- Lua 5.1 cannot yield across pcall: there, failures come out of run().
local can_catch = not (_VERSION == "Lua 5.1" and not rawget(_G, "jit"))

--- Runs fn() in a coroutine of the host until it has ended and nothing is left to do.
function suite.run(host, fn)
  local done, failure
  host.spawn(function()
    if can_catch then
      local ok, message = pcall(fn)
      failure = not ok and message
    else
      fn()
    end
    done = true
  end)
  local ended = host.run(4)
  if failure then error(failure, 0) end
  assert(done, "the coroutine did not come to its end")
  assert(ended, "the host's loop did not come to its end")
end

--- Counts the turns of our loop while fn() runs.
function suite.turns(fn)
  local turn, count = loop.turn, 0
  loop.turn = function(...)
    count = count + 1
    return turn(...)
  end
  fn()
  loop.turn = turn
  return count
end

function suite.holds(host, it, before_each, after_each)
  local server, url, reports

  local function run(fn)
    suite.run(host, function()
      fn()
      server:close()
    end)
  end

  before_each(function()
    reports = {}
    ws.onerror = function(message, traceback) reports[#reports + 1] = { message, traceback } end
    host.attach()
    server, url = helper.echo_server {
      upgrade = function(request) if request.path == "/no" then return false, 403 end end,
      open = function(sock, request) if request.path == "/deaf" then sock:pause() end end,
    }
  end)

  after_each(function()
    host.detach()
    ws.onerror = nil
    helper.close_server(server)
    helper.settle()
  end)

  it("calls handlers, and comes to an end when nothing is left", function()
    local sock, log = helper.recorded(ws.new(url))
    sock.onopen = function() sock:send "hello" end
    sock.onmessage = function(event) sock:close(4000, event.data) end
    sock.onclose = function() server:close() end
    assert.is_true(host.run(4))
    assert.equal("open message close", log.types())
    assert.equal("hello", log[3][2].reason)
  end)

  it("lets its coroutines wait with connect, receive, messages and sleep", function()
    local got = {}
    run(function()
      local sock = assert(ws.connect(url))
      sock:send "one"
      got[1] = { sock:receive() }
      got[2] = { sock:receive(10) }
      sock:send("\255", "binary")
      sock:send "last"
      local next_message = sock:messages() -- Lua 5.1's `for` cannot yield
      for i = 3, 4 do got[i] = { next_message() } end
      sock:close(3000, "enough")
      assert.is_nil(next_message())
      got[5] = { sock:receive() }
      local before = ws.now()
      ws.sleep(20)
      got[6] = ws.now() - before
    end)
    assert.same({ "one", "text" }, got[1])
    assert.same({ nil, "timeout" }, got[2])
    assert.same({ { "\255", "binary" }, { "last", "text" } }, { got[3], got[4] })
    assert.same({ nil, "closed", 3000, "enough" }, got[5])
    assert.is_true(got[6] >= 19)
  end)

  it("gives nil, message, code when a connection fails", function()
    local got
    run(function() got = { ws.connect(url .. "no") } end)
    assert.is_nil(got[1])
    assert.matches("403", got[2])
    assert.equal("EHANDSHAKE", got[3])
  end)

  it("serves its own coroutines while one of them waits for us", function()
    local steps, waiting, before = 0, true, nil
    host.spawn(function()
      while waiting do
        host.sleep(0.004)
        steps = steps + 1
      end
    end)
    run(function()
      local sock = assert(ws.connect(url))
      repeat -- on a busy machine, one of several waits has to do
        before = steps
        sock:receive(40)
      until steps >= before + 3
      repeat
        before = steps
        ws.sleep(40)
      until steps >= before + 3
      waiting = false
      sock:close()
    end)
    assert.is_true(steps >= 6)
  end)

  it("serves two coroutines that wait for each other", function()
    local got, first = {}, nil
    host.spawn(function()
      first = assert(ws.connect(url))
      got[1] = first:receive()
    end)
    run(function()
      while not first or first.readyState ~= 1 do ws.sleep(1) end
      ws.sleep(5)
      first:send "from the other"
      while not got[1] do ws.sleep(1) end
      first:close()
    end)
    assert.same({ "from the other" }, got)
  end)

  it("turns the loop only when it is due: idling costs nothing", function()
    local idle, busy, heard
    run(function()
      local sock = assert(ws.connect(url))
      host.spawn(function() heard = sock:receive() end)
      collectgarbage() collectgarbage() -- what earlier specs left is freed in turns
      for _ = 1, 20 do -- which may take some time; a loop that never idles still fails
        idle = suite.turns(function() host.sleep(0.15) end)
        if idle == 0 then break end
      end
      busy = suite.turns(function()
        sock:send "x"
        repeat host.sleep(0.05) until heard
      end)
      sock:close()
    end)
    if ws.fd() then assert.equal(0, idle) end
    assert.is_true(busy >= 2 and (busy < 10 or not ws.fd()), busy .. " turns")
  end)

  it("hears of what was begun while it was idle", function()
    local order, before, timer, closed = {}, nil, nil, nil
    local function note(name)
      order[#order + 1] = name
      return ws.now() - before
    end
    run(function()
      local sock = assert(ws.connect(url .. "deaf", nil, { closeTimeout = 30 }))
      local other = ws.new(url)
      host.sleep(0.03)
      other.onclose = function() note "terminated" end
      sock.onclose = function() closed = note "closed" end
      before = ws.now()
      ws.setTimeout(function() timer = note "timer" end, 10)
      other:terminate()
      sock:close()
      host.sleep(0.6)
      note "awake"
    end)
    assert.same({ "terminated", "timer", "closed", "awake" }, order)
    assert.is_true(timer >= 9 and closed >= 29, timer .. ", " .. closed)
  end)

  it("hears of it when only a deadline is left", function()
    local closed, timer
    suite.run(host, function()
      local sock = assert(ws.connect(url .. "deaf", nil, { closeTimeout = 25 }))
      sock.onclose = function(event) closed = event.code end
      host.sleep(0.02)
      ws.setTimeout(function()
        timer = true
        server:close()
      end, 40)
      sock:close()
    end)
    assert.equal(1006, closed)
    assert.is_true(timer)
  end)

  it("leaves ws.spawn and what is outside any coroutine as they were", function()
    local got = {}
    ws.spawn(function()
      local sock = assert(ws.connect(url))
      sock:send "spawned"
      got[1] = sock:receive()
      sock:close()
    end)
    local sock = assert(ws.connect(url)) -- runs only our loop
    sock:send "outside"
    got[2] = sock:receive()
    sock:close()
    run(function() ws.sleep(1) end)
    assert.same({ "spawned", "outside" }, got)
  end)

  it("resumes its coroutines after turns that others made, too", function()
    local slept
    host.spawn(function()
      ws.sleep(1)
      slept = true
    end)
    ws.sleep(20) -- runs only our loop
    server:close()
    assert.is_true(host.run(4))
    assert.is_true(slept)
  end)

  it("resumes those that were woken in the turn in which it gave the loop back", function()
    local slept
    host.spawn(function()
      ws.sleep(1)
      slept = true
    end)
    ws.setTimeout(function()
      host.detach()
      server:close()
    end, 1)
    host.run(4)
    assert.is_true(slept)
  end)

  it("lets nothing wait inside a handler", function()
    local message
    run(function()
      ws.setTimeout(function() message = raised(function() ws.sleep(1) end) end, 0)
      ws.sleep(10)
    end)
    assert.matches("cannot wait inside a handler: use ws.spawn", message)
  end)

  it("goes on after an error in a handler, which ws.onerror gets", function()
    local after
    run(function()
      ws.setTimeout(function() error("in the handler") end, 0)
      ws.setTimeout(function() after = true end, 1)
      ws.sleep(10)
    end)
    assert.is_true(after)
    assert.equal(1, #reports)
    assert.matches("in the handler", reports[1][1])
  end)

  it("can be used again after its end", function()
    for i = 1, 2 do
      local got
      local again = helper.echo_server()
      suite.run(host, function()
        local sock = assert(ws.connect("ws://127.0.0.1:" .. again.port))
        sock:send(tostring(i))
        got = sock:receive()
        sock:close()
        again:close()
        server:close()
      end)
      assert.equal(tostring(i), got)
    end
  end)

  it("gives the loop back", function()
    host.detach()
    local sock, log = helper.recorded(ws.new(url))
    sock.onopen = function()
      sock:close()
      server:close()
    end
    local limit = ws.setTimeout(ws.stop, 5000)
    sock:addEventListener("close", ws.stop) -- even if something else is still open here
    ws.run()
    ws.clearTimeout(limit)
    assert.equal("open close", log.types())
  end)
end

return suite
