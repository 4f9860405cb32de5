-- SPDX-License-Identifier: MIT
-- S43: of the connections to one address and port, only one opens at a time; the others
-- wait until it is open or has failed.

local helper = require "spec.helper"
local ws = require "ws"

describe("S43 connections to one address", function()
  local servers, verdicts, told, socks, why

  -- A server that holds each handshake until there is a verdict on its path.
  local function serve(options)
    options.upgrade = function(request)
      told[#told + 1] = "asked " .. request.path
      while verdicts[request.path] == nil do ws.sleep(1) end
      if verdicts[request.path] == true then return true end
      return false, 302, nil, { Location = verdicts[request.path] }
    end
    servers[#servers + 1] = assert(ws.serve(options))
    return servers[#servers]
  end

  before_each(function()
    servers, verdicts, told, socks, why = {}, {}, {}, {}, {}
    serve {}
  end)
  after_each(function()
    for _, server in ipairs(servers) do server:close() end
    for _, sock in ipairs(socks) do sock:terminate() end
    helper.wait_until(function()
      for _, server in ipairs(servers) do if server.connections > 0 then return false end end
      for _, sock in ipairs(socks) do if sock.readyState ~= 3 then return false end end
      return true
    end)
  end)

  local function url(name, server)
    return ("ws://127.0.0.1:%d/%s"):format((server or servers[1]).port, name)
  end
  local function open(name, options, where)
    local sock = ws.new(where or url(name), nil, options)
    sock.onopen = function() told[#told + 1] = "open " .. name end
    sock.onerror = function(event) why[name] = event.message end
    sock.onclose = function() told[#told + 1] = "closed " .. name end
    socks[#socks + 1] = sock
    return sock
  end

  -- Waits until this has happened; nothing else may happen, also in some more turns.
  local function see(...)
    local expected = { ... }
    helper.wait_until(function() return #told >= #expected end, nil, expected[#expected])
    helper.turn_for(20)
    assert.same(expected, told)
    told = {}
  end

  it("open one after the other, in order", function()
    for _, name in ipairs { "a", "b", "c" } do open(name) end
    see("asked /a")
    verdicts["/a"] = true
    see("open a", "asked /b")
    verdicts["/b"] = true
    see("open b", "asked /c")
    verdicts["/c"] = true
    see("open c")
    assert.equal(3, servers[1].connections) -- no limit once they are open
  end)

  it("go on when one fails, is given up or ends", function()
    open("late", { timeout = 300 })
    local dropped, waiting = open "dropped", open "waiting"
    open "last"
    see("asked /late", "closed late", "asked /dropped")
    waiting:close()
    dropped:terminate()
    helper.wait_until(function() return #told == 3 end)
    table.sort(told)
    see("asked /last", "closed dropped", "closed waiting")
    verdicts["/last"] = true
    see("open last")
  end)

  it("have their deadlines while they wait, and say what for", function()
    open "first"
    open("second", { timeout = 300 })
    see("asked /first", "closed second")
    assert.matches("tcp: waiting for another connection", why.second)
    verdicts["/first"] = true
    see("open first")
  end)

  it("do not wait for other ports, nor on Unix sockets", function()
    local path = os.tmpname()
    os.remove(path)
    serve {}
    serve { path = path }
    open "first"
    see("asked /first")
    open("port", nil, url("port", servers[2]))
    see("asked /port")
    for _, name in ipairs { "path1", "path2" } do
      open(name, { path = path })
      see("asked /" .. name)
    end
  end)

  it("do not wait with the option parallel, nor are they waited for", function()
    for _, name in ipairs { "a", "b", "c" } do open(name, { parallel = true }) end
    helper.wait_until(function() return #told == 3 end)
    table.sort(told) -- they may come in any order
    see("asked /a", "asked /b", "asked /c")
    open "d"
    see("asked /d")
  end)

  it("leave their place when they are sent elsewhere", function()
    local other = serve {}
    open("moved", { followRedirects = 1 })
    open "second"
    see("asked /moved")
    verdicts["/moved"] = url("moved2", other)
    helper.wait_until(function() return #told == 2 end)
    table.sort(told)
    see("asked /moved2", "asked /second")
    verdicts["/moved2"] = true
    see "open moved"
  end)
end)
