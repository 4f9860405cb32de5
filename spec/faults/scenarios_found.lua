-- SPDX-License-Identifier: MIT
-- Scenarios (scenarios.lua) that are as short as can be around the points where
-- a fault was found once. Every point of theirs is tried, however short the run.

local core = require "ws.core"
local scene = require "spec.faults.scene"

local list = {}

local function scenario(name, run)
  list[#list + 1] = { name = "found: " .. name, run = run, all = true }
end

-- What the registry held of a loop, a set of handlers or a timer that were only
-- half made stayed there.
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

-- They went on, and nobody had been given the object.
scenario("a listener that nobody holds", function(s)
  s.loop:listen({ host = "127.0.0.1", handlers = core.handlers {} }):close()
end)

scenario("a connection that nobody holds", function(s)
  s:client { url = "ws://127.0.0.1:1/", expects_error = true }
end)

-- Its port was told as 0 when getsockname failed.
scenario("a listener without an address", function(s)
  local server = s.loop:listen { host = "127.0.0.1", handlers = core.handlers {} }
  if not server then error("not listening", 0) end
  local port = server:port()
  server:close()
  scene.same(port > 0, true)
end)

-- The answer of the resolver lay there for ever when the loop was not woken.
scenario("an answer that wakes nobody", function(s)
  local client = s:client({ url = "ws://nowhere.test/", expects_error = true })
  s:wait(function() return client.closes > 0 end)
  scene.same(client.open, 0)
end)

return list
