-- SPDX-License-Identifier: MIT
-- Views: messages that are lent to their handler instead of becoming strings.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("a view", function()
  local party, conn, log, handler
  before_each(function()
    party = turning.party {
      maxPayload = 2 ^ 25, deflate = { enabled = true },
      handlers = core.handlers {
        views = true,
        message = function(...) return handler(...) end,
      },
    }
    conn, log = party.client(nil, { maxPayload = 2 ^ 25, deflate = { enabled = true } })
  end)
  after_each(function() party.finish() end)

  -- What fn(view, opcode, sock) returns while the view of a message is valid.
  local function lend(data, opcode, fn)
    local got
    handler = function(sock, view, its_opcode)
      got = { pcall(fn, view, its_opcode, sock) }
    end
    conn:send(data, opcode)
    party.wait(function() return got end)
    if not got[1] then error(got[2], 0) end
    return turning.unpack(got, 2)
  end

  it("has the length and the text of its message", function()
    for _, data in ipairs { "", "x", "a\0b", ("long "):rep(20000) } do
      local len, text, opcode = lend(data, "binary", function(view, opcode)
        return #view, tostring(view), opcode
      end)
      assert.equal(#data, len)
      assert.equal(data, text)
      assert.equal("binary", opcode)
    end
    assert.equal("userdata", lend("x", "text", function(view) return type(view) end))
  end)

  it("has sub and byte as strings have", function()
    local data = "abcde"
    local function differs(view)
      for i = -8, 8 do
        for j = -8, 8 do
          if view:sub(i, j) ~= data:sub(i, j) then return ("sub(%d, %d)"):format(i, j) end
          local a, b = { view:byte(i, j) }, { data:byte(i, j) }
          if table.concat(a, " ") ~= table.concat(b, " ") then
            return ("byte(%d, %d)"):format(i, j)
          end
        end
        if view:sub(i) ~= data:sub(i) then return ("sub(%d)"):format(i) end
        if view:byte(i) ~= data:byte(i) then return ("byte(%d)"):format(i) end
      end
      if view:byte() ~= 97 then return "byte()" end
    end
    -- When compiled, string.sub of luajit2 2.1-20230119 can mistake an end before the
    -- string's start for one after its end.
    if jit then jit.off(differs) end -- luacheck: ignore 113
    assert.is_nil(lend(data, "text", differs))
    local far = 2 ^ 52
    assert.equal(data, lend(data, "text", function(view) return view:sub(-far, far) end))
    assert.equal("", lend(data, "text", function(view) return view:sub(far, -far) end))
    assert.equal("", lend(data, "text", function(view) return view:sub(2 ^ 32 + 1) end))
    local long = ("x"):rep(69999) .. "y"
    assert.equal(121, lend(long, "text", function(view) return view:byte(70000) end))
    local function count(n)
      return lend(long, "text", function(view) return select("#", view:byte(-n, -1)) end)
    end
    assert.equal(7900, count(7900)) -- LuaJIT has room for 8000 in all
    for _, n in ipairs { 8001, 70000 } do
      assert.error_matches(function() count(n) end, "too many results")
    end
    assert.error_matches(function()
      lend(data, "text", function(view) return view:sub("x") end)
    end, "number expected")
  end)

  it("is sent with the opcode it came with, or another", function()
    lend("\226\130\172", "text", function(view, _, sock) sock:send(view) end)
    lend("\255\0", "binary", function(view, _, sock) sock:send(view) end)
    lend("plain", "binary", function(view, _, sock) sock:send(view, "text") end)
    lend("words", "text", function(view, _, sock) sock:send(view, "binary") end)
    party.wait(function() return log.message == 4 end)
    assert.same({ "message", "\226\130\172", "text" }, log[2])
    assert.same({ "message", "\255\0", "binary" }, log[3])
    assert.same({ "message", "plain", "text" }, log[4])
    assert.same({ "message", "words", "binary" }, log[5])
    assert.error_matches(function()
      lend("\255", "binary", function(view, _, sock) sock:send(view, "text") end)
    end, "send: text is not UTF%-8")
  end)

  it("is published", function()
    local count = lend("news", "binary", function(view, _, sock)
      sock:subscribe "all"
      return party.server:publish("all", view)
    end)
    assert.equal(1, count)
    party.wait(function() return log.message end)
    assert.same({ "news", "binary" }, { log.last "message" })
  end)

  it("echoes what is long, in fragments or compressed", function()
    for _, size in ipairs { 200, 70000, 3000000 } do
      local data = ("0123456789"):rep(size / 10)
      lend(data, "text", function(view, _, sock) sock:send(view) end)
      party.wait(function() return log.message end)
      assert.is_true(data == log.last "message")
      log.message = nil
    end
    local raw = turning.raw(party.loop, party.server)
    handler = function(sock, view) sock:send(view) end
    raw.send(turning.upgrade())
    raw.wait(function() return raw.bytes:find "\r\n\r\n" end, "the answer")
    raw.bytes = ""
    raw.send "\1\129\0\0\0\0a\0\129\0\0\0\0b\128\129\0\0\0\0c"
    raw.wait(function() return raw.bytes == "\129\3abc" end, "the echo")
    raw.close()
  end)

  it("is copied when it is sent: what comes after it does not change it", function()
    conn, log = party.client(nil, { maxPayload = 2 ^ 25 }) -- nothing is compressed
    local sent = 0
    handler = function(sock, view)
      sent = sent + 1
      sock:send(view)
    end
    local function text(i) return (tostring(i % 10)):rep(400000) end
    conn:pause() -- so that the echoes have to wait
    for i = 1, 20 do conn:send(text(i), "binary") end
    party.wait(function() return sent == 20 end)
    conn:resume()
    party.wait(function() return log.message == 20 end)
    local got = {}
    for _, entry in ipairs(log) do
      if entry[1] == "message" then got[#got + 1] = entry[2] end
    end
    for i = 1, 20 do assert.is_true(got[i] == text(i), "message " .. i) end
  end)

  local function is_over(view)
    for name, use in pairs {
      length = function() return #view end,
      text = function() return tostring(view) end,
      sub = function() return view:sub(1) end,
      byte = function() return view:byte(1) end,
      send = function() return conn:send(view) end,
      publish = function() return party.server:publish("all", view) end,
    } do
      assert.matches("TypeError: a view is valid only in its handler", turning.raised(use), name)
    end
  end

  it("is over when its handler has returned", function()
    local first, second
    first = lend("one", "text", function(view) return view end)
    is_over(first)
    -- Nor does it become valid again while another message is delivered.
    local ok = lend("two", "text", function(view)
      second = view
      return pcall(tostring, first)
    end)
    assert.is_false(ok)
    assert.is_true(first ~= second)
    is_over(second)
  end)

  it("is over when its handler has raised", function()
    local kept
    handler = function(_, view)
      kept = view
      error "on purpose"
    end
    conn:send "x"
    party.wait(function() return #party.errors == 1 end)
    is_over(kept)
  end)

  it("is over for a coroutine that goes on later", function()
    local co = coroutine.create(function(view)
      coroutine.yield()
      return #view
    end)
    lend("x", "text", function(view) coroutine.resume(co, view) end)
    local ok, message = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("valid only in its handler", message)
  end)

  it("is good until then, whatever becomes of its connection", function()
    local data = ("0123456789"):rep(10000)
    for _, ending in ipairs { "terminate", "rawClose" } do
      conn, log = party.client(nil, { maxPayload = 2 ^ 25 })
      local text = lend(data, "binary", function(view, _, sock)
        sock[ending](sock)
        collectgarbage()
        return tostring(view)
      end)
      assert.is_true(text == data)
      party.wait(function() return log.close end)
    end
  end)

  it("is collected like anything else", function()
    local baseline = turning.live()
    local weak = setmetatable({}, { __mode = "k" })
    lend("x", "text", function(view) weak[view] = true end)
    party.loop:turn(0)
    turning.no_more(baseline)
    assert.is_nil(next(weak))
  end)

  it("is not held while the next of its read is told", function()
    local weak, told, left = setmetatable({}, { __mode = "k" }), 0, nil
    handler = function(_, view)
      told = told + 1
      if told == 2 then
        collectgarbage()
        left = next(weak)
      end
      weak[view] = true
    end
    conn:send "1"
    conn:send "2"
    party.wait(function() return told == 2 end)
    assert.is_nil(left)
  end)

  it("takes foreign selves for what they are", function()
    local sub, byte = lend("x", "text", function(view) return view.sub, view.byte end)
    for _, wrong in ipairs(turning.wrong_selves(conn, party.loop)) do
      assert.error_matches(function() sub(wrong, 1) end, "TypeError: a view expected")
      assert.error_matches(function() byte(wrong) end, "TypeError: a view expected")
    end
    assert.error_matches(function() sub() end, "TypeError: a view expected, got no value")
    assert.error_matches(function() sub(5, "x") end, "TypeError: a view expected, got number")
  end)
end)
