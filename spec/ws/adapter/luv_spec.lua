-- SPDX-License-Identifier: MIT
-- The loop inside libuv's: suite.lua, and what is particular to luv. Neovim has
-- luv_neovim_spec.lua.

local adapter = require "ws.adapter.luv"
local helper = require "spec.helper"
local suite = require "spec.ws.adapter.suite"
local uv = require "luv"
local ws = require "ws"

local host = { attach = adapter.attach, detach = adapter.detach }

local function resume(thread)
  local ok, message = coroutine.resume(thread)
  if not ok then error(debug.traceback(thread, message), 0) end
end

function host.spawn(fn) resume(coroutine.create(fn)) end

function host.sleep(seconds)
  local thread, timer = coroutine.running(), uv.new_timer()
  uv.timer_start(timer, math.floor(seconds * 1000), 0, function()
    uv.close(timer)
    resume(thread)
  end)
  coroutine.yield()
end

function host.run(seconds)
  local guard, ended = uv.new_timer(), true
  uv.update_time()
  uv.timer_start(guard, math.floor(seconds * 1000), 0, function()
    ended = false
    uv.stop()
  end)
  uv.unref(guard)
  uv.run()
  uv.close(guard)
  return ended
end

describe("in libuv's loop", function()
  suite.holds(host, it, before_each, after_each)
end)

describe("the adapter of luv", function()
  local server, url
  before_each(function()
    adapter.attach()
    server, url = helper.echo_server()
  end)
  after_each(function()
    adapter.detach()
    helper.close_server(server)
    helper.settle()
    uv.run() -- finishes closing
  end)

  it("serves libuv's sockets beside ours, and neither holds up the other", function()
    local listener, got = uv.new_tcp(), nil
    uv.tcp_bind(listener, "127.0.0.1", 0)
    uv.listen(listener, 1, function()
      local peer = uv.new_tcp()
      uv.accept(listener, peer)
      uv.read_start(peer, function(_, data)
        if not data then
          uv.close(peer)
          return uv.close(listener)
        end
        host.spawn(function() -- waits for us in a handler of luv
          local sock = assert(ws.connect(url))
          sock:send(data)
          uv.write(peer, sock:receive() .. "!")
          sock:close()
          server:close()
        end)
      end)
    end)
    local client = uv.new_tcp()
    uv.tcp_connect(client, "127.0.0.1", uv.tcp_getsockname(listener).port, function()
      uv.write(client, "over TCP")
      uv.read_start(client, function(_, data)
        got = data
        uv.close(client)
      end)
    end)
    assert.is_true(host.run(4))
    assert.equal("over TCP!", got)
  end)

  it("libuv's loop goes on for what one of its last callbacks began", function()
    local closed
    server:close()
    host.run(4)
    local timer = uv.new_timer()
    uv.timer_start(timer, 1, 0, function()
      uv.close(timer, function() -- otherwise libuv would have nothing left to do
        local last = helper.echo_server()
        local sock = ws.new("ws://127.0.0.1:" .. last.port)
        sock.onopen = function() sock:close() end
        sock.onclose = function()
          closed = true
          last:close()
        end
      end)
    end)
    assert.is_true(host.run(4))
    assert.is_true(closed)
  end)

  it("a timer that was cleared keeps nothing running", function()
    server:close()
    host.run(4)
    local id = ws.setTimeout(print, 60000)
    local timer = uv.new_timer()
    uv.timer_start(timer, 5, 0, function()
      ws.clearTimeout(id)
      uv.close(timer)
    end)
    assert.is_true(host.run(2))
  end)

  it("may be detached in a handler, and attached again", function()
    ws.setTimeout(adapter.detach, 0)
    host.run(4)
    assert.is_true(server.connections == 0)
    adapter.attach()
    adapter.attach()
    local got
    host.spawn(function()
      ws.sleep(1)
      got = true
      server:close()
    end)
    assert.is_true(host.run(4))
    assert.is_true(got)
  end)

  local function makes_its_handles_anew(detach)
    uv.walk(function(handle)
      if not uv.is_closing(handle) then uv.close(handle) end
    end)
    detach()
    uv.run()
    adapter.attach()
    local got
    host.spawn(function()
      local sock = assert(ws.connect(url))
      sock:send "again"
      got = sock:receive(2000)
      sock:close()
      server:close()
    end)
    assert.is_true(host.run(4))
    assert.equal("again", got)
  end

  it("makes its handles anew when the program has closed all there were", function()
    makes_its_handles_anew(adapter.detach)
  end)

  it("also if it was not detached", function()
    makes_its_handles_anew(function() end)
  end)

  it("may be detached at a program's end", function()
    for _, used in ipairs { "", "ws.setTimeout(uv.stop, 1) uv.run()" } do
      local status, output = helper.child(([[
        local uv, ws, adapter = require "luv", require "ws", require "ws.adapter.luv"
        adapter.attach() %s adapter.detach()
        adapter.attach() %s adapter.detach()
        io.write "end"
      ]]):format(used, used))
      assert.same({ 0, "end" }, { status, output })
    end
  end)

  it("a coroutine's error goes to ws.onerror with its traceback", function()
    local report
    ws.onerror = function(...) report = { ... } end
    host.spawn(function()
      ws.sleep(1)
      server:close()
      error("in a coroutine")
    end)
    assert.is_true(host.run(4))
    ws.onerror = nil
    assert.matches("luv_spec.lua:%d+: in a coroutine", report[1])
    assert.matches("traceback", report[2])
  end)

  it("a coroutine's error closes its to-be-closed variables", function()
    if not coroutine.close then return pending "this Lua has none" end
    local closed
    ws.onerror = function() end
    host.spawn(assert(load [[
      local ws, server, closing = ...
      return function()
        local variable <close> = closing
        ws.sleep(1)
        server:close()
        error("in a coroutine", 0)
      end
    ]])(ws, server, setmetatable({}, { __close = function(_, raised) closed = raised end })))
    assert.is_true(host.run(4))
    ws.onerror = nil
    assert.equal("in a coroutine", closed)
  end)
end)
