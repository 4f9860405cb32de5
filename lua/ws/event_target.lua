-- SPDX-License-Identifier: MIT
-- Listeners as in the DOM (sections 2.7 and 2.9), for one target that has no parents.
-- Each type of event has a list of listeners; the on... handler takes its place in
-- the list when first set (HTML "event handlers").

local events = require "ws.events"
local loop = require "ws.loop"
local options = require "ws.options"

local event_target = {}

-- In plain Lua 5.1, xpcall passes no arguments to the function.
local passes_arguments = select(2, xpcall(function(value) return value end, print, 1)) == 1

--- A message handler for xpcall: keeps the message, and a traceback to where it was
--- raised.
function event_target.traced(message)
  return { message = message, traceback = debug.traceback(loop.describe(message), 2) }
end

local function report(raised)
  if type(raised) == "table" and raised.traceback then
    loop.report(raised.message, raised.traceback)
  else
    loop.report(raised)
  end
end

--- Calls fn(); an error is reported, not raised.
function event_target.call(fn)
  local ok, raised = xpcall(fn, event_target.traced)
  if not ok then report(raised) end
end

-- ------------------------------------------------------------------ listeners

local listener_options = {
  capture = "any", once = "any", passive = "any", signal = "table|userdata",
}

-- DOM section 2.7, "flatten more": a boolean is `capture`. `name` is the
-- method's.
local function flat_options(opts, name, level)
  if opts == nil or type(opts) == "boolean" then return { capture = opts or false } end
  local flat = options.check(opts, listener_options, level + 1, name)
  flat.capture = flat.capture and true or false
  return flat
end

local function check_type(type_, name, level)
  if type_ == nil then options.raise("TypeError", name .. ": the type is missing", level + 1) end
  return tostring(type_)
end

-- list[1] to list[count] are the listeners, in the order added. A removed one stays
-- there, without its callback, while more than half of them are `live`; otherwise a new
-- list of the live ones replaces this. So a pass that is under way, which took the count
-- at its start, sees the list as it was then, and removing stays cheap when there are
-- many. `on` is the on... handler; list[capture] has the others by their callbacks.
local function new_list()
  return { count = 0, live = 0 }
end

local function find(list, callback, capture)
  local known = list and list[capture]
  return known and known[callback]
end

-- The counts change in the last step, because all others may run out of memory.
local function append(list, listener)
  list[list.count + 1] = listener
  if listener.is_on then
    list.on = listener
  else
    local known = list[listener.capture] or {}
    known[listener.callback] = listener
    list[listener.capture] = known
  end
  list.count, list.live = list.count + 1, list.live + 1
end

-- Removes the listener; returns the list to go on with, or nil if none is left.
local function without(list, listener)
  if listener.is_on then list.on = nil
  else list[listener.capture][listener.callback] = nil end
  listener.callback, list.live = nil, list.live - 1
  if list.live == 0 then return nil end
  if 2 * list.live > list.count then return list end
  local rest = new_list()
  for i = 1, list.count do
    if list[i].callback then append(rest, list[i]) end
  end
  return rest
end

-- Also sets lists[1]: if a single function listens to messages, that is it, and the
-- core calls it directly. Not one that captures: those that it adds are called next.
local function put(lists, type_, list)
  lists[type_] = list
  if type_ ~= "message" then return end
  local only = list and list.count == 1 and list[1]
  local direct = only and only.plain and not only.once and not only.capture
  lists[1] = direct and only.callback or nil
end

local function put_in(lists, type_, listener)
  local list = lists[type_] or new_list()
  append(list, listener)
  put(lists, type_, list)
end

local function take_out(lists, type_, listener)
  if listener and listener.callback then
    put(lists, type_, without(lists[type_], listener))
  end
end

--- Adds a listener to `lists` (type -> list). S81, S84.
function event_target.add(lists, type_, callback, opts, level)
  type_ = check_type(type_, "addEventListener", level + 1)
  local more = flat_options(opts, "addEventListener", level + 1)
  if callback == nil then return end
  local kind = type(callback)
  if kind ~= "function" and kind ~= "table" and kind ~= "userdata" then
    options.raise("TypeError", "addEventListener: a function or an object with handleEvent "
      .. "expected, got " .. kind, level + 1)
  end
  local capture = more.capture
  if more.signal and more.signal.aborted then return end
  if find(lists[type_], callback, capture) then return end
  local listener = {
    callback = callback, plain = kind == "function", capture = capture,
    once = more.once and true or nil, passive = more.passive and true or nil,
  }
  put_in(lists, type_, listener)
  if more.signal and more.signal.addEventListener then
    more.signal:addEventListener("abort", function() take_out(lists, type_, listener) end)
  end
end

--- Removes one that was added with the same type, callback and capture.
function event_target.remove(lists, type_, callback, opts, level)
  type_ = check_type(type_, "removeEventListener", level + 1)
  local more = flat_options(opts, "removeEventListener", level + 1)
  take_out(lists, type_, find(lists[type_], callback, more.capture))
end

--- What the on... property reads.
function event_target.get_on(lists, type_)
  local list = lists[type_]
  return list and list.on and list.on.callback
end

--- Sets the on... property: functions and objects are kept, anything else counts as
--- nil; a replacement keeps its predecessor's place. S82, S83.
function event_target.set_on(lists, type_, value)
  local kind, list = type(value), lists[type_]
  local on = list and list.on
  if kind ~= "function" and kind ~= "table" and kind ~= "userdata" then
    take_out(lists, type_, on)
  elseif on then
    on.callback, on.plain = value, kind == "function"
    put(lists, type_, list)
  else
    put_in(lists, type_, { callback = value, plain = kind == "function", is_on = true,
      capture = false })
  end
end

-- ------------------------------------------------------------------- dispatch

-- An object's handleEvent is looked up at each call, S81.
local function call_object(object, event)
  local handle = object.handleEvent
  if not options.is_callable(handle) then
    error(("TypeError: handleEvent of a listener for '%s' is not a function but %s"):format(
      event.type, type(handle)), 0)
  end
  handle(object, event)
end

local function invoke(listener, callback, event)
  if listener.plain and passes_arguments then
    local ok, raised = xpcall(callback, event_target.traced, event)
    if not ok then report(raised) end
  elseif listener.plain or options.is_callable(callback) then
    event_target.call(function() callback(event) end)
  elseif not listener.is_on then
    event_target.call(function() call_object(callback, event) end)
  end
end

-- In a passive listener preventDefault does nothing, S84.
local function invoke_passive(listener, callback, event)
  event.inPassiveListener = true
  invoke(listener, callback, event)
  event.inPassiveListener = nil
end

local function pass(lists, type_, event, capture)
  if event.propagationStopped then return end
  local list = lists[type_]
  for i = 1, list and list.count or 0 do
    local listener = list[i]
    local callback = listener.callback
    if callback and listener.capture == capture then
      if listener.once then take_out(lists, type_, listener) end
      if listener.passive then invoke_passive(listener, callback, event)
      else invoke(listener, callback, event) end
      if event.immediatelyStopped then return end
    end
  end
end

--- Calls the listeners of event.type: first those that capture, then the
--- others, each in the order added. S79, S85, S87, S88.
function event_target.dispatch(lists, target, event)
  local type_ = event.type -- a listener may change it
  event.target = target
  if lists[type_] then
    event.currentTarget, event.eventPhase, event.dispatching = target, 2, true
    pass(lists, type_, event, true)
    pass(lists, type_, event, false)
    event.currentTarget, event.eventPhase, event.dispatching = nil, 0, nil
  end
  event.propagationStopped, event.immediatelyStopped = nil, nil
end

--- dispatchEvent: dispatches an event that the program made. S86.
function event_target.dispatch_made(lists, target, event, level)
  if not events.is_event(event) then
    options.raise("TypeError", "dispatchEvent: an event expected (ws.Event makes one), got "
      .. type(event), level + 1)
  end
  if event.dispatching then
    options.raise("InvalidStateError", "dispatchEvent: the event is being dispatched", level + 1)
  end
  event.isTrusted, event.type = false, tostring(event.type)
  event_target.dispatch(lists, target, event)
  return not event.defaultPrevented
end

return event_target
