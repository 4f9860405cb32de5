-- SPDX-License-Identifier: MIT
-- Scenarios (see scenarios.lua) that are as short as possible around points where a
-- bug was found once. All their points are tried, even with QUICK=1. Each comment says
-- what the bug was.

local core = require "ws.core"
local scene = require "spec.faults.scene"

local list = {}

local function scenario(name, run)
  list[#list + 1] = { name = "found: " .. name, run = run, all = true }
end

-- When a loop, a set of handlers or a timer could not be made completely, its
-- references stayed in the registry.
scenario("half a loop", function(s)
  s.spare = assert(core.loop())
  s.spare:close()
end)
list[1].finally = function(s) if s.spare then s.spare:close() end end

scenario("half a set of handlers", function(s)
  local function nothing() end
  s.loop:listen { host = "127.0.0.1", handlers = core.handlers {
    open = nothing, message = nothing, close = nothing, error = nothing, drain = nothing,
    ping = nothing, pong = nothing } }:close()
end)

scenario("half a timer", function(s)
  for _ = 1, 5 do s.loop:timer(1000, true, function() end):stop() end
end)

-- One that could not be called, as the first to be called in its loop, kept the loop
-- alive for ever.
scenario("a timer that cannot be called", function(s)
  pcall(type, s) -- now there is the memory in which the turn raises
  s.loop:timer(0, false, function() end)
  s.loop:turn(5)
end)

-- They stayed active although the caller had not been given the object.
scenario("a listener that nobody holds", function(s)
  s.loop:listen({ host = "127.0.0.1", handlers = core.handlers {} }):close()
end)

scenario("a connection that nobody holds", function(s)
  s:client { url = "ws://127.0.0.1:1/", expects_error = true }
end)

-- Its port was said to be 0 when getsockname failed.
scenario("a listener without an address", function(s)
  local server = s.loop:listen { host = "127.0.0.1", handlers = core.handlers {} }
  if not server then error("not listening", 0) end
  local port = server:port()
  server:close()
  scene.same(port > 0, true)
end)

-- The resolver's answer was never taken when waking the loop failed.
scenario("an answer that wakes nobody", function(s)
  local client = s:client({ url = "ws://nowhere.test/", expects_error = true })
  s:wait(function() return client.closes > 0 end)
  scene.same(client.open, 0)
end)

-- Made beforehand: unlike Lua itself, string.rep does not try again without memory.
local short, longer = ("short"):rep(100), {}
for i = 1, 4 do longer[i] = ("longer"):rep(2400 * i * i) end

-- An event or output for which there was no memory was refused for ever, or lost.
local function ask_again(session, method)
  for _ = 1, 10 do
    local ok, first, second = pcall(session[method], session)
    if ok and first == "error" then error(second, 0) end
    if ok then return first, second end
    scene.same(first, "not enough memory")
  end
  error("ten times " .. method, 0)
end

local function asked_events(session, expected)
  for _, event in ipairs(expected) do
    local kind, data = ask_again(session, "next")
    scene.same(kind, event[1])
    if event[2] then scene.same(data, event[2]) end
  end
  scene.same(ask_again(session, "next"), nil)
end

local function messages_between(client, server, long)
  client:control("ping", "p")
  client:send(short)
  server:feed(ask_again(client, "output"))
  scene.same(ask_again(server, "next"), "ping")
  local ok, kind, data = pcall(server.next, server)
  client:send(long, "binary")
  server:feed(ask_again(client, "output")) -- moves the bytes of an event not taken yet
  if not ok then kind, data = ask_again(server, "next") end
  if kind == "error" then error(data, 0) end
  scene.same(data, short)
  kind, data = ask_again(server, "next")
  scene.same(kind, "message")
  scene.same(data, long)
end

local function session_pair()
  local client = core.session { role = "client", url = "ws://a/" }
  local server = core.session { role = "server" }
  server:feed(ask_again(client, "output"))
  asked_events(server, { { "request" } })
  if not server:accept() then error("not accepted", 0) end
  client:feed(ask_again(server, "output"))
  asked_events(client, { { "open", "" } })
  return client, server
end

scenario("events and output that were not told at once", function()
  local client, server = session_pair()
  for i = 1, 4 do messages_between(client, server, longer[i]) end
  client:close(1000, "why")
  server:feed(ask_again(client, "output"))
  asked_events(server, { { "close", 1000 } })
  client:feed(ask_again(server, "output"))
  for _ = 1, 4 do scene.same(ask_again(client, "next"), "pong") end
  asked_events(client, { { "close", 1000 } })
end)

-- An event that was not delivered before our Close must not be delivered after it.
local function told_or_closed(session)
  if not pcall(session.next, session) then
    session:close(1000)
    scene.same(ask_again(session, "next"), nil)
  end
end

scenario("events that come too late", function()
  local client, server = session_pair()
  client:send(short)
  server:feed(ask_again(client, "output"))
  told_or_closed(server)
  local asked = core.session { role = "server" }
  asked:feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  told_or_closed(asked)
end)

return list
