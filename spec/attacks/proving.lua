-- SPDX-License-Identifier: MIT
-- The ground on which attacks take place, and the proof after each: a fresh client
-- gets its echo in time, no handler has raised, and as many blocks of memory and
-- descriptors are in use as before. With this line in a describe block
--   local ground = proving.ground(before_each, after_each)
-- none of its tests can forget the proof.

local lfs = require "lfs"
local helper = require "spec.helper"
local turning = require "spec.lua.turning"
local victims = require "spec.attacks.victims"
local ws = require "ws"

local proving = {}

--- The roles that a victim can have.
proving.roles = { "server", "client" }

--- How long a fresh client may wait for its echo, in milliseconds.
proving.ECHO = 1000 * helper.patience

local CLOCK_TICK = 1e-6 -- seconds of os.clock

--- A server's option `tls`.
proving.certificate = { cert = "build/certs/server.pem", key = "build/certs/leaf.key" }

--- How many descriptors this process has open; 0 where there is no /proc.
function proving.descriptors()
  if not lfs.attributes("/proc/self/fd") then return 0 end
  local count = 0
  for _ in lfs.dir("/proc/self/fd") do count = count + 1 end
  return count
end

--- The process's resident memory in KiB; 0 where there is no /proc, and under
--- AddressSanitizer, which keeps freed memory.
function proving.resident()
  local file = helper.patience == 1 and io.open("/proc/self/status")
  if not file then return 0 end
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "VmRSS:%s*(%d+)")
end

-- The CPU seconds that fn() took.
local function cost(fn)
  collectgarbage()
  local before = os.clock()
  fn()
  return os.clock() - before
end

--- Fails unless fn() takes less than `most` times the CPU time of measure(). As in
--- spec/check.h, they are timed in turns, and the least time of several tries counts.
function proving.times(most, measure, fn)
  local least, least_of_fn = math.huge, math.huge
  for _ = 1, 10 do
    least, least_of_fn = math.min(least, cost(measure)), math.min(least_of_fn, cost(fn))
    if least_of_fn < most * (least + CLOCK_TICK) then return end
  end
  error(("it takes %f s, where %f s are the measure"):format(least_of_fn, least), 2)
end

--- Fails unless the CPU time of work(size) grows linearly: 8 times the size may take
--- up to 24 times as long; quadratic work would take 64 times as long.
function proving.linear(work, size)
  proving.times(24, function() work(size) end, function() work(8 * size) end)
end

--- Fails unless a fresh client of `url` gets its echo within proving.ECHO.
function proving.echo(url, options)
  local got, failure
  local before = ws.now()
  local sock = ws.new(url, options or {})
  sock.onopen = function() sock:send "proof" end
  sock.onmessage = function(event)
    got = event.data
    sock:close()
  end
  sock.onerror = function(event) failure = event.message end
  helper.wait_until(function() return got or failure end, 5000, "the proof's echo")
  local took = ws.now() - before
  helper.wait_until(function() return sock.readyState == 3 end, 5000, "the proof's end")
  if failure then error("no echo for a fresh client: " .. failure, 2) end
  if got ~= "proof" then error("the echo is wrong", 2) end
  if took > proving.ECHO then error(("an echo after %.0f ms"):format(took), 2) end
end

local function wait_for_descriptors(before)
  local now
  local function are_back()
    now = proving.descriptors()
    return now <= before
  end
  if not pcall(helper.wait_until, are_back, 3000) then
    error(("%d descriptors are open, %d before"):format(now, before), 0)
  end
end

local function wait_for_blocks(before)
  local now
  local function are_back()
    now = turning.live()
    return now <= before
  end
  if not pcall(helper.wait_until, are_back, 3000) then
    error(("%d blocks alive, %d before"):format(now, before), 0)
  end
end

local unverified = { verify = false }

local Ground = {}
Ground.__index = Ground

--- Starts the server under attack, an echo: server, url. `options` adds or replaces.
function Ground:serve(options)
  self.options = options or {}
  self.server, self.url = helper.echo_server(options)
  self.servers[#self.servers + 1] = self.server
  return self.server, self.url
end

--- Has this raw peer closed after the test, and returns it.
function Ground:keep(raw)
  self.raws[#self.raws + 1] = raw
  return raw
end

--- A raw client of the server under attack, which has sent `bytes`.
function Ground:raw(bytes) return self:keep(helper.raw_client(self.server.port, bytes)) end

--- A raw client whose handshake was accepted.
function Ground:open(changes) return self:keep(helper.raw_open(self.server.port, changes)) end

--- A raw server: its port, and a function that waits for the next client.
function Ground:listen()
  local listener, port, accept = helper.raw_server()
  self.raws[#self.raws + 1] = listener
  return port, function() return self:keep(accept()) end
end

--- A recorded client under attack: sock, log (helper.recorded).
function Ground:client(url, options)
  local sock, log = helper.recorded(ws.new(url, options or {}))
  self.socks[#self.socks + 1] = sock
  return sock, log
end

--- A recorded client and the raw server's side of its connection, which has
--- sent nothing: sock, log, raw.
function Ground:meet(options, path)
  local port, accept = self:listen()
  local sock, log = self:client(("ws://127.0.0.1:%d%s"):format(port, path or "/"), options)
  return sock, log, accept()
end

--- The same with the handshake done; `more` as in Raw:welcome.
function Ground:opened(options, more)
  local sock, log, raw = self:meet(options)
  raw:welcome(more)
  helper.wait_until(function() return sock.readyState ~= 0 end, 5000, "a client to open")
  return sock, log, raw
end

--- A victim with that role ("server", "client") whose connection is open: see
--- spec/attacks/victims.lua.
function Ground:victim(role, options) return victims.new(self, role, options) end

--- Says that a handler of the test is expected to raise.
function Ground:expect_errors() self.errors_expected = true end

function Ground:begin()
  helper.settle()
  self.raws, self.socks, self.servers, self.errors = {}, {}, {}, {}
  self.server, self.url, self.errors_expected = nil, nil, false
  self.blocks, self.open_descriptors = turning.live(), proving.descriptors()
  ws.onerror = function(message) self.errors[#self.errors + 1] = tostring(message) end
end

-- The server under attack has to serve a fresh client. Where a client was attacked, a
-- new server and a new client show that the loop still works.
function Ground:prove()
  if not self.server then self:serve() end
  proving.echo(self.url, self.options.tls and { tls = unverified })
end

function Ground:clear()
  for _, raw in ipairs(self.raws) do raw:close() end
  for _, sock in ipairs(self.socks) do sock:terminate() end
  for _, server in ipairs(self.servers) do server:close() end
  local socks, servers = self.socks, self.servers
  helper.wait_until(function()
    for _, server in ipairs(servers) do if server.connections > 0 then return false end end
    for _, sock in ipairs(socks) do if sock.readyState ~= 3 then return false end end
    return true
  end, 5000, "all connections to end")
  self.raws, self.socks, self.servers, self.server, self.options = nil, nil, nil, nil, nil
end

function Ground:finish()
  local served, why = pcall(self.prove, self)
  self:clear()
  ws.onerror = nil
  if not served then error(why, 0) end
  if #self.errors > 0 and not self.errors_expected then
    error("a handler raised: " .. self.errors[1], 0)
  end
  wait_for_descriptors(self.open_descriptors)
  wait_for_blocks(self.blocks)
end

-- Makes what is created on first use: poller, pools, resolver, and the TLS contexts
-- (redirects may need one).
function Ground:warm()
  for _, options in ipairs { {}, { compression = true, tls = proving.certificate } } do
    self:begin()
    self:serve(options)
    self:client("ws://a..name/", { followRedirects = 1 })
    self:prove()
    self:clear()
  end
end

--- The ground for the attacks of a describe block; its arguments are busted's hooks.
function proving.ground(before_each, after_each)
  local ground = setmetatable({}, Ground)
  local warm = false
  before_each(function()
    if not warm then ground:warm() end
    warm = true
    ground:begin()
  end)
  after_each(function() ground:finish() end)
  return ground
end

return proving
