-- SPDX-License-Identifier: MIT
-- Scenarios (see scenarios.lua) with the whole of `ws`: events, coroutines, its
-- server, the protocol alone.

local ws = require "ws"
local core = require "ws.core"
local scene = require "spec.faults.scene"
local ws_scene = require "spec.faults.ws_scene"

local same, certs, suspended = scene.same, scene.certs, scene.suspended
local list = {}
local squeezable = ("again and "):rep(200)

local function scenario(name, run, more)
  local entry = { name = "ws: " .. name, run = run, scene = ws_scene }
  for key, value in pairs(more or {}) do entry[key] = value end
  list[#list + 1] = entry
end

local function ended(s, tasks)
  s:wait(function() return s.done == tasks end)
end

scenario("send and receive in a coroutine", function(s)
  s:serve()
  s:task(function()
    local sock = s:got(ws.connect(s.url))
    sock:send "hello"
    same((s:got(sock:receive(3000))), "hello")
    sock:send("\1\2", "binary")
    same(select(2, s:got(sock:receive(3000))), "binary")
    sock:close(1000, "bye")
    local none, why = sock:receive()
    same(none, nil)
    same(why, "closed")
  end)
  ended(s, 1)
end)

scenario("two that receive from one", function(s)
  s:serve()
  local sock
  s:task(function()
    sock = s:got(ws.connect(s.url))
    local got = 0
    for _ = 1, 2 do
      s:task(function()
        same(#s:got(sock:receive(3000)), 3)
        got = got + 1
        if got == 2 then sock:close() end
      end)
    end
    sock:send "one"
    sock:send "two"
  end)
  ended(s, 3)
end)

scenario("waiting outside any coroutine", function(s)
  s:serve()
  local sock = s:got(ws.connect(s.url))
  s.socks[1] = sock
  sock:send "hello"
  same((s:got(sock:receive(3000))), "hello")
  sock:close()
  for data in sock:messages() do same(data, nil) end
  ws.sleep(20)
end, { all = true }) -- found: it waited for an event that could not be delivered

scenario("events", function(s)
  s:serve { protocols = { "chat" } }
  local seen = { open = 0, message = 0, error = 0, close = 0 }
  local sock = ws.new(s.url, "chat")
  s.socks[1] = sock
  sock.onopen = function() sock:send "hello" end
  sock.onmessage = function(event)
    seen.message = seen.message + 1
    same(event.data, "hello")
    sock:close(1000, "done")
  end
  sock:addEventListener("error", function(event)
    seen.error = seen.error + 1
    s.errors = s.errors + 1
    s.last_error = event.message
  end)
  sock:addEventListener("close", function() seen.close = seen.close + 1 end)
  s:wait(function() return seen.close > 0 end)
  same(seen.close, 1)
  if seen.error == 0 and s.errors == 0 then same(seen.message, 1) end
end)

scenario("server that asks first", function(s)
  s:serve {
    origins = { "https://example.org" },
    upgrade = function(request)
      ws.sleep(10)
      if request.path == "/no" then return false, 404, "nothing here" end
      return { data = { name = request.path }, headers = { ["X-Seen"] = "yes" } }
    end,
    open = function(sock) sock:subscribe("all") end,
    message = function(sock, data) sock:publish("all", sock.data.name .. data) sock:send(data) end,
  }
  s.no_proof = true
  s:task(function()
    local one, two = s:got(ws.connect(s.url .. "one")), s:got(ws.connect(s.url .. "two"))
    one:send "hello"
    same((s:got(two:receive(3000))), "/onehello")
    same((s:got(one:receive(3000))), "hello")
    local none, _, code = ws.connect(s.url .. "no")
    same(none, nil)
    if s.errors == 0 then same(type(code), "string") end
    one:close()
    two:terminate()
    one:receive()
  end)
  ended(s, 1)
end)

scenario("plain HTTP", function(s)
  s:serve { request = function(_, response)
    ws.sleep(5)
    response:writeHead(200, { ["Content-Type"] = "text/plain" })
    response:write "begun, "
    response:finish "ended"
  end }
  local raw = s:raw()
  raw:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
  s:wait(function() return raw:pump().ended end)
  if #raw.bytes > 0 and s.errors == 0 then
    same(raw.bytes:sub(1, 9), "HTTP/1.1 ")
    if raw.bytes:sub(10, 12) == "200" then same(raw.bytes:match "begun, .-ended" ~= nil, true) end
  end
end)

scenario("redirects", function(s)
  s:serve { upgrade = function(request)
    if request.path == "/" then return false, 302, nil, { Location = "/there" } end
    return true
  end }
  s.no_proof = true
  s:task(function()
    local sock = s:got(ws.connect(s.url, nil, { followRedirects = 2 }))
    sock:send "hello"
    same((s:got(sock:receive(3000))), "hello")
    sock:close()
    sock:receive()
  end)
  ended(s, 1)
end)

scenario("TLS and compression", function(s)
  s.proof = { tls = { ca = certs .. "root.pem" }, compression = true }
  s:serve { compression = { threshold = 0 },
            tls = { cert = certs .. "server.pem", key = certs .. "leaf.key" } }
  s:task(function()
    local sock = s:got(ws.connect(s.url, nil, s.proof))
    sock:send(squeezable)
    same((s:got(sock:receive(3000))), squeezable)
    sock:close()
    sock:receive()
  end)
  ended(s, 1)
end, { heavy = true })

scenario("timers", function(s)
  local fired, every = 0, nil
  ws.setTimeout(function() fired = fired + 1 end, 5)
  every = ws.setInterval(function()
    fired = fired + 1
    if fired > 4 then ws.clearInterval(every) end
  end, 2)
  s.every = every
  s:task(function() ws.sleep(10) end)
  s:wait(function() return fired > 4 and s.done == 1 end)
end, { finally = function(s) ws.clearInterval(s.every) end })

-- Found: when memory ran out where kept messages are passed to a new listener, the
-- socket neither read nor told anything any more.
scenario("messages kept for a listener", function(s)
  local got, sock = 0, nil
  local function hear() got = got + 1 end
  local function listen() sock.onmessage = hear end
  suspended(function()
    s.no_proof = true
    s:serve { message = function(conn) for _ = 1, 3 do conn:send "kept" end end }
    sock = s:got(ws.connect(s.url))
    s.socks[1] = sock
    sock:send "three"
    s:wait(function() return core.connection.internals.state(sock).inbox.last == 3 end)
  end)
  pcall(listen)
  for _ = 1, 5 do pcall(ws.poll, 0) end
  suspended(function()
    listen()
    s.errors, got = 0, 0
    sock:send "three more"
    s:wait(function() return got >= 3 or sock.readyState ~= 1 end)
  end)
end, { all = true })

-- Found: when memory ran out for the timer of a receive, the next message was lost to it.
scenario("a receive after one that failed", function(s)
  local sock
  suspended(function()
    s.no_proof = true
    s:serve()
    sock = s:got(ws.connect(s.url))
    s.socks[1] = sock
  end)
  pcall(sock.receive, sock, 1)
  suspended(function()
    s.errors = 0
    sock:send "hello"
    local data = sock:receive(3000)
    if sock.readyState == 1 then same(data, "hello") end
  end)
end, { all = true })

-- Found: when memory ran out just after an interval had begun, or where it was being
-- stopped, nobody could stop it any more.
local ids = { false, false, false }
local function nothing() end

scenario("intervals that nobody holds", function(s)
  for i = 1, #ids do ids[i] = s.fresh.set_interval(nothing, 1) end
  for i = 1, #ids do coroutine.wrap(s.fresh.clear)(ids[i]) end -- each call needs memory
end, { all = true, scene = { new = function()
  local s = ws_scene.new()
  s.fresh = assert(loadfile "lua/ws/loop.lua")() -- with an empty table of timers
  s.fresh.get()
  function s.strike()
    for i, id in ipairs(ids) do ids[i] = s.fresh.clear(id) or false end
    local wrong = s.fresh.get():alive() and "one goes on" or nil
    s.fresh.get():close()
    return wrong
  end
  return s
end } })

-- ------------------------------------------------------------------ no loop

scenario("the protocol alone", function()
  local client = ws.protocol.client { url = "ws://example.org/", compression = { threshold = 0 } }
  local server = ws.protocol.server { compression = { threshold = 0 } }
  local got
  for _ = 1, 6 do
    server:feed(client:output())
    for event in server:events() do
      if event.type == "request" then server:accept() end
      if event.type == "message" then server:send(event.data, event.opcode) end
      if event.type == "error" then error(event.message, 0) end
    end
    client:feed(server:output())
    for event in client:events() do
      if event.type == "open" then client:send(squeezable) end
      if event.type == "message" then got = event.data client:close(1000) end
      if event.type == "error" then error(event.message, 0) end
    end
  end
  same(got, squeezable)
end)

scenario("bytes", function()
  local url = core.url("wss://user:word@example.org:8443/path?query")
  if not url then error("no URL", 0) end
  same(core.base64(core.sha1("abc")), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")
  same(core.mask(core.mask("some bytes", "\1\2\3\4"), "\1\2\3\4"), "some bytes")
  same(core.validUtf8("\255"), false)
end)

return list
