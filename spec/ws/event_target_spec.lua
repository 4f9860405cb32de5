-- SPDX-License-Identifier: MIT
-- Listeners on a socket, as in the DOM: S81 to S90. The events are made by hand, so
-- nothing needs the network.

local helper = require "spec.helper"
local ws = require "ws"

-- How many hundreds of VM instructions fn() takes.
local function steps(fn)
  local count, jit = 0, jit -- luacheck: ignore 113
  if jit then jit.off() end -- compiled code would not be counted
  debug.sethook(function() count = count + 1 end, "", 100)
  fn()
  debug.sethook()
  if jit then jit.on() end
  return count
end

describe("listeners", function()
  local sock, order, told

  before_each(function()
    sock = ws.new "ws://127.0.0.1:1/"
    order, told = {}, {}
    ws.onerror = function(message) told[#told + 1] = message end
  end)
  after_each(function()
    ws.onerror = nil
    sock:terminate()
    helper.settle()
  end)

  local function note(name, more)
    return function(event)
      order[#order + 1] = name
      if more then more(event) end
    end
  end

  local function fire(type_)
    order = {}
    local result = sock:dispatchEvent(ws.Event(type_ or "open"))
    return table.concat(order, " "), result
  end

  it("S81 nil is ignored, the same is added once", function()
    sock:addEventListener("open", nil)
    local fn = note "A"
    sock:addEventListener("open", fn)
    sock:addEventListener("open", fn)
    sock:addEventListener("open", fn, true) -- is another one, as it captures
    assert.equal("A A", (fire()))
    assert.equal(0, select("#", sock:addEventListener("open", print)))
    for _, wrong in ipairs { 5, "x", true } do
      local message = helper.raised_there("TypeError",
        function() sock:addEventListener("open", wrong) end)
      assert.matches("addEventListener: .* got " .. type(wrong) .. "$", message)
    end
  end)

  it("the methods are a socket's", function()
    for _, wrong in ipairs { 5, "x", {}, io.stdout } do
      helper.raised_there("TypeError", function() sock.addEventListener(wrong, "open", print) end)
      helper.raised_there("TypeError", function() sock.removeEventListener(wrong, "x", print) end)
      helper.raised_there("TypeError", function() sock.dispatchEvent(wrong, ws.Event "x") end)
    end
    helper.raised_there("TypeError", function() sock.addEventListener() end)
  end)

  it("raises for a type that is missing and options that are none", function()
    for _, method in ipairs { "addEventListener", "removeEventListener" } do
      local message = helper.raised_there("TypeError", function() sock[method](sock) end)
      assert.matches(method .. ": the type is missing", message)
      helper.raised_there("TypeError", function() sock[method](sock, nil, print) end)
      for _, wrong in ipairs { 5, "capture", { onec = true }, { signal = 5 } } do
        message = helper.raised_there("TypeError",
          function() sock[method](sock, "open", print, wrong) end)
        assert.matches(method .. ": ", message)
      end
    end
    assert.equal("", (fire()))
    sock:addEventListener("open", note "A", { passive = true, signal = { aborted = false } })
    assert.equal("A", (fire()))
  end)

  it("listeners are called with the event and nothing else", function()
    local counts = {}
    local function count(...) counts[#counts + 1] = select("#", ...) end
    sock:addEventListener("open", count)
    sock:addEventListener("open", setmetatable({}, { __call = function(_, ...) count(...) end }))
    sock.onopen = count
    fire()
    assert.same({ 1, 1, 1 }, counts)
  end)

  it("S81 may be objects, whose handleEvent is looked up each time", function()
    local object = { handleEvent = function(self, event)
      order[#order + 1] = self.name .. ":" .. event.type
    end, name = "first" }
    sock:addEventListener("open", object)
    assert.equal("first:open", (fire()))
    object.handleEvent = function() order[#order + 1] = "second" end
    assert.equal("second", (fire()))
    object.handleEvent = nil
    assert.equal("", (fire()))
    assert.equal(1, #told)
    assert.equal("TypeError: handleEvent of a listener for 'open' is not a function but nil",
      told[1])
    local callable = setmetatable({}, { __call = function(_, event)
      order[#order + 1] = "called with " .. event.type
    end })
    sock:addEventListener("close", callable)
    assert.equal("called with close", (fire "close"))
  end)

  it("S82 on... keeps functions and objects, all else is nil", function()
    for _, value in ipairs { 5, "x", true } do
      sock.onopen = print
      sock.onopen = value
      assert.is_nil(sock.onopen)
    end
    local object = { handleEvent = note "never" }
    sock.onopen = object
    assert.equal(object, sock.onopen)
    assert.equal("", (fire()))
    local fn = note "on"
    sock.onopen = fn
    assert.equal(fn, sock.onopen)
    assert.equal("on", (fire()))
    for _, name in ipairs { "onopen", "onmessage", "onerror", "onclose", "onping", "onpong",
      "ondrain" } do
      sock[name] = fn
      assert.equal(fn, sock[name])
      sock[name] = nil
      assert.is_nil(sock[name])
    end
  end)

  it("S83 on... keeps the place it was first set in", function()
    sock:addEventListener("open", note "A")
    sock.onopen = note "on"
    sock:addEventListener("open", note "B")
    assert.equal("A on B", (fire()))
    sock.onopen = note "other"
    assert.equal("A other B", (fire()))
    sock.onopen = nil
    assert.equal("A B", (fire()))
    sock.onopen = note "again"
    assert.equal("A B again", (fire()))
  end)

  it("S84 capture and once; removing needs the same three", function()
    local fn = note "A"
    sock:addEventListener("open", fn, { capture = true })
    sock:removeEventListener("open", fn)
    assert.equal("A", (fire()))
    sock:removeEventListener("open", fn, true)
    assert.equal("", (fire()))
    sock:removeEventListener("open", fn) -- unknown is fine
    sock:removeEventListener("nothing", fn)
    sock:addEventListener("open", note("once", function()
      sock:dispatchEvent(ws.Event "open") -- it is gone already
    end), { once = true })
    assert.equal("once", (fire()))
    assert.equal("", (fire()))
  end)

  it("S84 a signal takes listeners away", function()
    local signal = { aborted = false }
    function signal:addEventListener(_, fn) self.abort = fn end
    sock:addEventListener("open", note "A", { signal = signal })
    assert.equal("A", (fire()))
    signal.abort()
    assert.equal("", (fire()))
    sock:addEventListener("open", note "B", { signal = { aborted = true } })
    assert.equal("", (fire()))
    local again = note "C" -- added with a signal, removed, added without
    sock:addEventListener("open", again, { signal = signal })
    sock:removeEventListener("open", again)
    sock:addEventListener("open", again)
    signal.abort()
    assert.equal("C", (fire()))
  end)

  it("S84 a passive one cannot cancel, the others can", function()
    local function cancel(event) event:preventDefault() end
    local event = ws.Event("open", { cancelable = true })
    sock:addEventListener("open", cancel, { passive = true })
    assert.is_true(sock:dispatchEvent(event))
    assert.is_false(event.defaultPrevented)
    sock:addEventListener("open", note("A", cancel))
    assert.is_false(sock:dispatchEvent(event))
    assert.is_true(event.defaultPrevented)
  end)

  it("S85 an error is reported, the others still run", function()
    sock:addEventListener("open", note("A", function() error "in A" end))
    sock.onopen = note("on", function() error({}) end)
    sock:addEventListener("open", note "B")
    assert.equal("A on B", (fire()))
    assert.equal(2, #told)
    assert.matches("event_target_spec.lua:%d+: in A", told[1])
    assert.equal("table", type(told[2]))
    assert.equal(0, sock.readyState)
  end)

  it("the type of an event may be changed to any value: it is made a string", function()
    sock:addEventListener("1", note "one")
    sock.onmessage = note "message"
    local event = ws.Event "open"
    event.type = 1
    sock:dispatchEvent(event)
    assert.same({ { "one" }, "1" }, { order, event.type })
  end)

  it("a listener that changes the type of its event changes nothing for the others", function()
    sock:addEventListener("open", note("first", function(event) event.type = 1 end), true)
    sock:addEventListener("open", note "once", { once = true })
    sock.onmessage = note "message"
    assert.equal("first once", (fire()))
    assert.equal("first", (fire()))
    assert.same({}, told)
  end)

  it("S86 dispatchEvent is for made-up events, at once", function()
    local seen, again
    sock.onclose = function(event)
      seen = { event.isTrusted, event.target == sock, event.eventPhase }
      event:preventDefault()
    end
    local event = ws.CloseEvent("close", { code = 3000 })
    assert.is_true(sock:dispatchEvent(event))
    assert.same({ false, true, 2 }, seen)
    assert.equal(0, sock.readyState)
    assert.is_false(sock:dispatchEvent(ws.Event("close", { cancelable = true })))
    sock.onopen = function(it)
      again = helper.raised_there("InvalidStateError", function() sock:dispatchEvent(it) end)
    end
    fire()
    assert.same({}, told)
    assert.matches("is being dispatched", again)
    event.isTrusted = true -- anybody can claim that
    sock:dispatchEvent(event)
    assert.is_false(event.isTrusted)
    fire() -- the event is free again after each dispatch
    assert.is_true(sock:dispatchEvent(event))
    assert.is_true(sock:dispatchEvent(event))
    for _, wrong in ipairs { {}, { type = "open" }, "open", 5 } do
      assert.matches("dispatchEvent: an event expected",
        helper.raised_there("TypeError", function() sock:dispatchEvent(wrong) end))
    end
    helper.raised_there("TypeError", function() sock:dispatchEvent() end)
    assert.is_true(sock:dispatchEvent(ws.Event "of no type we know"))
  end)

  it("S87 those added wait for the next event, those removed are skipped", function()
    local late = note "late"
    local gone = note "gone"
    sock:addEventListener("open", note("A", function()
      sock:addEventListener("open", late)
      sock:removeEventListener("open", gone)
    end))
    sock:addEventListener("open", gone)
    assert.equal("A", (fire()))
    assert.equal("A late", (fire()))
  end)

  it("S83 S87 an on... handler changed meanwhile: replaced at once, set anew waits", function()
    sock:addEventListener("open", note("A", function() sock.onopen = note "new" end))
    sock.onopen = note "old"
    assert.equal("A new", (fire()))
    sock:addEventListener("close", note("A", function()
      sock.onclose = nil
      sock.onclose = note "again"
    end))
    sock.onclose = note "old"
    assert.equal("A", (fire "close"))
    sock.onclose = nil
    assert.equal("A", (fire "close"))
  end)

  it("S87 the list is cloned per pass: capture may add to the next", function()
    local once = { once = true, capture = true }
    sock:addEventListener("open", note("CAP", function()
      sock:addEventListener("open", note "late CAP", true)
      sock:addEventListener("open", note "A")
    end), once)
    assert.equal("CAP A", (fire()))
    assert.equal("late CAP A", (fire()))
    local last = note "last"
    sock:addEventListener("close", note("CAP", function()
      sock:removeEventListener("close", last)
    end), once)
    sock:addEventListener("close", last)
    assert.equal("CAP", (fire "close"))
    assert.equal("", (fire "close"))
  end)

  it("S87 what is removed and added meanwhile, by many, concerns the next pass", function()
    local function nothing() end
    local fillers = {}
    for i = 1, 20 do fillers[i] = function() nothing(i) end end
    sock:addEventListener("open", note("first", function()
      for _, filler in ipairs(fillers) do sock:removeEventListener("open", filler) end
      sock:addEventListener("open", note "late")
    end), { once = true })
    for _, filler in ipairs(fillers) do sock:addEventListener("open", filler) end
    sock:addEventListener("open", note "last")
    sock.onopen = note "on"
    assert.equal("first last on", (fire()))
    assert.equal("last on late", (fire()))
    local calls = 0
    for i = 1, 20 do
      sock:addEventListener("close", function() calls = calls + i end, { once = true })
    end
    fire "close"
    fire "close"
    assert.equal(210, calls)
  end)

  it("S84 removed by somebody before its turn, a listener may be added again", function()
    local fn = note "fn"
    sock:addEventListener("open", note("first", function()
      sock:removeEventListener("open", fn)
      sock:addEventListener("open", fn)
      sock:addEventListener("open", fn)
    end), { once = true })
    sock:addEventListener("open", fn)
    sock:addEventListener("open", note "last")
    assert.equal("first last", (fire()))
    assert.equal("last fn", (fire()))
  end)

  it("removed, one is not kept alive by the others", function()
    local kept = setmetatable({}, { __mode = "k" })
    local function made()
      local object = {}
      kept[object] = true
      return function() return object end
    end
    for _ = 1, 8 do sock:addEventListener("open", function() kept = kept end) end
    local function add_and_remove(fn)
      sock:addEventListener("open", fn)
      sock:removeEventListener("open", fn)
    end
    add_and_remove(made())
    sock.onopen = made()
    sock.onopen = nil
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(kept))
  end)

  it("adding and removing one costs the same when there are many", function()
    local COUNT = 100
    local function listeners(count)
      local list = {}
      for i = 1, count do list[i] = function() return i end end
      return list
    end
    local function each(method, list)
      return function()
        for _, fn in ipairs(list) do sock[method](sock, "open", fn) end
      end
    end
    local few, many, more = listeners(COUNT), listeners(40 * COUNT), listeners(COUNT)
    local adding = steps(each("addEventListener", few))
    local removing = steps(each("removeEventListener", few))
    each("addEventListener", many)()
    assert.is_true(steps(each("addEventListener", more)) <= 2 * adding)
    assert.is_true(steps(each("removeEventListener", more)) <= 2 * removing)
    assert.is_true(steps(each("removeEventListener", many)) <= 2 * 40 * removing)
  end)

  it("S88 those that capture come first; stopping stops", function()
    sock:addEventListener("open", note "A")
    sock:addEventListener("open", note "CAP", true)
    sock:addEventListener("open", note "B")
    assert.equal("CAP A B", (fire()))
    local stop = note("stop", function(event) event:stopPropagation() end)
    sock:addEventListener("open", stop, true)
    assert.equal("CAP stop", (fire()))
    sock:removeEventListener("open", stop, true)
    sock:addEventListener("close", note("one", function(event)
      event:stopImmediatePropagation()
    end))
    sock:addEventListener("close", note "two")
    assert.equal("one", (fire "close"))
    sock:addEventListener("message", note "A")
    sock:addEventListener("message", note("stop", function(event)
      event:stopImmediatePropagation()
    end), true)
    sock:addEventListener("message", note "CAP", true)
    local event = ws.Event "message"
    order = {}
    sock:dispatchEvent(event)
    assert.same({ "stop" }, order)
    assert.same({ 0, nil, sock }, { event.eventPhase, event.currentTarget, event.target }) -- S79
  end)

  it("S88 an event stopped beforehand reaches none, but does the next time", function()
    sock:addEventListener("open", note "CAP", true)
    sock:addEventListener("open", note "A")
    for _, stop in ipairs { "stopPropagation", "stopImmediatePropagation" } do
      for _, type_ in ipairs { "open", "drain" } do -- none listens to drain
        local event = ws.Event(type_)
        event[stop](event)
        order = {}
        assert.is_true(sock:dispatchEvent(event))
        assert.same({}, order)
        event.type = "open"
        sock:dispatchEvent(event)
        assert.same({ "CAP", "A" }, order)
      end
    end
  end)

  it("S90 what they return means nothing", function()
    sock.onopen = function() return false end
    sock:addEventListener("open", note "B")
    local ran, result = fire()
    assert.equal("B", ran)
    assert.is_true(result)
  end)
end)

describe("errors in listeners", function()
  after_each(function() ws.onerror = nil end)

  it("come out of ws.poll only when ws.onerror itself raises", function()
    ws.onerror = function(message) error("again: " .. tostring(message), 0) end
    local sock = ws.new "ws://127.0.0.1:1/"
    sock.onerror = function() error("first", 0) end
    local closed = false
    sock.onclose = function() closed = true end
    local raised
    local deadline = ws.now() + 5000
    while not closed and ws.now() < deadline do
      local ok, message = pcall(ws.poll, 20)
      if not ok then raised = message end
    end
    assert.is_true(closed)
    assert.equal("again: first", raised)
  end)

  it("S89 S85 leave the connection alone", function()
    local told = 0
    ws.onerror = function() told = told + 1 end
    local server, url = helper.echo_server()
    local sock = ws.new(url)
    local messages = 0
    sock.onopen = function()
      sock:send "one"
      error "after sending"
    end
    sock.onmessage = function()
      messages = messages + 1
      if messages < 3 then sock:send "more" else sock:close() end
      error "each time"
    end
    sock.onclose = function()
      local other = ws.new(url) -- S89: new ones, in close
      other.onopen = function() other:close() end
      other.onclose = function() server:close() end
    end
    helper.closed(sock)
    helper.wait_until(function() return server.connections == 0 end)
    assert.equal(3, messages)
    assert.equal(4, told)
  end)
end)
