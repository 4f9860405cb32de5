-- SPDX-License-Identifier: MIT
-- The Lua type ws.session (csrc/lua/lua_session.c): both sides talk in memory, with
-- their bytes cut anywhere, with wrong arguments, without memory, and while the Lua
-- state is closed.

local core = require "ws.core"
local turning = require "spec.lua.turning"

-- Takes all events that wait in a session, as lists.
local function events(session)
  local list = {}
  while true do
    local event = { session:next() }
    if not event[1] then return list end
    list[#list + 1] = event
  end
end

local function pass(from, to)
  local bytes = from:output()
  to:feed(bytes)
  return bytes
end

-- An open client and an open server.
local function pair(options, accepted, headers)
  local given = { role = "client", url = "ws://example.org/chat?x=1" }
  for name, value in pairs(options or {}) do given[name] = value end
  local client = core.session(given)
  local server = core.session { role = "server", maxPayload = given.maxPayload,
                                deflate = given.deflate }
  pass(client, server)
  local request = events(server)[1]
  local ok, message = server:accept(accepted, headers)
  if not ok then error(message, 0) end
  pass(server, client)
  return client, server, request[2], events(client)[1]
end

describe("core.session", function()
  it("opens both sides, and shows the request", function()
    local client, server, request, open = pair({ protocols = { "a", "b" }, origin = "http://o",
      headers = { "X-A", "1" } }, "b", { "X-B", "2" })
    assert.equal("/chat", request.path)
    assert.equal("x=1", request.query)
    assert.equal("example.org", request.headers.host)
    assert.equal("1", request.headers["x-a"])
    assert.equal("http://o", request.origin)
    assert.same({ "a", "b" }, request.protocols)
    assert.is_true(request.upgrade)
    assert.is_nil(request.remoteAddress)
    assert.same({ "open", "b", "" }, open)
    assert.equal(1, client:state())
    assert.equal(1, server:state())
  end)

  it("carries messages of all kinds, byte by byte", function()
    local client, server = pair()
    for _, message in ipairs { { "", "text" }, { "a\0b", "text" }, { "\0\255", "binary" },
                               { ("x"):rep(70000), "binary" } } do
      assert.is_true(client:send(message[1], message[2]))
      local bytes = client:output()
      if #bytes < 100 then
        for i = 1, #bytes - 1 do
          server:feed(bytes:sub(i, i))
          assert.is_nil(server:next())
        end
        server:feed(bytes:sub(-1))
      else
        server:feed(bytes)
      end
      assert.same({ { "message", message[1], message[2] } }, events(server))
    end
    assert.equal("", client:output())
  end)

  it("gives several events of one piece, one by one", function()
    local client, server = pair()
    client:send(1)
    client:control("ping", "p")
    client:send("2", "binary")
    client:control("pong")
    client:close(3000, "bye")
    pass(client, server)
    assert.same({ { "message", "1", "text" }, { "ping", "p" }, { "message", "2", "binary" },
                  { "pong", "" }, { "close", 3000, "bye" } }, events(server))
    pass(server, client)
    assert.same({ { "pong", "p" }, { "close", 3000, "bye" } }, events(client))
    assert.is_true(client:clean())
    assert.is_true(server:clean())
    assert.equal(2, client:state())
  end)

  it("keeps the data of an event through what comes after it", function()
    local client, server = pair()
    client:send("one")
    pass(client, server)
    local _, data = server:next()
    server:feed(("y"):rep(5000))
    collectgarbage()
    assert.equal("one", data)
  end)

  it("compresses when both want it", function()
    local client, server, _, open = pair { deflate = { threshold = 0 } }
    assert.matches("permessage%-deflate", open[3])
    client:send(("z"):rep(10000))
    assert.is_true(#pass(client, server) < 200)
    assert.same({ { "message", ("z"):rep(10000), "text" } }, events(server))
  end)

  it("refuses with a response", function()
    local client = core.session { role = "client", url = "ws://a/" }
    local server = core.session { role = "server" }
    pass(client, server)
    events(server)
    assert.is_nil((server:refuse(101)))
    assert.is_nil((server:refuse(-1)))
    assert.is_nil((server:refuse(2 ^ 40)))
    assert.has_error(function() server:refuse(0 / 0) end)
    assert.is_true(server:refuse(403, "no\0", { "X-A", "b" }))
    assert.is_nil((server:refuse(403)))
    assert.is_nil((server:accept()))
    pass(server, client)
    client:endInput()
    local list = events(client)
    assert.equal("error", list[#list][1])
    assert.matches("403", list[#list][2])
    assert.equal("EHANDSHAKE", list[#list][3])
  end)

  it("takes plain HTTP, answered by someone else", function()
    local server = core.session { role = "server" }
    server:feed("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    local list = events(server)
    assert.equal("request", list[1][1])
    assert.is_false(list[1][2].upgrade)
    assert.same({ "body", "ab" }, list[2])
    server:feed("cd")
    assert.same({ { "body", "cd" }, { "bodyEnd" } }, events(server))
    server:finish()
    server:finish()
    server:feed("rest")
    assert.same({}, events(server))
  end)

  it("without a limit takes plain HTTP with a body, too", function()
    local server = core.session { role = "server", maxPayload = 0 }
    server:feed("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
    local list = events(server)
    assert.equal("request", list[1][1])
    assert.same({ { "body", "ab" }, { "bodyEnd" } }, { list[2], list[3] })
  end)

  it("tells the peer's mistakes as one error", function()
    for bytes, code in pairs { ["\255\255\255\255"] = "EPROTOCOL",
                               ["\129\133aaaa\255\255\255\255\255"] = "EUTF8",
                               ["\129\5hello"] = "EPROTOCOL",
                               ["\130\255\127\255\255\255\255\255\255\255aaaa"] = "ETOOBIG" } do
      local _, server = pair()
      server:feed(bytes)
      local list = events(server)
      assert.equal(1, #list)
      assert.equal("error", list[1][1])
      assert.is_string(list[1][2])
      assert.equal(code, list[1][3])
      assert.equal(3, server:state())
      server:feed("more")
      assert.same({}, events(server))
    end
    local server = core.session { role = "server" }
    server:feed("\0\1\2 nonsense\r\n\r\n")
    assert.equal("error", events(server)[1][1])
  end)

  it("knows when the input ended", function()
    local client, server = pair()
    client:endInput()
    client:endInput()
    assert.same({}, events(client))
    assert.is_false(client:clean())
    local waiting = core.session { role = "client", url = "ws://a/" }
    waiting:endInput()
    assert.equal("error", events(waiting)[1][1])
    assert.same({}, events(waiting))
    server:endInput()
    assert.same({}, events(server))
  end)
end)

describe("a session's arguments", function()
  it("at its making: wrong ones raise", function()
    for _, wrong in ipairs { 5, "x", true, print } do
      assert.has_error(function() core.session(wrong) end)
    end
    assert.has_error(function() core.session() end)
    for _, role in ipairs { "Client", "", 5, true } do
      assert.error_matches(function() core.session { role = role, url = "ws://a/" } end,
                           "TypeError: role")
    end
    assert.error_matches(function() core.session {} end, "TypeError: role")
    for _, url in ipairs { "", "x", "ftp://a/", "ws://a\0b/", "ws://a/#f" } do
      assert.matches("session_spec.lua:%d+: SyntaxError",
        turning.raised(function() core.session { role = "client", url = url } end))
    end
    assert.error_matches(function() core.session { role = "client" } end, "SyntaxError")
    for name, value in pairs { protocols = "a", headers = "a", origin = 5, maxPayload = -1,
                               url = 7 } do
      local given = { role = "client", url = "ws://a/", [name] = value }
      assert.error_matches(function() core.session(given) end, "TypeError")
    end
    assert.error_matches(function()
      core.session { role = "client", url = "ws://a/", headers = { "Upgrade", "x" } }
    end, "TypeError")
    assert.has_error(function() core.session { role = "server", deflate = 5 } end)
  end)

  it("at its making: those that are too many are not looked at", function()
    for _, more in ipairs { 5, "x", {} } do
      local session = core.session({ role = "client", url = "ws://a/" }, more, more)
      assert.matches("^GET / HTTP/1.1\r\n", session:output())
    end
  end)

  it("of every method survive all odd values, in every state", function()
    for _, method in ipairs { "feed", "send", "control", "close", "accept", "refuse", "next",
                              "output", "finish", "state", "endInput", "clean" } do
      local fresh = core.session { role = "server" }
      local client, open = pair()
      local asked = core.session { role = "server" }
      pass(core.session { role = "client", url = "ws://a/" }, asked)
      asked:next()
      for _, session in ipairs { fresh, client, open, asked } do
        assert.is_true(turning.survives(session[method], session, 3), method)
        events(session)
      end
    end
  end)

  it("close: codes and reasons that may not be are nil and why, or raise", function()
    for _, code in ipairs { 1, 999, 1004, 1005, 1006, 1015, 5000, 65535, 65536, 2 ^ 32 + 1000,
                            -1, 2 ^ 53 } do
      local client = pair()
      local ok, _, name = client:close(code)
      assert.is_nil(ok)
      assert.equal("EINVAL", name)
      assert.equal(1, client:state())
    end
    local client = pair()
    assert.error_matches(function() client:close(1000, ("x"):rep(124)) end, "SyntaxError")
    assert.has_error(function() client:close("soon") end)
    assert.has_error(function() client:close(1000, {}) end)
    assert.is_nil((client:close(nil, "a reason without code")))
    assert.is_true(client:close(1000, "a\0b"))
    assert.is_true(client:close(1000))
  end)

  it("control: ping or pong, at most 125 bytes", function()
    local client = pair()
    for _, name in ipairs { "Ping", "", "close" } do
      assert.error_matches(function() client:control(name) end, "TypeError")
    end
    assert.has_error(function() client:control() end)
    assert.error_matches(function() client:control("ping", ("x"):rep(126)) end, "TypeError")
    assert.is_true(client:control("ping", ("x"):rep(125)))
  end)

  it("close: a reason has at most 123 bytes", function()
    assert.is_true(pair():close(1000, ("x"):rep(123)))
    assert.error_matches(function() pair():close(1000, ("x"):rep(124)) end,
                         "SyntaxError: close: at most 123 bytes")
  end)

  it("send: only what is text as text, and only while open", function()
    local client = pair()
    assert.error_matches(function() client:send("\255") end, "TypeError: send: text is not UTF")
    assert.error_matches(function() client:send({}) end, "TypeError")
    assert.error_matches(function() client:send() end, "TypeError")
    client:close(1000)
    assert.equal("EINVAL", select(3, client:send("late")))
    local early = core.session { role = "client", url = "ws://a/" }
    assert.equal("EINVAL", select(3, early:send("early")))
    assert.equal("EINVAL", select(3, early:accept()))
  end)
end)

describe("a session's memory", function()
  it("all comes back, whatever state it was left in", function()
    local baseline = turning.live()
    core.session { role = "client", url = "ws://a/" }
    core.session { role = "server" }:feed("GET / HT")
    local client, server = pair({ deflate = { threshold = 0 } })
    client:send(("x"):rep(100000), "binary")
    server:feed(client:output():sub(1, 40))
    events(server)
    pcall(core.session, { role = "client", url = "no" })
    client, server = nil, nil -- luacheck: ignore 311
    turning.no_more(baseline)
  end)

  it("that is not there is what making and sending raise", function()
    local raised = 0
    for k = 1, 8 do
      core.failAllocation(k)
      local ok, message = pcall(core.session, { role = "client", url = "ws://a:b@c/" })
      core.failAllocation(0)
      if not ok then
        raised = raised + 1
        assert.matches("not enough memory", message)
      end
    end
    assert.is_true(raised > 2, raised)
    local client, server = pair()
    pass(client, server)
    core.failAllocation(1)
    local ok, message = pcall(client.send, client, ("x"):rep(100000))
    core.failAllocation(0)
    assert.is_false(ok)
    assert.matches("not enough memory", message)
  end)

  it("may run out at any step: an error is raised or told", function()
    local baseline = turning.live()
    local failures = 0
    for k = 1, 40 do
      core.failAllocation(k)
      local ok, message = pcall(function()
        local client, server = pair({ deflate = { threshold = 0 }, protocols = { "a" } }, "a")
        client:send(("abc"):rep(3000))
        client:control("ping", "x")
        client:close(1000, "why")
        pass(client, server)
        local list = events(server)
        if list[#list][1] ~= "close" then error(list[#list][2], 0) end
      end)
      core.failAllocation(0)
      if not ok then
        failures = failures + 1
        assert.is_string(message)
      end
      turning.no_more(baseline, "left behind after " .. k)
    end
    assert.is_true(failures > 5)
  end)

  it("is not what has only its metatable", function()
    local session = core.session { role = "server" }
    local other = io.tmpfile()
    local its = debug.getmetatable(other)
    debug.setmetatable(other, debug.getmetatable(session))
    local messages = {}
    for _, name in ipairs { "state", "next", "output" } do
      local ok, message = pcall(session[name], other)
      messages[#messages + 1] = not ok and message:match "TypeError: .*"
    end
    debug.setmetatable(other, its) -- so that its finalizer runs, too
    other:close()
    local expected = "TypeError: ws.session expected, got userdata"
    assert.same({ expected, expected, expected }, messages)
  end)

  -- For a child process: the nth finalizer calls `knock` while session:METHOD() runs.
  local with_finalizers = [[
      pcall(collectgarbage, "incremental", 4, 1000, 8) -- a step at every 256 bytes
      local function during(method, session, knock, nth)
        local n, done = 0, false
        local function litter()
          finally(function()
            n = n + 1
            if n == nth and not done then pcall(knock, session) end
            if n < nth and not done then litter() end
          end)
        end
        litter()
        local first, second = session[method](session)
        done = true
        return first, second
      end
  ]]

  it("stays where it is while an event is told, whatever a finalizer does", function()
    local code, output = turning.child(with_finalizers .. [[
      local core = require "ws.core"
      local head = { "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" }
      local value = ("v"):rep(150)
      for i = 1, 60 do head[i + 1] = "X-" .. i .. ": " .. value .. "\r\n" end
      local request = table.concat(head) .. "\r\n"
      local frame = "\129\254\15\160\0\0\0\0" .. ("m"):rep(4000) -- text, masked by zeros
      local knocks = {
        function(session) session:accept() end,
        function(session) session:feed(request:rep(50)) end,
        function(session) for _ = 1, 3 do session:next() end end,
        function(session) session:accept() session:feed(frame:rep(9)) session:next() end,
      }
      for _, knock in ipairs(knocks) do
        for nth = 1, 40 do
          local session = core.session { role = "server" }
          session:feed(request)
          local _, seen = during("next", session, knock, nth)
          for i = 1, 60 do assert(seen.headers["x-" .. i] == value) end
          assert(session:accept())
          session:output()
          session:feed(frame)
          local kind, data = during("next", session, knock, nth)
          assert(kind == "message" and data == ("m"):rep(4000))
        end
      end
      local ends = {
        function(session) session:close() end,
        function(session) session:finish() end,
        function(session) session:refuse(403, "no", {}) end,
      }
      for _, knock in ipairs(ends) do
        for nth = 1, 10 do
          for garbage = 1, 200, 40 do -- where in the telling it comes
            local session = core.session { role = "server" }
            session:feed(request)
            value = ("v"):rep(garbage) .. nth
            local kind, seen = during("next", session, knock, nth)
            assert(kind == "request" and seen.path == "/")
            for i = 1, 60 do assert(seen.headers["x-" .. i] == ("v"):rep(150)) end
          end
        end
      end
      print "looked"]])
    assert.equal(0, code, output)
    assert.equal("looked\n", output)
  end)

  it("gives each byte of its output once, whatever a finalizer does meanwhile", function()
    local code, output = turning.child(with_finalizers .. [[
      local core = require "ws.core"
      local request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        .. "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
      local taken, sent = {}, 0
      local function take(session, bytes) taken[#taken + 1] = bytes or session:output() end
      local function send(session)
        sent = sent + 1
        session:send(("%05d"):format(sent):rep(200), "binary")
      end
      local knocks = {
        take, send,
        function(session) take(session) send(session) take(session) send(session) end,
        function(session) for _ = 1, 50 do send(session) end take(session) end,
      }
      for _, knock in ipairs(knocks) do
        for nth = 1, 20 do
          local session = core.session { role = "server" }
          session:feed(request)
          session:next()
          session:accept()
          session:output()
          taken, sent = {}, 0
          for _ = 1, 3 do
            for _ = 1, 5 do send(session) end
            take(session, (during("output", session, knock, nth)))
          end
          take(session)
          local frames = {}
          for i = 1, sent do frames[i] = "\130\126\3\232" .. ("%05d"):format(i):rep(200) end
          local all = table.concat(taken)
          assert(#all == #table.concat(frames), #all .. " bytes of " .. sent .. " frames")
          for _, frame in ipairs(frames) do assert(all:find(frame, 1, true)) end
        end
      end
      print "looked"]])
    assert.equal(0, code, output)
    assert.equal("looked\n", output)
  end)

  it("is not needed by a finalizer that comes after the session's own", function()
    local code, output = turning.child [[
      local core = require "ws.core"
      local holder = {}
      holder.last = finally(function()
        for _, name in ipairs { "feed", "next", "output", "send", "control", "close", "accept",
                                "refuse", "finish", "state", "endInput", "clean" } do
          pcall(holder.session[name], holder.session, "ping", "x")
        end
        print "looked"
      end)
      holder.session = core.session { role = "client", url = "ws://a/" }
      holder.session:next()]]
    assert.equal(0, code, output)
    assert.equal("looked\n", output)
  end)
end)
