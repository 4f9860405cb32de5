-- SPDX-License-Identifier: MIT
-- Objects and connections: which keeps which alive, and what handlers may do.

local core = require "ws.core"
local turning = require "spec.lua.turning"

local events = { "open", "message", "close", "error", "drain", "ping", "pong" }

local other_handlers = core.handlers {}

local actions = {
  close = function(conn) conn:rawClose(1000, "why") end,
  terminate = function(conn) conn:terminate() end,
  send = function(conn) if conn.readyState > 0 then conn:send "more" end end,
  ping = function(conn) if conn.readyState > 0 then conn:ping() end end,
  pause = function(conn)
    conn:pause()
    conn:resume()
  end,
  handlers = function(conn) conn:setHandlers(other_handlers) end,
  collect = function() collectgarbage() collectgarbage() end,
  raise = function() error "on purpose" end,
  connect = function(_, party)
    if party.started then return end
    party.started = true
    party.loop:connect { url = party.url, handlers = core.handlers {
      open = function(sock) sock:terminate() end,
    } }
  end,
  server = function(_, party) party.server:close(1001) end,
  post = function(_, party) party.loop:post(function() end) end,
  publish = function(_, party) party.server:publish("t", "to all") end,
  publish_own = function(conn) if conn:isServer() then conn:publish("t", "to others") end end,
  pause_only = function(conn) conn:pause() end,
  hold = function(conn) conn:hold(true) end,
  unsubscribe = function(conn) if conn:isServer() then conn:unsubscribe("t") end end,
  clients = function(_, party)
    for _, conn in ipairs(party.server:clients()) do conn:terminate() end
  end,
  timer = function(_, party)
    party.timers = party.timers or {}
    for _, timer in ipairs(party.timers) do timer:stop() end
    table.insert(party.timers, party.loop:timer(0, false, function() end))
  end,
  long = function(conn) if conn.readyState > 0 then conn:send(("y"):rep(40000), "binary") end end,
  state = function(conn)
    conn:setState({ conn })
    collectgarbage()
    conn:setState(nil)
  end,
  properties = function(conn)
    for _, name in ipairs { "url", "protocol", "extensions", "tls", "bufferedAmount", "latency",
                            "remoteAddress", "remotePort", "localAddress", "localPort" } do
      if conn[name] == error then error(name) end
    end
  end,
  everything = function(conn, party)
    conn:terminate()
    conn:rawClose(1000)
    conn:terminate()
    party.server:close()
    conn:setHandlers(other_handlers)
    collectgarbage()
  end,
  answer = function(conn)
    conn:accept("x")
    conn:refuse(400)
    conn:writeRaw("x")
    conn:finishRaw()
  end,
  -- These must fail without doing harm.
  raise_table = function() error({}) end,
  turn = function(_, party) party.loop:turn(0) end,
  close_loop = function(_, party) party.loop:close() end,
  yield = function() coroutine.yield() end,
}

local failing = { raise = true, raise_table = true, turn = true, close_loop = true, yield = true }
local stopping = { server = true, everything = true }

-- Sends something too long for the other side, which then gets an `error`.
local function fail(party, act, options, text)
  local ended
  local function last(conn)
    if act.close then act.close(conn) end
    ended = true
  end
  local functions = { close = last, error = act.error }
  function functions.open(conn) conn:send(text) end
  local conn = turning.client(party.loop, party.url, functions, options)
  for _ = 1, 20 do
    if ended then break end
    party.loop:turn(1)
  end
  if not ended then
    conn:terminate()
    party.wait(function() return ended or conn.readyState == 3 end)
  end
end

-- A conversation in which both sides get every event.
local function converse(party, act)
  local conn, log = party.client(act, { highWaterMark = 10, lowWaterMark = 5 })
  for i = 1, 12 do
    if conn.readyState == 1 then
      conn:send(("x"):rep(50))
      conn:ping "p"
      if i == 9 then conn:rawClose(1000) end
    end
    party.loop:turn(1)
  end
  if conn.readyState < 3 then conn:terminate() end
  party.wait(function() return conn.readyState == 3 end)
  fail(party, act or {}, { maxPayload = 1 }, "xx")
  fail(party, act or {}, nil, ("x"):rep(301))
  log.conn = conn
  return log
end

describe("a handler may do anything:", function()
  for _, event in ipairs(events) do
    it(event, function()
      local function try(name, action)
        local party
        local function act(conn)
          if not party.calm then action(conn, party) end
        end
        local told = {}
        party = turning.party {
          maxPayload = 300,
          handlers = turning.recording {
            open = function(conn)
              conn:subscribe "t"
              if event == "open" then act(conn) end
            end,
            message = function(conn, data, opcode)
              conn:send(data, opcode)
              if event == "message" then act(conn) end
            end,
            [event ~= "open" and event ~= "message" and event or "none"] = act,
          },
        }
        party.loop:onError(function(message) told[#told + 1] = message end)
        local log = converse(party, { [event] = act })
        assert.is_true((log.close or 0) <= 1, name)
        party.calm = true
        if failing[name] then assert.is_true(#told > 0, name)
        else assert.same({}, told, name) end
        if not stopping[name] then party.prove() end
        party.finish()
        assert.equal(3, log.conn.readyState)
      end
      for name, action in pairs(actions) do
        local baseline = turning.live()
        try(name, action)
        turning.no_more(baseline, name)
      end
    end)
  end

  it("and nothing is left behind", function()
    local before = turning.live()
    for _ = 1, 3 do
      local party = turning.party()
      converse(party)
      party.finish()
    end
    turning.no_more(before)
  end)
end)

describe("a flood of messages", function()
  it("is told in parts, between which others have their turn", function()
    local told = 0
    local party = turning.party { handlers = core.handlers {
      message = function() told = told + 1 end,
    } }
    local raw = turning.raw(party.loop, party.server)
    raw.send(turning.upgrade())
    raw.wait(function() return raw.bytes:find("\r\n\r\n", 1, true) end)
    raw.send(("\130\129\0\0\0\0x"):rep(6000)) -- comes in one read
    local most = 0
    party.wait(function()
      local before = told
      party.loop:turn(0)
      most = math.max(most, told - before)
      return told == 6000
    end)
    assert.is_true(most <= 2000, most .. " in one turn") -- what was kept, and a read's
    raw.close()
    party.finish()
  end)
end)

describe("an object", function()
  it("is held by its connection while that lives, then collected", function()
    local party = turning.party()
    local weak = setmetatable({}, { __mode = "k" })
    do
      local conn = party.client()
      weak[conn] = true
    end
    collectgarbage() collectgarbage()
    local conn = next(weak)
    assert.is_userdata(conn)
    conn:terminate()
    party.wait(function() return conn.readyState == 3 end)
    party.loop:turn(0)
    conn = nil -- luacheck: ignore 311
    collectgarbage() collectgarbage()
    assert.is_nil(next(weak))
    party.finish()
  end)

  it("fails in order at every allocation, and gives all back", function()
    local before = turning.live()
    local failures = 0
    for n = 1, 60 do
      local ok = pcall(function()
        local party = turning.party()
        party.loop:onError(function() end)
        core.failAllocation(n)
        local handlers, log = turning.recording()
        local conn = party.loop:connect { url = party.url, handlers = handlers }
        for _ = 1, 25 do
          party.loop:turn(1)
          if log.open and not log.sent then
            log.sent = true
            conn:send(("x"):rep(40000), "binary")
          end
        end
        core.failAllocation(0)
        conn:terminate()
        party.wait(function() return conn.readyState == 3 end)
        if (log.error or 0) > 0 then failures = failures + 1 end
        party.finish()
      end)
      core.failAllocation(0)
      if not ok then failures = failures + 1 end
      turning.no_more(before, "after " .. n)
    end
    assert.is_true(failures > 5)
  end)
end)
