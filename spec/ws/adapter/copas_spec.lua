-- SPDX-License-Identifier: MIT
-- The loop inside Copas: suite.lua, and what is particular to Copas.

-- Debian installs it, and the coxpcall it needs, in plain Lua only for other versions.
package.path = package.path .. ";/usr/share/lua/5.2/?.lua;/usr/share/lua/5.3/?.lua"

local copas = require "copas"
local adapter = require "ws.adapter.copas"
local helper = require "spec.helper"
local loop = require "ws.loop"
local socket = require "socket"
local suite = require "spec.ws.adapter.suite"
local ws = require "ws"

local host = { detach = adapter.detach }

-- Copas 1 has no sleep, and does not say when it is finished: both are made here.
local asleep, live = {}, 0
local aside = { insert = function() end, push = function() end }

local function sleep(seconds)
  asleep[coroutine.running()] = socket.gettime() + seconds
  coroutine.yield(aside, aside)
end
host.sleep = copas.sleep or sleep

function host.attach()
  asleep, live = {}, 0
  adapter.attach()
end

local function wake_sleepers()
  for thread, due in pairs(asleep) do
    if due <= socket.gettime() then
      asleep[thread] = nil
      copas.addthread(thread)
      return wake_sleepers()
    end
  end
end

function host.spawn(fn)
  live = live + 1
  copas.addthread(function()
    fn()
    live = live - 1
  end)
end

local function over()
  if copas.finished then return copas.finished() end
  return live == 0 and not loop.get():alive()
end

local function until_next(deadline)
  for _, due in pairs(asleep) do deadline = math.min(deadline, due) end
  return math.max(deadline - socket.gettime(), 0)
end

function host.run(seconds)
  local deadline = socket.gettime() + seconds
  while not over() and socket.gettime() < deadline do
    copas.step(until_next(deadline))
    wake_sleepers()
  end
  return over()
end

describe("in Copas", function()
  suite.holds(host, it, before_each, after_each)
end)

describe("the adapter of Copas", function()
  local server, url
  before_each(function() server, url = helper.echo_server() end)
  after_each(function()
    adapter.detach()
    ws.onerror = nil
    helper.close_server(server)
    helper.settle()
  end)

  it("is an object for LuaSocket's select", function()
    assert.equal(ws.fd(), adapter:getfd())
    if not adapter:getfd() then return pending "this poller has no descriptor" end
    helper.settle()
    assert.is_false(adapter:dirty())
    assert.is_nil(socket.select({ adapter }, nil, 0)[1])
    ws.new(url):terminate() -- its close event is due
    assert.is_true(adapter:dirty())
    assert.equal(adapter, socket.select({ adapter }, nil, 5)[1])
    ws.poll(0)

    local got
    local sock = ws.new(url)
    sock.onopen = function() sock:send "x" end
    sock.onmessage = function(event) got = event.data sock:close() end
    while sock.readyState ~= 3 do
      assert.equal(adapter, socket.select({ adapter }, nil, 5)[1])
      ws.poll(0)
    end
    assert.equal("x", got)
  end)

  it("serves Copas' sockets beside ours, and neither holds up the other", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local got = {}
    adapter.attach()
    copas.addserver(listener, function(peer)
      local line = copas.receive(peer)
      local sock = assert(ws.connect(url)) -- our socket, in a handler of Copas
      sock:send(line)
      got.echoed = sock:receive()
      sock:close()
      copas.send(peer, got.echoed .. "!\n")
    end)
    host.spawn(function()
      local tcp = copas.wrap(socket.tcp())
      assert(copas.connect(tcp.socket, "127.0.0.1", tonumber(port)))
      tcp:send "a line\n"
      got.line = tcp:receive()
      tcp.socket:close()
    end)
    local deadline = socket.gettime() + 4
    while not got.line and socket.gettime() < deadline do copas.step(1) end
    assert.same({ echoed = "a line", line = "a line!" }, got)
    if copas.removeserver then copas.removeserver(listener) else listener:close() end
  end)

  it("keeps to the time that a step was given", function()
    adapter.attach()
    local before = socket.gettime()
    copas.step(0.02)
    ws.setTimeout(print, 3000)
    copas.step(0.02)
    copas.step(0)
    local took = socket.gettime() - before
    assert.is_true(took >= 0.019 and took < 1, tostring(took))
    adapter.detach()
    for id = 1, 1000 do ws.clearTimeout(id) end
  end)

  it("puts back what it changed in Copas", function()
    local step, finished = copas.step, copas.finished
    adapter.attach()
    assert.not_equal(step, copas.step)
    adapter.attach()
    adapter.detach()
    assert.equal(step, copas.step)
    assert.equal(finished, copas.finished)
  end)

  it("does not keep Copas from cancelling all that it does", function()
    if not copas.cancelall then return pending "this Copas has no cancelall" end
    local cancelled
    host.attach()
    local guard = ws.setTimeout(function() server:close() end, 4000)
    host.spawn(function()
      ws.sleep(5)
      copas.cancelall()
      cancelled = true
      ws.clearTimeout(guard)
      server:close()
    end)
    copas.loop()
    assert.is_true(cancelled)
  end)

  it("a coroutine that ended while it waited hurts nobody", function()
    if not coroutine.close then return pending "this Lua has no coroutine.close" end
    local sock, got, dead = nil, {}, nil
    host.attach()
    host.spawn(function() sock = assert(ws.connect(url)) end)
    local deadline = socket.gettime() + 4
    while not sock and socket.gettime() < deadline do copas.step(0.1) end
    host.spawn(function() dead = coroutine.running() got.dead = sock:receive() end)
    host.spawn(function() got.alive = sock:receive() end)
    for _ = 1, 3 do copas.step(0) end
    assert(coroutine.close(dead))
    sock:send "for the living"
    while not got.alive and socket.gettime() < deadline do copas.step(0.1) end
    assert.same({ alive = "for the living" }, got)
    sock:close()
  end)
end)
