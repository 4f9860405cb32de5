-- SPDX-License-Identifier: MIT
-- Sending from Lua, events about it, and messages that are passed on.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("sending", function()
  local party, conn, log
  before_each(function()
    party = turning.party()
    conn, log = party.client()
  end)
  after_each(function() party.finish() end)

  it("sends text and binary, strings and numbers", function()
    conn:send "text"
    conn:send("\0\255", "binary")
    conn:send(12)
    conn:send("", "text")
    party.wait(function() return log.message == 4 end)
    assert.same({ "message", "text", "text" }, log[2])
    assert.same({ "message", "\0\255", "binary" }, log[3])
    assert.same({ "message", "12", "text" }, log[4])
    assert.same({ "message", "", "text" }, log[5])
  end)

  it("raises for what cannot be sent", function()
    for _, value in ipairs { {}, true, print, conn } do
      assert.matches("spec.lua:%d+: TypeError: send: ",
        turning.raised(function() conn:send(value) end))
    end
    assert.error_matches(function() conn:send() end, "TypeError: send: the data is missing")
    assert.error_matches(function() conn:send(nil) end, "TypeError")
    assert.error_matches(function() conn:send "\255" end, "TypeError: send: text is not UTF%-8")
    assert.error_matches(function() conn:send("x", "blob") end,
      'TypeError: send: "text" or "binary"')
    assert.error_matches(function() conn:send("x", "text", 5) end, "TypeError")
    assert.error_matches(function() conn:ping(("x"):rep(126)) end, "TypeError: ping: at most 125")
  end)

  it("raises InvalidStateError before it is open", function()
    local early = party.loop:connect { url = party.url, handlers = core.handlers {} }
    assert.error_matches(function() early:send "x" end, "InvalidStateError")
    assert.error_matches(function() early:ping() end, "InvalidStateError")
    assert.error_matches(function() early:send {} end, "TypeError") -- is checked first
    early:terminate()
  end)

  it("says when to stop, and when to go on (drain)", function()
    local slow, slow_log = party.client(nil, { highWaterMark = 1000, lowWaterMark = 100 })
    assert.is_true(slow:send(("x"):rep(1000), "binary"))
    assert.is_false(slow:send("x", "binary"))
    assert.equal(1001, slow.bufferedAmount)
    party.wait(function() return slow_log.drain end)
    assert.equal(0, slow.bufferedAmount)
    assert.equal(1, slow_log.drain)
    slow:terminate()
  end)

  it("counts what it discards", function()
    conn:rawClose(1000)
    assert.is_true(conn:send "12345")
    assert.equal(5, conn.bufferedAmount)
    party.wait(function() return log.close end)
    conn:send "67"
    assert.equal(7, conn.bufferedAmount)
  end)

  it("pins a long string until it is sent", function()
    local before = turning.live()
    for i = 1, 30 do
      conn:send((tostring(i % 10)):rep(100000))
      collectgarbage()
    end
    party.wait(function() return log.message == 30 end)
    assert.equal(("0"):rep(100000), (log.last "message"))
    assert.is_true(turning.live() <= before + 4)
  end)

  it("sends on what was told, and still checks the rest", function()
    local refused
    local peer = party.server:clients()[1]
    peer:setHandlers(core.handlers {
      message = function(sock, data, opcode)
        refused = turning.raised(sock.send, sock, data .. "\255", "text")
        sock:send(data, opcode)
      end,
    })
    conn:send "\226\130\172"
    party.wait(function() return log.message end)
    assert.equal("\226\130\172", (log.last "message"))
    assert.matches("not UTF%-8", refused)
    local kept
    peer:setHandlers(core.handlers { message = function(_, data) kept = data end })
    conn:send("\255", "binary")
    party.wait(function() return kept end)
    assert.error_matches(function() peer:send(kept) end, "not UTF%-8")
    peer:setHandlers(core.handlers {
      message = function(sock, data) refused = turning.raised(sock.send, sock, data, "text") end,
    })
    refused = nil
    conn:send("\255", "binary")
    party.wait(function() return refused end)
    assert.matches("not UTF%-8", refused)
  end)

  it("tells the messages of one read in their order, whatever the handlers do", function()
    local first = party.server:clients()[1]
    local raw, got = turning.raw(party.loop, party.server), {}
    local peer
    raw.send(turning.upgrade())
    raw.wait(function() return raw.bytes:find "\r\n\r\n" end, "the answer")
    for _, one in ipairs(party.server:clients()) do
      if one ~= first then peer = one end
    end
    local function record(_, data)
      got[#got + 1] = data
      if data == "2" then error "on purpose" end
      if data == "4" then
        peer:setHandlers(core.handlers {
          message = function(_, late) got[#got + 1] = "new " .. late end,
        })
      end
    end
    peer:setHandlers(core.handlers { message = record })
    local frames = {}
    for i = 1, 6 do frames[i] = "\129\129\0\0\0\0" .. i end
    raw.send(table.concat(frames))
    raw.wait(function() return #got == 6 end, "six messages")
    assert.same({ "1", "2", "3", "4", "new 5", "new 6" }, got)
    assert.equal(1, #party.errors)
    raw.close()
  end)
end)

describe("sending where compression was agreed", function()
  it("compresses, but what it is told to leave", function()
    local long = ("ab"):rep(60) -- its length fits into one byte of the header
    local peer
    local party = turning.party { deflate = { enabled = true, threshold = 0 },
      handlers = core.handlers { open = function(conn) peer = conn end } }
    local raw = turning.raw(party.loop, party.server)
    raw.send(turning.upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n"))
    raw.wait(function() return peer and raw.bytes:find("\r\n\r\n", 1, true) end, "the answer")
    local function first_byte(...)
      raw.bytes = ""
      peer:send(...)
      raw.wait(function() return #raw.bytes > 2 end, "a frame")
      return raw.bytes:byte()
    end
    assert.equal(0xC1, first_byte(long))
    assert.equal(0xC2, first_byte(long, "binary"))
    for _, how in ipairs { false, {}, { compress = true } } do
      assert.equal(0xC1, first_byte(long, "text", how or nil))
    end
    assert.equal(0x81, first_byte(long, "text", { compress = false }))
    assert.equal(0xC1, first_byte(long))
    raw.close()
    party.finish()
  end)
end)

describe("sending when it is hard:", function()
  it("publish without memory raises, and nobody hears of it", function()
    local party = turning.party()
    local _, log = party.client()
    party.server:clients()[1]:subscribe "t"
    core.failAllocation(1)
    local ok, why = pcall(party.server.publish, party.server, "t", "lost")
    core.failAllocation(0)
    assert.is_false(ok)
    assert.matches("not enough memory", why)
    assert.equal(1, party.server:publish("t", "told"))
    party.wait(function() return log.message end)
    assert.equal("told", (log.last "message"))
    party.finish()
  end)

  it("send without memory: the connection fails, the call does not", function()
    local baseline = turning.live()
    local function try(k, size)
      local party = turning.party { maxPayload = 2 ^ 30 }
      local conn, log = party.client()
      local peer = party.server:clients()[1]
      peer:subscribe("t")
      core.failAllocation(k)
      for _ = 1, 3 do
        pcall(conn.send, conn, ("x"):rep(size), "binary")
        pcall(peer.send, peer, ("y"):rep(size), "binary")
        pcall(party.server.publish, party.server, "t", ("z"):rep(size), "binary")
        pcall(peer.subscribe, peer, "u" .. k)
        party.loop:turn(0)
      end
      core.failAllocation(0)
      conn:terminate()
      party.wait(function() return log.close end)
      party.prove()
      party.finish()
    end
    for _, size in ipairs { 10, 20000, 300000 } do
      for k = 1, 16 do
        try(k, size)
        turning.no_more(baseline, size .. " bytes, allocation " .. k)
      end
    end
  end)

  it("a hook closes the loop while a long string is being pinned", function()
    local before = turning.live()
    local data = ("x"):rep(100000)
    local function close_at(nth)
      local party, calls = turning.party(), 0
      party.client()
      local peer = party.server:clients()[1]
      local send = peer.send
      debug.sethook(function()
        calls = calls + 1
        if calls == nth then party.loop:close() end
      end, "c")
      pcall(send, peer, data, "binary")
      debug.sethook()
      party.finish()
      return calls >= nth
    end
    local nth = 1
    while close_at(nth) do nth = nth + 1 end
    turning.no_more(before)
  end)

  it("a long string that is being sent outlives its variable, not its connection", function()
    local baseline = turning.live()
    local before = collectgarbage "count" -- KiB
    local weak = setmetatable({}, { __mode = "k" })
    local function try()
      local party = turning.party()
      local conn, log = party.client()
      conn:pause()
      local peer = party.server:clients()[1]
      for i = 1, 20 do peer:send((tostring(i % 10)):rep(1000000), "binary") end
      collectgarbage()
      assert.is_true(collectgarbage "count" > before + 5000)
      peer:terminate()
      conn:resume()
      party.wait(function() return log.close end)
      weak[peer] = true
      party.finish()
    end
    try()
    turning.no_more(baseline)
    assert.is_nil(next(weak))
    assert.is_true(collectgarbage "count" < before + 1000)
  end)
end)
