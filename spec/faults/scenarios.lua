-- SPDX-License-Identifier: MIT
-- What faults are tried on. A scenario is a name, a function of a scene, which can be
-- run again and again, and what its runs share (`prepare`, called once).
-- `never_opens`: whatever fails, no connection may open.

local core = require "ws.core"
local scene = require "spec.faults.scene"

local same = scene.same
local list = {}

local function scenario(name, run, more)
  local entry = { name = name, run = run }
  for key, value in pairs(more or {}) do entry[key] = value end
  list[#list + 1] = entry
end

local long = ("0123456789abcdef"):rep(20000) -- 320,000 bytes
local medium = ("x"):rep(20000)
local squeezable = ("to be compressed, "):rep(300)

-- ------------------------------------------------------- opening and closing

scenario("loop", function(s)
  for _, poller in ipairs { false, "poll" } do
    local loop = assert(core.loop(poller or nil))
    s.spare = loop
    loop:onError(function() s.errors = s.errors + 1 end)
    local fired = false
    loop:timer(5, false, function() fired = true end)
    s:wait(function()
      loop:turn(10)
      return fired
    end)
    loop:close()
  end
end, { finally = function(s) if s.spare then s.spare:close() end end })

scenario("connect", function(s)
  local client = s:open { headers = { "X-Name", "value", "X-Other", "another" } }
  client.conn:rawClose(1000)
  s:ended(client, 1000)
end, { given = true })

scenario("accept", function(s)
  s:server({ judge = function(conn, request)
    assert(conn:accept(request.protocols[1], { "X-Path", request.path }))
  end })
  local client = s:open { url = s.url .. "room?x=1", protocols = { "chat" } }
  same(client.conn.protocol, "chat")
  s:goodbye(client)
end)

scenario("echo", function(s)
  local client = s:open()
  s:echo(client, "hello", "text")
  s:echo(client, squeezable)
  s:goodbye(client)
end, { given = true })

scenario("close by the client", function(s)
  local client = s:open()
  client.conn:rawClose(1000, "bye")
  s:ended(client, 1000)
  same(client.clean, true)
end, { given = true })

scenario("close by the server", function(s)
  s:server({}, { message = function(conn) conn:rawClose(4001, "enough") end })
  local client = s:open()
  client.conn:send "x"
  s:ended(client, 4001)
  if client.reason ~= "" then same(client.reason, "enough") end -- "": no memory for it
end)

scenario("terminate by the client", function(s)
  local client = s:open()
  client.conn:send(long, "binary")
  client.conn:terminate()
  s:wait(function() return client.closes > 0 end)
  same(client.code, 1006)
end, { given = true, calm = true })

scenario("terminate by the server", function(s)
  s:server({}, { message = function(conn) conn:terminate() end })
  local client = s:open({ expects_error = true })
  client.conn:send "x"
  s:wait(function() return client.closes > 0 end)
  same(client.code, 1006)
end)

scenario("abandoned while it connects", function(s)
  local client = s:client({ expects_error = true })
  client.conn:rawClose()
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end, { given = true })

scenario("server close", function(s)
  local server = s:server()
  s.no_proof = true
  local one, two = s:open(), s:open()
  server:close(1012)
  s:ended(one, 1012)
  s:ended(two, 1012)
end)

scenario("server options", function(s)
  local server = s:server { maxPayload = 500, idleTimeout = 60000, handshakeTimeout = 3000,
    maxBackpressure = 4096, highWaterMark = 100, lowWaterMark = 50, noDelay = false,
    maxConnections = 5, backlog = 3, reusePort = true, dropPublishes = true, closeTimeout = 900 }
  same(server:host(), "127.0.0.1")
  local client = s:open()
  s:echo(client, "not too long")
  same(server:connections(), 1)
  s:goodbye(client)
end)

scenario("too many", function(s)
  s.crowded = true
  s:server { maxConnections = 1 }
  local client = s:open()
  local other = s:client({ expects_error = true })
  s:wait(function() return other.closes > 0 end)
  same(other.open, 0)
  s:goodbye(client)
end)

scenario("many clients", function(s)
  local clients = {}
  for i = 1, 8 do clients[i] = s:client() end
  for _, client in ipairs(clients) do
    s:wait(function() return client.open > 0 end, client)
    s:echo(client, "each")
  end
  for _, client in ipairs(clients) do s:goodbye(client) end
end, { given = true })

-- ------------------------------------------------------------------ messages

scenario("big message", function(s)
  local client = s:open()
  s:echo(client, long)
  s:goodbye(client)
end, { given = true })

scenario("short messages in a row", function(s)
  local client = s:open()
  for _ = 1, 40 do client.conn:send("short one", "text") end
  s:wait(function() return client.messages == 40 end, client)
  same(client.data, "short one")
  s:goodbye(client)
end, { given = true })

local function frame(first, payload)
  return string.char(first, 128 + #payload, 0, 0, 0, 0) .. payload
end

scenario("fragments", function(s)
  local got
  s:server({}, { message = function(_, data) got = data end })
  local raw = s:raw()
  raw:send(scene.upgrade)
  s:wait(function() return raw:take("\r\n\r\n") or raw.ended end)
  raw:send(frame(1, "one ") .. frame(0, "") .. frame(137, "ping"))
  s:pass(50)
  for letter in ("two"):gmatch "." do raw:send(frame(0, letter)) end
  raw:send(frame(128, " three"))
  s:wait(function()
    if raw:pump().ended and not got then error(scene.BROKEN, 0) end
    return got
  end)
  same(got, "one two three")
  raw:send(frame(136, "\3\232"))
  s:wait(function() return raw:pump().ended end)
end)

scenario("ping and pong", function(s)
  local pinged, ponged = 0, 0
  s:server({}, { ping = function() pinged = pinged + 1 end,
                 pong = function() ponged = ponged + 1 end,
                 message = function(conn) conn:ping "from the server" end })
  local client = s:open()
  client.conn:ping "marked"
  client.conn:pong "unasked"
  client.conn:send "x"
  s:wait(function() return pinged == 1 and ponged == 2 and client.pong end, client)
  same(client.pong, "marked")
  s:goodbye(client)
end)

scenario("pause and resume", function(s)
  local client = s:open()
  client.conn:pause()
  client.conn:send(medium, "binary")
  s:pass(200)
  same(client.messages, 0)
  client.conn:resume()
  s:wait(function() return client.messages == 1 end, client)
  client.conn:hold(true)
  client.conn:hold(false)
  s:goodbye(client)
end, { given = true })

scenario("backpressure and drain", function(s)
  local drained = false
  local server = s:server({ highWaterMark = 1000, lowWaterMark = 100 }, {
    message = function(conn)
      conn:send(long, "binary")
      drained = conn:send(long, "binary") -- false: a drain event will come
    end,
    drain = function() drained = true end,
  })
  same(server:connections(), 0)
  local client = s:open()
  client.conn:send "all of it"
  s:wait(function() return client.messages == 2 and drained end, client)
  same(#client.data, #long)
  s:goodbye(client)
end)

scenario("too slow a reader", function(s)
  local sent
  s:server({ maxBackpressure = 100000 }, {
    calm = true,
    message = function(conn)
      for _ = 1, 40 do conn:send(long, "binary") end
      sent = true
    end,
  })
  local client = s:open({ expects_error = true })
  client.conn:pause()
  client.conn:send "x"
  s:wait(function() return sent or s.served_closed > 0 end)
  client.conn:resume()
  s:wait(function() return client.closes > 0 end)
end)

-- --------------------------------------------------------------- compression

local function compressed(name, server, client, run)
  scenario(name, function(s)
    s:server { deflate = server }
    run(s, s:open { deflate = client })
  end)
end

compressed("deflate", { threshold = 0, clientNoContextTakeover = true,
  serverNoContextTakeover = true }, { threshold = 0 }, function(s, client)
  s:echo(client, squeezable, "text")
  s:echo(client, "")
  s:goodbye(client)
end)

compressed("deflate with takeover", { threshold = 0 }, { threshold = 0 }, function(s, client)
  for i = 1, 3 do s:echo(client, squeezable .. i, "text") end
  s:goodbye(client)
end)

compressed("deflate in small windows", { threshold = 0, serverMaxWindowBits = 9,
  clientMaxWindowBits = 9 }, { threshold = 0, level = 1 }, function(s, client)
  s:echo(client, long)
  client.conn:send(squeezable, "text", { compress = false })
  s:wait(function() return client.messages == 2 end, client)
  s:goodbye(client)
end)

-- Sixteen connections have deflaters: the least recently used one gives up its own.
compressed("deflate for more than the pool holds", { threshold = 0 }, { threshold = 0 },
  function(s, first)
    local clients = { first }
    for i = 2, 9 do clients[i] = s:open { deflate = { threshold = 0 } } end
    for _ = 1, 2 do
      for _, client in ipairs(clients) do s:echo(client, squeezable) end
    end
    for _, client in ipairs(clients) do s:goodbye(client) end
  end)

-- -------------------------------------------------------------------- topics

local function subscriber(conn) conn:subscribe "news" end

scenario("publish", function(s)
  local server = s:server({}, { open = subscriber,
    message = function(conn, data) conn:publish("news", data) end })
  local one, two = s:open(), s:open()
  server:publish("news", "from the server")
  s:wait(function() return one.messages == 1 and two.messages == 1 end, one)
  one.conn:send "from one"
  s:wait(function() return two.messages == 2 end, two)
  same(two.data, "from one")
  s:goodbye(one)
  s:goodbye(two)
end)

scenario("subscribe and unsubscribe", function(s)
  local server = s:server({}, { message = function(conn, data)
    if data == "in" then
      for i = 1, 20 do conn:subscribe("topic " .. i) end
      conn:send(tostring(#conn:topics()))
    else
      for i = 1, 20 do conn:unsubscribe("topic " .. i) end
      conn:send(tostring(#conn:topics()))
    end
  end })
  local client = s:open()
  client.conn:send "in"
  s:wait(function() return client.data end, client)
  same(client.data, "20")
  client.conn:send "out"
  s:wait(function() return client.messages == 2 end, client)
  same(client.data, "0")
  same(server:publish("topic 1", "x"), 0)
  s:goodbye(client)
end)

scenario("a topic of many", function(s)
  local server = s:server({ deflate = { threshold = 0 } }, { open = subscriber })
  local clients = {}
  for i = 1, 10 do clients[i] = s:open(i > 6 and { deflate = { threshold = 0 } } or nil) end
  server:publish("news", squeezable)
  server:publish("news", "short")
  for _, client in ipairs(clients) do
    s:wait(function() return client.messages == 2 end, client)
    same(client.data, "short")
  end
  for _, client in ipairs(clients) do s:goodbye(client) end
end)

-- ---------------------------------------------------------------------- time

scenario("timers", function(s)
  s.keeps_alive = true
  local fired = 0
  local function fire() fired = fired + 1 end
  for i = 1, 20 do s.loop:timer(i, false, fire) end
  local every = s.loop:timer(3, true, fire)
  s.loop:timer(1000, false, fire):stop()
  s.loop:post(fire)
  s:wait(function() return fired >= 25 end)
  every:stop()
end)

scenario("close timeout", function(s)
  local listener = s:raw_server()
  local client = s:client({ url = ("ws://127.0.0.1:%d/"):format(listener.port),
                            closeTimeout = 300, expects_error = true })
  scene.welcome(s, listener, client)
  client.conn:rawClose(1000)
  s:wait(function() return client.closes > 0 end)
  same(client.code, 1006)
end)

scenario("opening timeout", function(s)
  local listener = s:raw_server()
  local client = s:client({ url = ("ws://127.0.0.1:%d/"):format(listener.port), timeout = 300,
                            expects_error = true })
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end)

scenario("idle timeout", function(s)
  s:server({ idleTimeout = 1000 }, { calm = true })
  local raw = s:raw()
  raw:send(scene.upgrade)
  s:wait(function() return raw:pump().ended end)
end)

scenario("keep alive", function(s)
  s:server { idleTimeout = 1000 }
  local client = s:open { pingInterval = 200 }
  local until_ = core.now() + 1500
  s:wait(function() return core.now() > until_ end, client)
  s:goodbye(client)
end)

-- ------------------------------------------------------------ names and paths

scenario("connect by name", function(s)
  local client = s:open { url = s.url:gsub("127.0.0.1", "some.test") }
  s:echo(client, "by name")
  s:goodbye(client)
end, { given = true })

scenario("no such name", function(s)
  local client = s:client({ url = "ws://nowhere.test/", expects_error = true })
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end)

scenario("Unix socket", function(s)
  local path = s.prepared.path
  s.proof = { url = "ws://unix.test/", unixPath = path }
  s:server { path = path }
  local client = s:open(s.proof)
  s:echo(client, "by path")
  s:goodbye(client)
end, { prepare = function() return { path = os.tmpname() .. ".sock" } end })

scenario("nobody listens", function(s)
  local server = s:server()
  server:close()
  s.no_proof = true
  s:pass(50)
  local client = s:client({ expects_error = true })
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end)

scenario("port in use", function(s)
  local server = s:server()
  local other, _, code = s.loop:listen { host = "127.0.0.1", port = server:port(),
                                         handlers = core.handlers {} }
  same(other, nil)
  same(type(code), "string")
end)

-- --------------------------------------------------------------- the collector

scenario("collect", function(s)
  local weak = setmetatable({}, { __mode = "k" })
  do
    local server = s:server({}, { open = function(conn) weak[conn] = true end })
    weak[server] = true
  end
  local client = s:open()
  weak[client.conn] = true
  s:goodbye(client)
  s:wait(function() return s.served_closed == 1 end)
  s.servers[1]:close()
  s.servers[1], s.clients[1], client.conn = false, nil, nil
  s.no_proof = true
  s:wait(function() return not s.loop:alive() end)
  s.loop:turn(0)
  collectgarbage()
  collectgarbage()
  same(next(weak), nil)
end)

scenario("collect while alive", function(s)
  s:server({}, { open = function() collectgarbage() end })
  do
    s:client(nil, { open = function(conn)
      collectgarbage()
      conn:send "x"
    end })
  end
  local client = s.clients[1]
  s:wait(function() return client.messages == 1 end, client)
  s:goodbye(client)
end)

return list
