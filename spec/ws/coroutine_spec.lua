-- SPDX-License-Identifier: MIT
-- Waiting instead of handlers: ws.spawn, ws.sleep, ws.connect, receive and messages, in
-- coroutines of the loop and outside any. How messages are held for receive is in
-- inbox_spec.lua.

local ws = require "ws"
local helper = require "spec.helper"

local raised, wait_until = helper.raised, helper.wait_until

describe("waiting", function()
  local server, url, socks, reports

  local function connect(protocols, options)
    local sock = assert(ws.connect(url, protocols, options))
    socks[#socks + 1] = sock
    return sock
  end

  before_each(function()
    socks, reports = {}, {}
    server, url = helper.echo_server {
      protocols = { "p" },
      upgrade = function(request)
        if request.path == "/no" then return false, 403, "not you" end
      end,
      message = function(sock, data, opcode)
        if data == "bye" then sock:close(4001, "as you wish")
        elseif data == "drop" then sock:terminate()
        elseif data ~= "silence" then sock:send(data, opcode) end
      end,
    }
    ws.onerror = function(message, traceback) reports[#reports + 1] = { message, traceback } end
  end)

  after_each(function()
    ws.onerror = nil
    for _, sock in ipairs(socks) do sock:terminate() end
    helper.close_server(server)
  end)

  -- The same must hold in all of these.
  local ways = {
    ["outside any coroutine"] = function(fn) fn() end,
    ["in a coroutine of the loop"] = function(fn)
      local done, failure
      ws.spawn(function()
        local ok, message = helper.pcall(fn)
        done, failure = true, not ok and message
      end)
      wait_until(function() return done end)
      if failure then error(failure, 0) end
    end,
    ["in a coroutine of the user's"] = function(fn)
      local thread = coroutine.create(fn)
      local ok, message = coroutine.resume(thread)
      if not ok then error(message, 0) end
      assert.equal("dead", coroutine.status(thread))
    end,
  }

  for way, run in pairs(ways) do
    it("connect gives an open socket, " .. way, function()
      run(function()
        local sock = connect({ "p" }, { headers = { ["X-A"] = "b" } })
        assert.same({ 1, "p", url }, { sock.readyState, sock.protocol, sock.url })
        assert.equal("p", connect("p").protocol)
        assert.equal("p", connect({ protocols = "p" }).protocol)
      end)
    end)

    it("connect gives nil, message, code when it fails, " .. way, function()
      local listener, port = helper.raw_server()
      listener:close()
      run(function()
        local sock, message, code = ws.connect(("ws://127.0.0.1:%d/"):format(port))
        assert.same({ nil, "ECONNREFUSED" }, { sock, code })
        assert.is_string(message)
        sock, message, code = ws.connect(url .. "no")
        assert.same({ nil, "EHANDSHAKE" }, { sock, code })
        assert.matches("403.*not you", message)
      end)
    end)

    it("connect raises for wrong arguments, naming the caller's line, " .. way, function()
      run(function()
        for bad, protocols in pairs { http = "a", ["ftp://h/"] = "a", [url] = { "a", "a" } } do
          assert.matches("coroutine_spec.lua:%d+: SyntaxError",
            raised(function() local s = ws.connect(bad, protocols) return s end))
        end
        assert.matches("coroutine_spec.lua:%d+: TypeError",
          raised(function() local s = ws.connect(url, nil, { no = 1 }) return s end))
      end)
    end)

    it("connect keeps to its `timeout`, " .. way, function()
      local listener, port = helper.raw_server() -- never answers
      run(function()
        local before = ws.now()
        local sock, message, code = ws.connect(("ws://127.0.0.1:%d/"):format(port), nil,
          { timeout = 40 })
        assert.same({ nil, "ETIMEDOUT" }, { sock, code })
        assert.matches("http", message)
        assert.is_true(ws.now() - before >= 39)
      end)
      listener:close()
    end)

    it("receive gives messages with their opcode, " .. way, function()
      run(function()
        local sock = connect()
        sock:send "text"
        sock:send("\255", "binary")
        sock:send ""
        assert.same({ "text", "text" }, { sock:receive() })
        assert.same({ "\255", "binary" }, { sock:receive(1000) })
        assert.same({ "", "text" }, { sock:receive() })
      end)
    end)

    it("receive gives nil, \"timeout\" after ms, and can go on, " .. way, function()
      run(function()
        local sock = connect()
        local before = ws.now()
        assert.same({ nil, "timeout" }, { sock:receive(30) })
        local took = ws.now() - before
        assert.is_true(took >= 29 and took < 5000)
        assert.same({ nil, "timeout" }, { sock:receive(0) })
        sock:send "late"
        assert.equal("late", sock:receive(2000))
      end)
    end)

    it("receive gives nil, \"closed\", code, reason at the end, and again, " .. way, function()
      run(function()
        local sock = connect()
        sock:send "one"
        sock:send "bye"
        assert.equal("one", sock:receive())
        for _ = 1, 2 do
          assert.same({ nil, "closed", 4001, "as you wish" }, { sock:receive() })
        end
        assert.equal(3, sock.readyState)
        sock = connect()
        sock:send "drop"
        assert.same({ nil, "closed", 1006, "" }, { sock:receive() })
      end)
    end)

    it("messages gives them until the connection is closed, " .. way, function()
      run(function()
        local sock, got = connect(), {}
        for _, data in ipairs { "a", "", "b", "bye" } do sock:send(data) end
        helper.each(sock:messages(), function(data, opcode)
          got[#got + 1] = data .. ":" .. opcode
        end)
        assert.same({ "a:text", ":text", "b:text" }, got)
        assert.is_nil((sock:messages()()))
      end)
    end)

    it("sleep waits, and others are served meanwhile, " .. way, function()
      local ticks = 0
      local id = ws.setInterval(function() ticks = ticks + 1 end, 3)
      run(function()
        local before = ws.now()
        ws.sleep(25)
        assert.is_true(ws.now() - before >= 24)
        ws.sleep(0)
        while ticks < 2 and ws.now() - before < 5000 do ws.sleep(1) end
      end)
      ws.clearInterval(id)
      assert.is_true(ticks >= 2)
    end)

    it("raises for what is no time, " .. way, function()
      run(function()
        local sock = connect()
        assert.matches("coroutine_spec.lua:%d+: TypeError",
          raised(function() ws.sleep("5") end))
        assert.matches("coroutine_spec.lua:%d+: TypeError",
          raised(function() ws.sleep() end))
        assert.matches("coroutine_spec.lua:%d+: TypeError",
          raised(function() local data = sock:receive("5") return data end))
      end)
    end)
  end

  -- -------------------------------------------------------------------- spawn

  it("spawn starts at once, up to the first wait, and returns the coroutine", function()
    local steps = {}
    local thread = ws.spawn(function(a, b)
      steps[1] = a .. b
      ws.sleep(1)
      steps[2] = "after"
    end, "x", "y")
    assert.equal("thread", type(thread))
    assert.same({ "xy" }, steps)
    wait_until(function() return steps[2] end)
    assert.equal("dead", coroutine.status(thread))
  end)

  it("spawned ones run side by side", function()
    local order = {}
    for i = 1, 3 do
      ws.spawn(function()
        local sock = connect(nil, { parallel = true })
        sock:send(tostring(i))
        order[#order + 1] = "sent"
        sock:receive()
        order[#order + 1] = "got"
        sock:close()
      end)
    end
    wait_until(function() return #order == 6 end)
    -- This would be the order if they ran one after the other.
    assert.not_equal("sent got sent got sent got", table.concat(order, " "))
  end)

  it("spawn takes what can be called, and raises for the rest", function()
    local got
    ws.spawn(setmetatable({}, { __call = function(_, argument) got = argument end }), 5)
    assert.equal(5, got)
    local list = {}
    ws.spawn(table.insert, list, "by C")
    assert.same({ "by C" }, list)
    assert.matches("coroutine_spec.lua:%d+: TypeError", raised(function() ws.spawn(5) end))
    assert.matches("coroutine_spec.lua:%d+: TypeError", raised(function() ws.spawn() end))
  end)

  it("S85 an error in one goes to ws.onerror, with the coroutine's traceback", function()
    local function deep() error("in the deep") end
    ws.spawn(function() deep() end)
    ws.spawn(function() ws.sleep(1) deep() end)
    wait_until(function() return #reports == 2 end)
    for _, report in ipairs(reports) do
      assert.matches("coroutine_spec.lua:%d+: in the deep$", report[1])
      assert.matches("stack traceback:.*deep", report[2])
    end
  end)

  it("sockets and servers can be to-be-closed variables", function()
    if not coroutine.close then return pending "this Lua has none" end
    local states = {}
    ws.spawn(assert(load [[
      local ws, states = ...
      local server <close> = assert(ws.serve { port = 0 })
      local url = ("ws://127.0.0.1:%d/"):format(server.port)
      local kept
      do
        local sock <close> = assert(ws.connect(url))
        kept = sock
        states[1] = sock.readyState
      end
      states[2] = kept.readyState
      kept:addEventListener("close", function(event) states[3] = event.code end)
      ws.sleep(0)
      local failed <close> = ws.new(url)
      failed.onclose = function(event) states[4] = event.code end
      local over <close> = kept
      states.url = url
    ]]), ws, states)
    wait_until(function() return states[3] and states[4] end)
    local late = ws.new(states.url)
    late.onclose = function(event) states[5] = event.code end
    wait_until(function() return states[5] end)
    states.url = nil
    assert.same({ 1, 2, 1005, 1006, 1006 }, states)
  end)

  it("an error in one closes its to-be-closed variables, as in coroutine.wrap", function()
    if not coroutine.close then return pending "this Lua has none" end
    local closed = {}
    local closing = setmetatable({}, { __close = function(_, why)
      closed[#closed + 1] = why
      if why == "worse" then error("while closing", 0) end
    end })
    local body = assert(load [[
      local ws, closing, raised, ms = ...
      local variable <close> = closing
      if ms then ws.sleep(ms) end
      error(raised, 0)
    ]])
    ws.spawn(body, ws, closing, "at once")
    ws.spawn(body, ws, closing, "worse", 1)
    wait_until(function() return #reports == 3 end)
    assert.same({ "at once", "worse" }, closed)
    assert.equal("at once", reports[1][1])
    assert.equal("worse", reports[2][1])
    assert.matches("stack traceback:.*error", reports[2][2])
    assert.equal("while closing", reports[3][1])
  end)

  describe("outside any coroutine, when ws.onerror raises", function()
    local function fail_soon()
      ws.onerror = function(message) error("worse: " .. message, 0) end
      ws.setTimeout(function() error("bad", 0) end, 0)
    end

    it("receive ends with that, and loses no message", function()
      local sock = connect()
      fail_soon()
      assert.equal("worse: bad", raised(sock.receive, sock))
      sock:send "one"
      sock:send "two"
      assert.same({ "one", "text" }, { sock:receive(5000) })
      assert.same({ "two", "text" }, { sock:receive(5000) })
    end)

    it("what came in the same turn is given first", function()
      local sock = connect()
      sock:addEventListener("pong", function() error("bad", 0) end)
      ws.onerror = function(message) error("worse: " .. message, 0) end
      sock:send "one"
      sock:ping() -- leaves in one write with the message; so do the answers
      assert.same({ "one", "text" }, { sock:receive(5000) })
      assert.equal("worse: bad", raised(ws.poll, 0))
    end)

    it("ws.connect ends with that, and leaves no connection", function()
      local closed = 0
      local slow = assert(ws.serve { port = 0, upgrade = function() ws.sleep(20) end,
        close = function() closed = closed + 1 end })
      fail_soon()
      assert.equal("worse: bad", raised(ws.connect, "ws://127.0.0.1:" .. slow.port))
      ws.onerror = nil
      wait_until(function() return closed == 1 end, 5000, "the connection's end")
      slow:close()
    end)
  end)

  it("a handler may spawn, and a coroutine may spawn another", function()
    local got
    local sock = ws.new(url)
    socks[1] = sock
    sock.onopen = function()
      ws.spawn(function()
        local other = connect()
        ws.spawn(function()
          other:send "nested"
          got = other:receive()
        end)
      end)
    end
    wait_until(function() return got end)
    assert.equal("nested", got)
  end)

  it("coroutines of the user's own work inside one", function()
    local got = {}
    ws.spawn(function()
      local sock = connect()
      local numbers = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
      for n in numbers do
        sock:send(tostring(n))
        got[n] = sock:receive()
      end
    end)
    wait_until(function() return got[3] end)
    assert.same({ "1", "2", "3" }, got)
  end)

  -- ------------------------------------------------------- where none may wait

  it("inside a handler nothing may wait, and the error says what to do", function()
    local messages = {}
    local sock = connect()
    ws.setTimeout(function()
      messages[1] = raised(function() ws.sleep(1) end)
      messages[2] = raised(function() local s = ws.connect(url) return s end)
      messages[3] = raised(function() local data = sock:receive() return data end)
      messages[4] = raised(function() for data in sock:messages() do print(data) end end)
      messages[5] = "done"
    end, 0)
    wait_until(function() return messages[5] end)
    for i, name in ipairs { "ws.sleep", "ws.connect", "receive", "messages" } do
      assert.matches(name .. ": cannot wait inside a handler: use ws.spawn", messages[i])
    end
    for i = 1, 4 do assert.matches("^[^ ]*coroutine_spec.lua:%d+: ", messages[i]) end
  end)

  it("inside a coroutine of one's own nothing may wait either, and the error says so", function()
    local messages = {}
    local function try(nth)
      coroutine.wrap(function() messages[nth] = raised(function() ws.sleep(1) end) end)()
    end
    ws.setTimeout(function() try(1) end, 0)
    ws.spawn(function()
      ws.sleep(0)
      try(2)
    end)
    wait_until(function() return messages[1] and messages[2] end)
    for nth = 1, 2 do
      assert.matches("ws.sleep: cannot wait inside a coroutine of your own: use ws.spawn",
        messages[nth])
    end
  end)

  it("what refused to wait left nothing behind", function()
    local sock, tried = connect(), false
    ws.setTimeout(function() pcall(sock.receive, sock) tried = true end, 0)
    wait_until(function() return tried end)
    sock:send "for the next"
    assert.equal("for the next", sock:receive(1000))
    assert.equal(1, server.connections)
  end)

  it("inside a handler receive gives what is there already", function()
    local sock, got = connect(), {}
    sock:receive(0)
    sock:send "a"
    sock:send "b"
    helper.turn_for(30)
    ws.setTimeout(function() got = { sock:receive() } end, 0)
    wait_until(function() return got[1] end)
    assert.same({ "a", "text" }, got)
  end)

  -- -------------------------------------------------------- lives and deaths

  it("S183 a waiting coroutine is kept, though nobody else holds it", function()
    local got
    ws.spawn(function() ws.sleep(10) got = "slept" end)
    collectgarbage() collectgarbage()
    wait_until(function() return got end)
    got = nil
    ws.spawn(function()
      local sock = assert(ws.connect(url))
      sock:send "x"
      ws.sleep(5)
      got = sock:receive()
      sock:close()
    end)
    for _ = 1, 5 do ws.poll(2) collectgarbage() collectgarbage() end
    wait_until(function() return got end)
    assert.equal("x", got)
  end)

  it("and is let go of when it is over", function()
    local held = setmetatable({}, { __mode = "k" })
    do
      local done
      held[ws.spawn(function()
        local sock = assert(ws.connect(url))
        sock:receive(1)
        sock:close()
        sock:receive()
        done = true
      end)] = true
      wait_until(function() return done end)
    end
    wait_until(function() return server.connections == 0 end)
    helper.settle()
    collectgarbage() collectgarbage()
    assert.is_nil(next(held))
  end)

  it("one that was closed while it waited hurts nobody", function()
    if not coroutine.close then return pending "this Lua has no coroutine.close" end
    local sock, got = connect(), {}
    local dead = ws.spawn(function() got.dead = sock:receive() end)
    ws.spawn(function() got.alive = sock:receive() end)
    local sleeper = ws.spawn(function() ws.sleep(5) got.sleeper = true end)
    local connecting = ws.spawn(function() got.connecting = ws.connect(url) end)
    assert(coroutine.close(dead) and coroutine.close(sleeper) and coroutine.close(connecting))
    sock:send "for the living"
    wait_until(function() return got.alive end)
    helper.turn_for(20)
    assert.same({ alive = "for the living" }, got)
    assert.same({}, reports)
    for there in server:clients() do there:terminate() end
  end)

  it("many whose waits ended otherwise do not gather on a silent socket", function()
    local sock, got, alive = connect(), nil, 0
    ws.spawn(function() got = sock:receive() end)
    local held = setmetatable({}, { __mode = "k" })
    for i = 1, 200 do
      local thread = ws.spawn(function() sock:receive(i % 2 == 0 and 60000 or nil) end)
      held[thread] = true
      assert(coroutine.resume(thread)) -- as a handler would that has something else for it
      assert.equal("dead", coroutine.status(thread))
    end
    collectgarbage() collectgarbage()
    for _ in pairs(held) do alive = alive + 1 end
    assert.is_true(alive < 50, alive .. " of 200 are still there")
    sock:send "for the first"
    wait_until(function() return got end)
    assert.equal("for the first", got)
    sock:terminate()
    helper.settle() -- their timers are gone, too
  end)

  it("errors of other handlers do not end a wait outside coroutines", function()
    local sock = connect()
    ws.setTimeout(function() error("elsewhere") end, 1)
    ws.setTimeout(function() sock:send "x" end, 5)
    assert.equal("x", sock:receive())
    assert.equal(1, #reports)
  end)

  it("S112 close while another waits ends the wait", function()
    local sock, got = connect(), nil
    ws.spawn(function() got = { sock:receive() } end)
    sock:close(3001, "enough")
    assert.is_nil(got) -- not inside the call
    wait_until(function() return got end)
    assert.same({ nil, "closed", 3001, "enough" }, got)
  end)
end)

describe("a coroutine that is closed while it waits in ws.connect", function()
  it("leaves no socket behind", function()
    if not coroutine.close then return pending "there is no coroutine.close" end
    local server, url = helper.echo_server()
    local thread = ws.spawn(function() ws.connect(url) end)
    coroutine.close(thread)
    helper.turn_for(50)
    helper.wait_until(function() return server.connections == 0 end)
    server:close()
  end)
end)
