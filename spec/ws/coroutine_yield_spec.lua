-- SPDX-License-Identifier: MIT
-- Where coroutines of the loop can wait, and where they cannot: inside functions
-- written in C, and on plain Lua 5.1 inside pcall and `for`.

local ws = require "ws"
local helper = require "spec.helper"

local wait_until = helper.wait_until

describe("a coroutine of the loop", function()
  local server, url, socks, reports

  local function connect()
    local sock = assert(ws.connect(url))
    socks[#socks + 1] = sock
    return sock
  end

  before_each(function()
    socks, reports = {}, {}
    server, url = helper.echo_server {
      message = function(sock, data)
        if data == "bye" then sock:close(4001) else sock:send(data) end
      end,
    }
    ws.onerror = function(message, traceback) reports[#reports + 1] = { message, traceback } end
  end)

  after_each(function()
    ws.onerror = nil
    for _, sock in ipairs(socks) do sock:terminate() end
    helper.close_server(server)
  end)

  -- Runs fn inside a function that is written in C and does not allow yields.
  local function inside_c(fn)
    return pcall(string.gsub, "x", "x", function() fn() end)
  end

  it("inside a function written in C nothing may wait, and the error says so", function()
    local sock, messages = connect(), {}
    ws.spawn(function()
      for _, fn in ipairs {
        function() ws.sleep(1) end,
        function() local data = sock:receive() return data end,
        function() local s = ws.connect(url) return s end,
      } do
        local ok, message = inside_c(fn)
        assert(not ok)
        messages[#messages + 1] = message
      end
    end)
    assert.equal(3, #messages)
    for i, name in ipairs { "ws.sleep", "receive", "ws.connect" } do
      local wanted = coroutine.isyieldable
        and "^[^ ]*coroutine_yield_spec.lua:%d+: " .. name .. ": cannot wait inside a function"
        or "attempt to yield across"
      assert.matches(wanted, messages[i])
    end
    helper.turn_for(20)
    wait_until(function() return server.connections == 1 end, 5000, "no socket to be left")
  end)

  it("a wait that could not begin does not end a later one", function()
    local sock, got = connect(), {}
    ws.spawn(function()
      inside_c(function() sock:receive() end)
      inside_c(function() ws.sleep(1) end)
      local before = ws.now()
      got.slept = { ws.sleep(40) }
      got.took = ws.now() - before
      got.data = sock:receive(1000)
    end)
    sock:send "for receive"
    wait_until(function() return got.data end)
    assert.same({}, got.slept)
    assert.is_true(got.took >= 39)
    assert.equal("for receive", got.data)
  end)

  it("one that somebody else resumed is not woken by what it waited for then", function()
    local answer
    local thread = ws.spawn(function()
      ws.sleep(20)
      answer = coroutine.yield()
    end)
    assert.is_true(coroutine.resume(thread)) -- in the middle of its sleep
    helper.turn_for(60)
    assert.equal("suspended", coroutine.status(thread))
    assert.is_true(coroutine.resume(thread, "an answer"))
    assert.equal("an answer", answer)
  end)

  it("an error of Lua's own about it is explained", function()
    local sock = connect()
    ws.spawn(function() inside_c(function() sock:receive() end) error "went on" end)
    ws.spawn(function() table.sort({ 2, 1 }, function() return sock:receive() end) end)
    assert.equal(2, #reports)
    assert.matches("went on", reports[1][1])
    assert.matches("table.sort", reports[2][1])
  end)

  it("plain Lua 5.1 says why its `for` cannot wait, and next_message() can", function()
    local sock, got = connect(), {}
    ws.spawn(function() for data in sock:messages() do got[#got + 1] = data end end)
    sock:send "one"
    sock:send "bye"
    helper.closed(sock)
    if helper.is_plain_51 then
      assert.same({ {}, 1 }, { got, #reports })
      assert.matches("Lua 5.1 neither inside pcall nor in a `for`", reports[1][1])
    else
      assert.same({ { "one" }, 0 }, { got, #reports })
    end
  end)

  it("inside a pcall that lets coroutines give way they wait on every Lua", function()
    local pcall, got = helper.pcall, {} -- coxpcall's on plain 5.1
    ws.spawn(function()
      got = { pcall(function(text)
        local sock = connect()
        sock:send(text)
        local ok, data = pcall(sock.receive, sock)
        ws.sleep(1)
        error({ ok, data })
      end, "caught") }
    end)
    wait_until(function() return got[2] end)
    assert.same({ false, { true, "caught" } }, got)
  end)
end)
