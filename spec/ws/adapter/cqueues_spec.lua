-- SPDX-License-Identifier: MIT
-- The loop inside a cqueues controller: suite.lua, and what is particular to cqueues.

local adapter = require "ws.adapter.cqueues"
local cqueues = require "cqueues"
local helper = require "spec.helper"
local suite = require "spec.ws.adapter.suite"
local ws = require "ws"

describe("in a cqueues controller", function()
  local cq, host = nil, { detach = adapter.detach, sleep = cqueues.sleep }

  function host.attach()
    cq = cqueues.new()
    assert.equal(cq, adapter.attach(cq))
  end

  function host.spawn(fn) cq:wrap(fn) end

  function host.run(seconds)
    assert(cq:loop(seconds))
    return cq:empty()
  end

  suite.holds(host, it, before_each, after_each)
end)

describe("the adapter of cqueues", function()
  local server, url
  before_each(function() server, url = helper.echo_server() end)
  after_each(function()
    adapter.detach()
    ws.onerror = nil
    helper.close_server(server)
    helper.settle()
  end)

  it("is an object for cqueues.poll", function()
    assert.equal(ws.fd(), adapter:pollfd())
    assert.equal("r", adapter:events())
    helper.settle()
    assert.is_nil(adapter:timeout())
    local id = ws.setTimeout(print, 1500)
    local seconds = adapter:timeout()
    assert.is_true(seconds > 1 and seconds <= 1.5)
    ws.clearTimeout(id)

    local log, done = {}, false
    local sock = ws.new(url)
    for _, name in ipairs { "onopen", "onmessage", "onclose" } do
      sock[name] = function(event) log[#log + 1] = event.type end
    end
    sock:addEventListener("open", function() sock:send "x" end)
    sock:addEventListener("message", function() sock:close() end)
    sock:addEventListener("close", function() done = true end)
    local cq = cqueues.new()
    cq:wrap(function()
      while not done do
        cqueues.poll(adapter, not ws.fd() and 0.005 or nil)
        ws.poll(0)
      end
    end)
    assert(cq:loop(4))
    assert.same({ "open", "message", "close" }, log)
  end)

  it("works in a controller inside another, whose coroutines may wait too", function()
    local outer, inner, got = cqueues.new(), cqueues.new(), {}
    adapter.attach(inner)
    inner:wrap(function()
      local sock = assert(ws.connect(url))
      sock:send "inner"
      got[1] = sock:receive()
      sock:close()
    end)
    outer:wrap(function() assert(inner:loop(4)) end)
    outer:wrap(function()
      local sock = assert(ws.connect(url))
      sock:send "outer"
      got[2] = sock:receive()
      ws.sleep(5)
      sock:close()
      server:close()
    end)
    assert(outer:loop(4))
    assert.is_true(outer:empty() and inner:empty())
    assert.same({ "inner", "outer" }, got)
  end)

  it("takes the controller that runs when none is given, and no other thing", function()
    local cq, got = cqueues.new(), nil
    cq:wrap(function()
      assert.equal(cq, adapter.attach())
      ws.sleep(2)
      got = true
      server:close()
    end)
    assert(cq:loop(4))
    assert.is_true(got)
    for _, wrong in ipairs { 5, "cq", {}, false } do
      assert.matches("cqueues_spec.lua:%d+: TypeError",
        helper.raised(function() adapter.attach(wrong) end))
    end
  end)

  it("moves to another controller, and the first has nothing left to do", function()
    local first, second, got = cqueues.new(), cqueues.new(), nil
    adapter.attach(first)
    assert(first:step(0))
    assert.is_false(first:empty())
    adapter.attach(second)
    second:wrap(function()
      ws.sleep(2)
      got = true
      server:close()
    end)
    assert(first:loop(1))
    assert.is_true(first:empty())
    assert(second:loop(4))
    assert.is_true(got and second:empty())
  end)

  it("what ws.onerror raises comes out of the controller, which can go on", function()
    local cq, after = cqueues.new(), nil
    adapter.attach(cq)
    ws.onerror = function(message) error("twice: " .. message, 0) end
    ws.setTimeout(function() error("once", 0) end, 0)
    ws.setTimeout(function() after = true server:close() end, 5)
    local ok, message = cq:loop(4)
    assert.is_false(ok)
    assert.matches("twice: once", tostring(message))
    assert(cq:loop(4))
    assert.is_true(after)
  end)

  it("gives the loop back when its controller was closed", function()
    for _, turned in ipairs { true, false } do
      local cq, log = cqueues.new(), {}
      adapter.attach(cq)
      if turned then assert(cq:step(0)) end
      cq:close()
      local sock = ws.new(url)
      sock.onopen = function() sock:close() end
      sock.onclose = function(event) log[1] = event.code ws.stop() end
      ws.run()
      assert.same({ 1005 }, log)
      adapter.detach()
    end
  end)

  it("a controller that was closed while one waited hurts nobody", function()
    local cq, got = cqueues.new(), {}
    local main = cqueues.new()
    adapter.attach(main)
    local sock
    main:wrap(function() sock = assert(ws.connect(url)) end)
    while not sock do assert(main:step()) end
    cq:wrap(function() got.dead = sock:receive() end)
    assert(cq:step(0))
    main:wrap(function() got.alive = sock:receive() sock:close() server:close() end)
    assert(main:step(0))
    cq:close()
    sock:send "for the living"
    assert(main:loop(4))
    assert.same({ alive = "for the living" }, got)
  end)
end)
