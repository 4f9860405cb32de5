-- SPDX-License-Identifier: MIT
-- Measures one point of `make growth`: growing.lua NAME SIZE prints us=, the CPU
-- time of this process per unit (a message, a timer, a connection ...).

local ws = require "ws"

local measures = {}

-- Repeats `once`, which is `units` units of work, until it has taken long enough.
-- The first time does not count: it gets memory from the system.
local function repeated(units, once)
  if units <= 10000 then once() end
  local rounds, before, until_ms = 0, os.clock(), ws.now() + 1000
  repeat
    once()
    rounds = rounds + 1
  until os.clock() - before > 0.3 or ws.now() > until_ms
  return (os.clock() - before) * 1e6 / (rounds * units)
end

local function turn_until(condition)
  local deadline = ws.now() + 60000
  while not condition() do
    assert(ws.now() < deadline, "it takes too long")
    ws.poll(100)
  end
end

-- Opens `count` connections with both ends in this process; returns the server, its
-- sockets and the clients.
local function pairs_of(count, options)
  local sockets, clients, opened = {}, {}, 0
  local given = { port = 0, idleTimeout = 0, maxBackpressure = 2 ^ 31,
    maxPayload = 2 ^ 26, open = function(sock) sockets[#sockets + 1] = sock end }
  local server = assert(ws.serve(given))
  for i = 1, count do
    clients[i] = ws.new("ws://127.0.0.1:" .. server.port, options)
    clients[i].onopen = function() opened = opened + 1 end
    turn_until(function() return opened == i and #sockets == i end)
  end
  return server, sockets, clients
end

-- --------------------------------------------------------------- the timers

function measures.timers(size)
  return repeated(size, function()
    local fired, stopped, set = 0, 0, {}
    for i = 1, size do
      set[i] = ws.setTimeout(function() fired = fired + 1 end, (i * 7919) % 5)
    end
    for i = 2, size, 2 do
      ws.clearTimeout(set[i])
      stopped = stopped + 1
    end
    turn_until(function() return fired + stopped == size end)
  end)
end

-- --------------------------------------------------------------- the topics

local function topic_names(size)
  local names = {}
  for i = 1, size do names[i] = "topic " .. i end
  return names
end

--- The unit is a delivery; `size` is the number of a server's topics.
function measures.topics(size)
  local names, came, at = topic_names(size), 0, 0
  local server, sockets, clients = pairs_of(1)
  for _, name in ipairs(names) do sockets[1]:subscribe(name) end
  clients[1].onmessage = function() came = came + 1 end
  return repeated(100, function()
    came = 0
    for _ = 1, 100 do
      at = at % size + 1
      assert(server:publish(names[at], "news") == 1)
    end
    turn_until(function() return came == 100 end)
  end)
end

--- The unit is a subscription and its end; `size` is how many one socket has.
function measures.subscriptions(size)
  local names = topic_names(size)
  local _, sockets = pairs_of(1)
  local sock = sockets[1]
  return repeated(size, function()
    for _, name in ipairs(names) do sock:subscribe(name) end
    for _, name in ipairs(names) do assert(sock:unsubscribe(name)) end
  end)
end

--- The unit is a delivery; `size` is the number of a topic's subscribers.
function measures.subscribers(size)
  local came = 0
  local server, sockets, clients = pairs_of(size)
  for i = 1, size do
    sockets[i]:subscribe "all"
    clients[i].onmessage = function() came = came + 1 end
  end
  return repeated(size, function()
    came = 0
    server:publish("all", "news")
    turn_until(function() return came == size end)
  end)
end

-- --------------------------------------------------------------- the frames

--- The unit is a fragment; `size` is how many a message has.
function measures.fragments(size)
  local protocol = ws.protocol
  local client, server = protocol.client { url = "ws://h/" }, protocol.server()
  server:feed(client:output())
  for _ in server:events() do end -- luacheck: ignore 542
  local body = "\138\0\0\0\0" .. ("x"):rep(10) -- masked with the key 0
  local first = size > 1 and "\2" or "\130"
  local last = size > 1 and "\128" .. body or ""
  local bytes = first .. body .. ("\0" .. body):rep(math.max(0, size - 2)) .. last
  return repeated(size, function()
    local came
    for at = 1, #bytes, 65536 do
      server:feed(bytes:sub(at, at + 65535))
      for event in server:events() do came = event.data end
    end
    assert(#came == 10 * size)
  end)
end

-- The unit is a frame; `size` is how many wait for a peer that does not read.
local function queued(size, payload)
  local _, sockets, clients = pairs_of(1)
  local came = 0
  clients[1].onmessage = function() came = came + 1 end
  return repeated(size, function()
    came = 0
    clients[1]:pause()
    for _ = 1, size do sockets[1]:send(payload) end
    clients[1]:resume()
    turn_until(function() return came == size end)
  end)
end

function measures.queued(size) return queued(size, ("x"):rep(500)) end
function measures.queued_long(size) return queued(size, ("x"):rep(65536)) end

-- ---------------------------------------------------------- the connections

-- Opens clients in a process of its own, which ends when one gets a message. They
-- use several addresses: on one, the system would search long for a free port.
local function hold(port, count)
  local started = 0
  local function start()
    if started == count then return end
    started = started + 1
    local url = ("ws://127.0.0.%d:%s"):format(1 + started % 8, port)
    local sock = ws.new(url, nil, { parallel = true })
    sock.onopen = start
    function sock.onmessage() os.exit(0, false) end
  end
  for _ = 1, 100 do start() end
  ws.run()
end

-- A server with `size` connections, and the CPU time until all were open.
local function held(size)
  local server = assert(ws.serve { host = "0.0.0.0", port = 0, idleTimeout = 0 })
  local holder = assert(io.popen(("exec '%s' '%s' hold %d %d"):format(
    arg[-1], arg[0], server.port, size), "w"))
  local before = os.clock()
  turn_until(function() return server.connections == size end)
  -- Some may still be in their handshake.
  local open = 0
  turn_until(function()
    open = open + 1
    return open > 5
  end)
  return server, holder, (os.clock() - before) * 1e6 / size
end

function measures.opening(size)
  local server, holder, us = held(size)
  server:close()
  turn_until(function() return server.connections == 0 end)
  holder:close()
  return us
end

--- The server closes all of them with the closing handshake.
function measures.closing(size)
  local server, holder = held(size)
  local before = os.clock()
  server:close()
  turn_until(function() return server.connections == 0 end)
  local us = (os.clock() - before) * 1e6 / size
  holder:close()
  return us
end

--- All clients vanish at once, without a Close.
function measures.vanishing(size)
  local server, holder = held(size)
  local before = os.clock()
  server:clients()():send "end"
  turn_until(function() return server.connections == 0 end)
  local us = (os.clock() - before) * 1e6 / size
  holder:close()
  return us
end

if arg[1] == "hold" then
  hold(arg[2], tonumber(arg[3]))
else
  print(("us=%.4f"):format(measures[arg[1]](tonumber(arg[2]))))
  io.stdout:flush()
  os.exit(0, false)
end
