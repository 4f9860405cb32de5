-- SPDX-License-Identifier: MIT
-- Where a scenario of `ws` takes place: like scene.lua, but with the only loop that
-- `ws` has in a Lua state. Scenarios may wait in tasks, as programs with `ws` do.

local ws = require "ws"
local loop = require "ws.loop"
local raw_peer = require "spec.faults.raw_peer"
local scene = require "spec.faults.scene"

local Scene = {}
Scene.__index = Scene

local ws_scene = {}

local PATIENCE = 20000

function ws_scene.new(prepared)
  loop.get() -- made here, as its thread would inherit the hook of an attempt
  local self = setmetatable({
    prepared = prepared, servers = { false, false, false }, server_count = 0, raws = {},
    socks = {}, errors = 0, opened = 0, served = 0, last_error = false, done = 0,
  }, Scene)
  ws.onerror = function(message)
    self.errors = self.errors + 1
    self.last_error = message
  end
  return self
end

--- Starts an echo server; `more` adds or replaces options.
function Scene:serve(more)
  local options = { port = 0, message = function(sock, data, opcode) sock:send(data, opcode) end }
  for name, value in pairs(more or {}) do options[name] = value end
  local server, message = ws.serve(options)
  if not server then error(message, 0) end
  self.server_count = self.server_count + 1
  self.servers[self.server_count] = server -- needs no memory: the table has room
  self.url = ("%s://127.0.0.1:%d/"):format(options.tls and "wss" or "ws", server.port)
  return server
end

--- Turns the loop until condition() holds, as Scene:wait of scene.lua does.
function Scene:wait(condition)
  local until_ = ws.now() + PATIENCE
  while not condition() do
    if self.errors > 0 then error(scene.BROKEN, 0) end
    if ws.now() > until_ then error(scene.HANGS, 0) end
    ws.poll(50)
  end
end

--- Runs fn(...) in a task; `done` counts the tasks that have ended without an error.
function Scene:task(fn, ...)
  ws.spawn(function(...)
    fn(...)
    self.done = self.done + 1
  end, ...)
end

--- Raises the message of a waiting function that failed; otherwise returns its results.
function Scene.got(_, value, message, ...)
  if value == nil or value == false then error(tostring(message), 0) end
  return value, message, ...
end

function Scene:raw()
  local raw = raw_peer.connect(self, self.servers[1].port)
  self.raws[#self.raws + 1] = raw
  return raw
end

function Scene:prove()
  if not self.url or self.no_proof then return end
  local sock, message = ws.connect(self.url, nil, self.proof or { timeout = 5000 })
  if not sock then return "no service any more: " .. message end
  sock:send "proof"
  local data, why, code = sock:receive(5000)
  sock:close()
  sock:receive(5000)
  if data ~= "proof" then return ("no echo any more: %s %s"):format(why, code) end
end

function Scene:strike()
  for _, raw in ipairs(self.raws) do raw:close() end
  for _, sock in ipairs(self.socks) do sock:terminate() end
  for i = 1, self.server_count do self.servers[i]:close() end
  local until_ = ws.now() + PATIENCE
  local wrong
  while loop.get():alive() and not wrong do
    local ok, message = pcall(ws.poll, 50)
    if not ok then wrong = "polling raises: " .. tostring(message) end
    if ws.now() > until_ then wrong = "the loop stays alive" end
  end
  ws.poll(0)
  ws.onerror = nil
  return wrong
end

return ws_scene
