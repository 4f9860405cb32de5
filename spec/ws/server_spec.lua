-- SPDX-License-Identifier: MIT
-- ws.serve and its object over real sockets: the events of its handlers, its limits, and
-- what it sends after the handshake. Refused handshakes are in judge_spec.lua, plain
-- HTTP in response_spec.lua.

local ws = require "ws"
local helper = require "spec.helper"
local turning = require "spec.lua.turning"

local raised, wait_until = helper.raised, helper.wait_until

describe("ws.serve", function()
  local servers, socks, raws

  -- Serves, and records the arguments of each handler in a list under its name.
  local function serve(options)
    local seen = { open = {}, message = {}, close = {}, error = {}, drain = {} }
    local all = { port = 0 }
    for name, list in pairs(seen) do
      all[name] = function(sock, ...)
        list[#list + 1] = { sock, ... }
        if options and options[name] then options[name](sock, ...) end
      end
    end
    for name, value in pairs(options or {}) do
      if not seen[name] then all[name] = value end
    end
    local server = assert(ws.serve(all))
    servers[#servers + 1] = server
    return server, seen
  end

  local function client(server, options)
    local sock = ws.new(("ws://127.0.0.1:%d/"):format(server.port), options)
    socks[#socks + 1] = sock
    return helper.recorded(sock)
  end

  local function opened(server, options)
    local sock, log = client(server, options)
    wait_until(function() return sock.readyState == 1 end, 5000, "open")
    return sock, log
  end

  local function raw_open(server, changes)
    local raw = helper.raw_open(server.port, changes)
    raws[#raws + 1] = raw
    return raw
  end

  before_each(function() servers, socks, raws = {}, {}, {} end)

  after_each(function()
    for _, raw in ipairs(raws) do raw:close() end
    for _, sock in ipairs(socks) do sock:terminate() end
    for _, server in ipairs(servers) do
      helper.close_server(server)
    end
  end)

  local function count(list, n)
    wait_until(function() return #list >= (n or 1) end)
    return list[n or 1]
  end

  -- ------------------------------------------------------------- the object

  it("counts connections: one that is closed no more, not even in its own `close`", function()
    local counted = {}
    local server
    server = serve {
      open = function() counted[#counted + 1] = server.connections end,
      close = function() counted[#counted + 1] = server.connections end,
    }
    local first = opened(server)
    local second = opened(server)
    first:close()
    wait_until(function() return #counted == 3 end)
    second:terminate()
    wait_until(function() return #counted == 4 end)
    assert.same({ 1, 2, 1, 0 }, counted)
    assert.equal(0, server.connections)
  end)

  it("listens on a free port and says where", function()
    local server = serve()
    assert.is_true(server.port > 0)
    assert.equal("127.0.0.1", server.host)
    assert.equal(0, server.connections)
    assert.is_nil(server.nonsense)
    assert.equal("ws.server on 127.0.0.1 port " .. server.port, tostring(server))
    assert.matches("server_spec.lua:%d+: TypeError: cannot assign to 'port'",
      raised(function() server.port = 1 end))
  end)

  it("has methods that know a wrong self, and say how to call them", function()
    local server = serve()
    for _, name in ipairs { "clients", "publish", "close", "setTLS" } do
      for _, wrong in ipairs { "x", 5, {}, ws } do
        local message = helper.raised_there("TypeError", function() server[name](wrong) end)
        assert.matches(("%s: a server expected, got %s %%(call it as server:%s%%)")
          :format(name, type(wrong), name), message)
      end
    end
  end)

  it("gives nil, a message and EADDRINUSE for a port in use", function()
    local server = serve()
    local none, message, code = ws.serve { port = server.port }
    assert.is_nil(none)
    assert.equal("EADDRINUSE", code)
    assert.matches("port " .. server.port, message)
  end)

  it("gives nil, message, code for what is no address of this machine", function()
    local none, message, code = ws.serve { host = "192.0.2.1", port = 0 }
    assert.is_nil(none)
    assert.is_string(message)
    assert.equal("EADDRNOTAVAIL", code)
  end)

  it("shares a port with reusePort", function()
    local server = serve { reusePort = true }
    local second = serve { port = server.port, reusePort = true }
    assert.equal(server.port, second.port)
  end)

  it("raises for wrong options, naming them and the caller's line", function()
    for pattern, options in pairs {
      ["unknown option 'mesage'"] = { mesage = print },
      ["did you mean 'maxPayload'"] = { maxpayload = 1 },
      ["option 'port'"] = { port = 65536 },
      ["option 'open'"] = { open = 1 },
      ["option 'maxPayload'"] = { maxPayload = -1 },
      ["option 'backpressure'"] = { backpressure = "wait" },
      ["option 'origins'"] = { origins = 5 },
      ["'origins'.*list of strings"] = { origins = { ["https://a.test"] = true } },
    } do
      assert.matches("server_spec.lua:%d+: TypeError: .*" .. pattern,
        raised(function() ws.serve(options) end))
    end
    assert.matches("server_spec.lua:%d+: TypeError", raised(function() ws.serve() end))
    assert.error_matches(function() ws.serve { protocols = { "a", "a" } } end, "SyntaxError")
    assert.matches("serve: a table of options expected, got number",
      helper.raised_there("TypeError", function() assert(ws.serve(5)) end))
    assert.matches("lowWaterMark", helper.raised_there("TypeError",
      function() assert(ws.serve { lowWaterMark = 11, highWaterMark = 10 }) end))
    for _, more in ipairs { { port = 80 }, { host = "127.0.0.1" } } do
      more.path = "/nowhere/at/all.sock"
      assert.matches("'path'", helper.raised_there("TypeError",
        function() assert(ws.serve(more)) end))
    end
  end)

  it("says that a Unix socket's path is too long, or what else is none", function()
    local long = "/tmp/" .. ("x"):rep(104)
    assert.same({ nil, "cannot listen: the path is too long for a Unix socket", "EINVAL" },
      { ws.serve { path = long } })
    assert.matches("the path is too long for a Unix socket$", helper.raised_there("TypeError",
      function() return nil, ws.new("ws://localhost/", { path = long }) end))
    for _, fn in ipairs { ws.serve, function(given) ws.new("ws://localhost/", given) end } do
      assert.matches("option 'path': a path expected", raised(fn, { path = "/tmp/x\0y" }))
    end
  end)

  it("serves at a Unix socket's path", function()
    local path = os.tmpname()
    os.remove(path)
    local server, seen = serve { path = path }
    local sock = ws.new("ws://localhost/", { path = path })
    socks[1] = sock
    count(seen.open)
    assert.equal(1, server.connections)
    assert.equal("EADDRINUSE", select(3, ws.serve { path = path }))
    assert.equal("ws.server on " .. path, tostring(server))
  end)

  -- ----------------------------------------------------------- its handlers

  it("tells open, with the request; message; close", function()
    local server, seen = serve { protocols = { "b" } }
    local sock = ws.new(("ws://127.0.0.1:%d/a/b?c=d&e"):format(server.port), { "a", "b" },
      { headers = { ["X-Thing"] = "7" }, origin = "http://127.0.0.1:" .. server.port })
    socks[1] = sock
    local there, request = count(seen.open)[1], seen.open[1][2]
    assert.equal(1, there.readyState)
    assert.equal("b", there.protocol)
    assert.equal("127.0.0.1", there.remoteAddress)
    assert.is_nil(there.url)
    assert.equal("GET", request.method)
    assert.equal("/a/b", request.path)
    assert.equal("c=d&e", request.query)
    assert.equal("7", request.headers["x-thing"])
    assert.same({ "a", "b" }, request.protocols)
    assert.equal("http://127.0.0.1:" .. server.port, request.origin)
    assert.equal("127.0.0.1", request.remoteAddress)
    wait_until(function() return sock.readyState == 1 end)
    sock:send("text")
    sock:send("\0\255", "binary")
    count(seen.message, 2)
    assert.same({ there, "text", "text" }, seen.message[1])
    assert.same({ there, "\0\255", "binary" }, seen.message[2])
    sock:close(3001, "done")
    assert.same({ there, 3001, "done", true }, count(seen.close))
    assert.equal(0, #seen.error)
  end)

  it("gives open the browser's object: handlers, listeners, data", function()
    local got = {}
    local server, seen = serve {
      open = function(sock)
        sock.data = { n = 1 }
        sock.onmessage = function(event) got[1] = event end
        sock:addEventListener("close", function(event) got[2] = event end)
      end,
    }
    local sock = opened(server)
    sock:send("hello")
    wait_until(function() return got[1] end)
    assert.equal("hello", got[1].data)
    assert.equal(seen.open[1][1], got[1].target)
    assert.equal(1, got[1].target.data.n)
    assert.equal(1, #seen.message) -- the server's own handler still runs
    sock:close()
    wait_until(function() return got[2] end)
    assert.same({ 1005, "", true }, { got[2].code, got[2].reason, got[2].wasClean })
  end)

  it("takes anything that can be called as a handler, as a client does", function()
    local got = {}
    local function callable(fn)
      return setmetatable({}, { __call = function(_, ...) return fn(...) end })
    end
    local server = serve {
      open = callable(function(sock, request) got.path = request.path sock:send "hello" end),
      message = callable(function(_, data, opcode) got[1], got[2] = data, opcode end),
    }
    client(server, {
      message = callable(function(sock, data)
        sock:send(data, "binary")
        sock:close(3001, "done")
      end),
      close = callable(function(_, code) got.code = code end),
    })
    wait_until(function() return got.code end)
    assert.same({ "hello", "binary", path = "/", code = 3001 }, got)
    assert.matches("server_spec.lua:%d+: TypeError: .*'open': function expected, got 5",
      raised(function() ws.serve { open = 5 } end))
  end)

  it("lends messages as views to the raw handler; events carry strings", function()
    local told = {}
    local server = serve {
      views = true,
      open = function(sock)
        if sock.protocol == "" then return end
        sock.onmessage = function(event) told.event = event.data end
      end,
      message = function(sock, data)
        told.kind, told.size = type(data), #data
        sock:send(data)
      end,
      protocols = { "events" },
    }
    local sock = ws.new(("ws://127.0.0.1:%d/"):format(server.port), {
      views = true,
      open = function(this) this:send "hello" end,
      message = function(_, view) told.client = type(view) .. " " .. tostring(view) end,
    })
    socks[#socks + 1] = sock
    wait_until(function() return told.client end)
    assert.same({ kind = "userdata", size = 5, client = "userdata hello" }, told)
    local other = opened(server, { protocols = "events" })
    other:send "again"
    wait_until(function() return told.event end)
    assert.same({ event = "again", kind = "userdata", size = 5, client = told.client }, told)
  end)

  it("hands an error in a handler to ws.onerror and goes on", function()
    local reports = {}
    ws.onerror = function(message, traceback) reports[#reports + 1] = { message, traceback } end
    local server = serve { message = function(_, data) error("bad " .. data) end }
    local sock = opened(server)
    sock:send("1")
    sock:send("2")
    count(reports, 2)
    ws.onerror = nil
    assert.matches("server_spec.lua:%d+: bad 2$", reports[2][1])
    assert.matches("traceback", reports[2][2])
    assert.equal(1, sock.readyState)
  end)

  it("tells drain once bufferedAmount has fallen", function()
    local answers = {}
    local server, seen = serve {
      highWaterMark = 100000, lowWaterMark = 1000,
      open = function(sock)
        answers[1] = sock:send("x")
        answers[2] = sock:send(("x"):rep(8000000))
      end,
    }
    opened(server)
    local sock = count(seen.drain)[1]
    assert.same({ true, false }, answers)
    assert.is_true(sock.bufferedAmount <= 1000)
    assert.equal(1, #seen.drain)
  end)

  it("counts its connections and iterates over them", function()
    local server, seen = serve()
    local a, b = opened(server), opened(server)
    count(seen.open, 2)
    assert.equal(2, server.connections)
    local found = {}
    for sock in server:clients() do found[sock] = sock.readyState end
    assert.same({ [seen.open[1][1]] = 1, [seen.open[2][1]] = 1 }, found)
    a:close()
    count(seen.close)
    wait_until(function() return server.connections == 1 end)
    for sock in server:clients() do sock:close(1011) end
    assert.is_nil(server:clients()()) -- without those that are closing
    helper.closed(b)
  end)

  -- ---------------------------------------------------------------- the end

  it("R36 closes everybody with 1001 and listens no more", function()
    local server, seen = serve()
    local _, first = opened(server)
    local _, second = opened(server)
    local waiting = helper.raw_client(server.port) -- has not asked for anything yet
    raws[1] = waiting
    count(seen.open, 2)
    server:close()
    server:close(3000) -- a second one does nothing
    wait_until(function() return first.types() == "open close" end)
    wait_until(function() return second.types() == "open close" end)
    assert.equal(1001, first[2][2].code)
    assert.is_true(second[2][2].wasClean)
    count(seen.close, 2)
    assert.same({ 1001, "", true }, { seen.close[1][2], seen.close[1][3], seen.close[1][4] })
    waiting:wait(function(raw) return raw.ended end)
    local _, late = client(server)
    wait_until(function() return late.types() == "error close" end)
    assert.equal("ECONNREFUSED", late[1][2].code)
  end)

  it("R36 says 503 to who waits for an answer, and an answer that is whole arrives", function()
    local long, asked, over, server = ("x"):rep(4000000), 0, false, nil
    server = serve {
      upgrade = function()
        asked = asked + 1
        repeat ws.sleep(5) until over
      end,
      request = function(request, response)
        if request.path == "/wait" then asked = asked + 1 return end
        response:finish(long)
        server:close()
      end,
    }
    local function ask(bytes)
      raws[#raws + 1] = helper.raw_client(server.port, bytes)
      return raws[#raws]
    end
    local guests = { ask(helper.handshake()), ask "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" }
    wait_until(function() return asked == 2 end)
    local _, _, body = ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"):response()
    assert.is_true(body == long)
    for _, guest in ipairs(guests) do assert.equal(503, (guest:response())) end
    over = true
  end)

  it("closes with the code it is given", function()
    local server = serve()
    local _, log = opened(server)
    server:close(1012) -- one that only a server may send
    wait_until(function() return log[2] end)
    assert.equal(1012, log[2][2].code)
  end)

  it("R34 refuses codes that a server may not send, in close() of both", function()
    local server, seen = serve()
    opened(server)
    local sock = count(seen.open)[1]
    for _, code in ipairs { 0, 999, 1002, 1004, 1005, 1006, 1010, 1015, 2999, 5000, 65536,
                            1000.5, "x", true } do
      local pattern = "server_spec.lua:%d+: InvalidAccessError"
      assert.matches(pattern, raised(function() server:close(code) end))
      assert.matches(pattern, raised(function() sock:close(code) end))
    end
    assert.equal(1, sock.readyState)
    for _, code in ipairs { 1000, 1001, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014,
                            3000, 4999 } do
      local _, log = opened(server)
      local last = seen.open[#seen.open][1]
      last:close(code, "r")
      wait_until(function() return log[2] end)
      assert.same({ "close", code, "r" }, { log[2][1], log[2][2].code, log[2][2].reason })
    end
  end)

  -- ----------------------------------------------------------------- topics

  it("publishes to subscribers, and from a socket to all but itself", function()
    local server, seen = serve()
    local got = {}
    for i = 1, 3 do
      local sock = opened(server)
      sock.onmessage = function(event)
        got[#got + 1] = i .. event.data .. event.opcode:sub(1, 1)
      end
    end
    count(seen.open, 3)
    local a, b, c = seen.open[1][1], seen.open[2][1], seen.open[3][1]
    a:subscribe("news")
    a:subscribe("news") -- counts once
    b:subscribe("news")
    c:subscribe("other")
    server:publish("news", "x")
    a:publish("news", "y", "binary")
    c:publish("news", "z")
    server:publish("nobody's", "-")
    wait_until(function() return #got == 5 end)
    helper.turn_for(20)
    table.sort(got)
    assert.same({ "1xt", "1zt", "2xt", "2yb", "2zt" }, got)
    assert.same({ "news" }, a:topics())
    a:unsubscribe("news")
    assert.same({}, a:topics())
    server:publish("news", "w")
    wait_until(function() return #got == 6 end)
    assert.equal("2wt", got[6])
    assert.equal(1, server:publish("news", "v"))
    b:close() -- one that is closing gets nothing
    assert.equal(0, server:publish("news", "v"))
    assert.matches("server_spec.lua:%d+: TypeError",
      raised(function() server:publish("news", "\255") end))
    assert.error_matches(function() server:publish("news", {}) end, "TypeError")
    assert.error_matches(function() server:publish() end, "TypeError: publish: the topic: ")
    for _, method in ipairs { "subscribe", "unsubscribe", "publish" } do
      assert.matches(method .. ": the topic: a string expected, got table",
        helper.raised_there("TypeError", function() a[method](a, {}, "x") end))
    end
  end)

  it("has no topics for a client's socket, and none after the close", function()
    local server, seen = serve()
    local sock = opened(server)
    assert.error_matches(function() sock:subscribe("x") end, "TypeError")
    local there = count(seen.open)[1]
    there:subscribe("x")
    sock:close()
    count(seen.close)
    assert.same({}, there:topics())
    there:subscribe("x")
    server:publish("x", "nobody hears it")
  end)

  -- ----------------------------------------------------------------- limits

  it("R18 answers 503 above maxConnections, and lets in again", function()
    local server = serve { maxConnections = 2 }
    local first = opened(server)
    opened(server)
    local status, headers = helper.raw_client(server.port, helper.handshake()):response()
    assert.equal(503, status)
    assert.equal("close", headers.connection)
    assert.equal("0", headers["content-length"])
    local _, log = client(server)
    wait_until(function() return log.types() == "error close" end)
    assert.matches("503", log[1][2].message)
    first:close()
    wait_until(function() return server.connections == 1 end)
    opened(server)
  end)

  it("R18 drops one whose handshake takes longer than handshakeTimeout", function()
    local server, seen = serve { handshakeTimeout = 60 }
    local silent = helper.raw_client(server.port)
    local slow = helper.raw_client(server.port, "GET / HTTP/1.1\r\nHost: x\r\n")
    local before = ws.now()
    for _, raw in ipairs { silent, slow } do
      local answer = raw:all()
      assert.is_true(answer == "" or answer:find("^HTTP/1.1 408 ") ~= nil)
    end
    assert.is_true(ws.now() - before >= 40)
    assert.equal(0, #seen.open + #seen.error + #seen.close)
    local sock = opened(server) -- the time-out is only for the handshake
    helper.turn_for(80)
    assert.equal(1, sock.readyState)
  end)

  it("R18 answers 431 to a head that is too large", function()
    local server = serve()
    for _, more in ipairs { "X: " .. ("x"):rep(20000), ("X: y\r\n"):rep(200) .. "X: y" } do
      assert.equal(431, (helper.raw_client(server.port, helper.handshake(nil, more)):response()))
    end
  end)

  it("pings half-way through idleTimeout, and drops who never answers", function()
    local server, seen = serve { idleTimeout = 1000 }
    local silent = raw_open(server)
    local sock = opened(server) -- answers pings by itself
    local opcode, payload = silent:frame()
    assert.equal(9, opcode)
    assert.is_true(#payload <= 125)
    silent:wait(function(raw) return raw.ended end)
    assert.equal("ETIMEDOUT", count(seen.error)[3])
    assert.same({ 1006, "", false }, { seen.close[1][2], seen.close[1][3], seen.close[1][4] })
    helper.turn_for(1100)
    assert.equal(1, sock.readyState)
    assert.equal(1, #seen.close)
  end)

  local function overwhelm(server, seen, publish)
    local raw = raw_open(server) -- does not read
    local sock = count(seen.open)[1]
    sock:subscribe("t")
    local chunk, sent = ("x"):rep(200000), 0
    while sent < 100 and sock.readyState == 1 do
      if publish then server:publish("t", chunk) else sock:send(chunk, "binary") end
      sent = sent + 1
      ws.poll(0)
    end
    return raw, sock, sent
  end

  it("drops one that reads too slowly, above maxBackpressure, with 1013", function()
    local server, seen = serve { maxBackpressure = 500000 }
    local _, sock, sent = overwhelm(server, seen, false)
    assert.is_true(sent < 100)
    count(seen.close)
    assert.equal("EBACKPRESSURE", seen.error[1][3])
    assert.matches("maxBackpressure", seen.error[1][2], 1, true)
    assert.equal(1013, seen.close[1][2])
    assert.is_false(seen.close[1][4])
    assert.equal(3, sock.readyState)
  end)

  it("with backpressure = \"drop\" it drops publishes instead", function()
    local server, seen = serve { maxBackpressure = 500000, backpressure = "drop" }
    local raw, sock, sent = overwhelm(server, seen, true)
    assert.equal(100, sent)
    assert.equal(1, sock.readyState)
    assert.is_true(sock.bufferedAmount <= 700000)
    local frames = 0
    wait_until(function() raw:pump() return sock.bufferedAmount == 0 end)
    server:publish("t", "last")
    local _, payload
    repeat
      _, payload = raw:frame()
      frames = frames + 1
    until payload == "last"
    assert.is_true(frames > 2 and frames < 100)
    assert.equal(0, #seen.error)
  end)

  it("maxPayload is 1 MiB: one byte more is 1009", function()
    local server, seen = serve()
    local sock, log = opened(server)
    sock:send(("x"):rep(1048576))
    assert.equal(1048576, #count(seen.message)[2])
    sock:send(("x"):rep(1048577))
    wait_until(function() return log.types() == "open close" end)
    assert.equal(1009, log[2][2].code)
    assert.equal("ETOOBIG", seen.error[1][3])
    assert.matches("maxPayload", seen.error[1][2], 1, true)
  end)

  -- Lua 5.1 and LuaJIT do not collect a weak key to which its own value refers.
  it("is collected once it is closed, though its handlers know it", function()
    local function come_and_go()
      local known = {}
      known.server = assert(ws.serve { port = 0, open = function() return known.server end })
      known.server:close()
      helper.settle()
    end
    come_and_go()
    local before = turning.live()
    for _ = 1, 200 do come_and_go() end -- far more than other tests have left
    wait_until(function() return turning.live() <= before end)
  end)
end)
