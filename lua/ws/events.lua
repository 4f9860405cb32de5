-- SPDX-License-Identifier: MIT
-- Event, MessageEvent, CloseEvent and ErrorEvent: tables whose defaults and
-- methods come from their class (DOM section 2.2, HTML "MessageEvent").

local kind_of = type -- `type` is an event's, too

local events = {}

---@class ws.Event
local methods = {}

--- Keeps the listeners of later passes from being called.
function methods:stopPropagation()
  self.propagationStopped = true
end

--- Keeps every further listener from being called.
function methods:stopImmediatePropagation()
  self.propagationStopped = true
  self.immediatelyStopped = true
end

--- Makes dispatchEvent return false, if the event is cancelable.
function methods:preventDefault()
  if self.cancelable then self.defaultPrevented = true end
end

local function class(name, defaults)
  local fields = {
    bubbles = false, cancelable = false, composed = false, defaultPrevented = false,
    isTrusted = false, eventPhase = 0, NONE = 0, CAPTURING_PHASE = 1, AT_TARGET = 2,
    BUBBLING_PHASE = 3,
  }
  for key, method in pairs(methods) do fields[key] = method end
  for key, value in pairs(defaults) do fields[key] = value end
  return { __index = fields, __name = name, __tostring = function(event)
    return ("%s: %s"):format(name, tostring(event.type))
  end }
end

local classes = {
  Event = class("Event", {}),
  MessageEvent = class("MessageEvent", { origin = "", lastEventId = "", ports = {} }),
  CloseEvent = class("CloseEvent", { wasClean = false, code = 0, reason = "" }),
  ErrorEvent = class("ErrorEvent", { message = "" }),
}

-- A message's event is of one class while it is dispatched and of another
-- afterwards: what is the same for all of them is not written into each.
local function message_class(more)
  local fields = { type = "message", isTrusted = true }
  for key, value in pairs(classes.MessageEvent.__index) do
    if fields[key] == nil then fields[key] = value end
  end
  for key, value in pairs(more) do fields[key] = value end
  return { __index = fields, __name = "MessageEvent",
    __tostring = classes.MessageEvent.__tostring }
end

local told_message = message_class {}
local live_message = message_class {
  eventPhase = 2, dispatching = true, propagationStopped = false,
}

local known = { [told_message] = true, [live_message] = true }
for _, meta in pairs(classes) do known[meta] = true end

--- Makes a constructor: Event(type [, fields]).
local function constructor(name)
  return function(type, fields)
    if type == nil then error(("TypeError: %s: the type is missing"):format(name), 2) end
    if fields ~= nil and kind_of(fields) ~= "table" then
      error(("TypeError: %s: a table of fields expected, got %s"):format(name, kind_of(fields)), 2)
    end
    local event = {}
    for key, value in pairs(fields or {}) do event[key] = value end
    event.type = tostring(type)
    return setmetatable(event, classes[name])
  end
end

for name in pairs(classes) do events[name] = constructor(name) end

--- Turns fresh fields into an event of the class, with no copy.
function events.make(class_name, event)
  event.isTrusted = true
  return setmetatable(event, classes[class_name])
end

--- A message's event, as it is while its listeners are called. `origin` may be
--- false: servers do not know one.
function events.live_message(data, opcode, origin, target)
  local event = { data = data, opcode = opcode, target = target, currentTarget = target }
  if origin then event.origin = origin end
  return setmetatable(event, live_message)
end

--- All its listeners were called.
function events.end_message(event)
  setmetatable(event, told_message)
  event.currentTarget = nil
  if event.propagationStopped then
    event.propagationStopped, event.immediatelyStopped = nil, nil
  end
end

--- True for what the constructors make.
function events.is_event(value)
  return type(value) == "table" and known[getmetatable(value)] == true
end

return events
