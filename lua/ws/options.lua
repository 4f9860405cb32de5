-- SPDX-License-Identifier: MIT
-- Checks what callers pass: tables of options and headers. Errors carry the name of
-- the browser's exception and the caller's line. `level` counts as in error(), from
-- the caller of each function.

local core = require "ws.core"

local options = {}

-- "file:line: " of the nearest caller that has a line, from `level` on. A function in C
-- has none (as when pcall itself calls ws.new), nor has one that has made a tail call.
local function position(level)
  level = level + 1
  local frame = debug.getinfo(level, "Sl")
  while frame and frame.currentline < 0 do
    level = level + 1
    frame = debug.getinfo(level, "Sl")
  end
  return frame and ("%s:%d: "):format(frame.short_src, frame.currentline) or ""
end

--- Raises "file:line: Name: message".
function options.raise(name, message, level)
  error(position(level + 1) .. name .. ": " .. message, 0)
end
local raise = options.raise

--- A wrong value, for an error message: the value if it is short, else its type.
--- Long text might be a secret key.
function options.shown(value)
  local kind = type(value)
  if kind == "number" or kind == "boolean" then return tostring(value) end
  if kind == "string" and #value <= 16 and not value:find "%c" then return "'" .. value .. "'" end
  return kind
end

local function is_whole(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 53 and value % 1 == 0
end

local function fits(value, expected)
  if type(expected) == "function" then return expected(value) end
  for kind in expected:gmatch("%a+") do
    if kind == "any" or type(value) == kind then return true end
    if kind == "size" and is_whole(value) then return true end
    if kind == "callable" and options.is_callable(value) then return true end
  end
  return false, (expected:gsub("size", "a whole number, not negative")
    :gsub("callable", "function"):gsub("|", " or "))
end

--- True for functions, and for values with a __call metamethod.
function options.is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and type(meta.__call) == "function"
end

--- For a schema. Refuses an empty path, which would count as none, and one with a zero
--- byte, at which the system would end it.
function options.is_path(value)
  return type(value) == "string" and value ~= "" and not value:find("\0", 1, true), "a path"
end

-- The length of a list; nil when it has other keys or a hole, as what is there
-- would be ignored silently.
local function length_of(list)
  local count = 0
  for _ in pairs(list) do count = count + 1 end
  for i = 1, count do
    if list[i] == nil then return nil end
  end
  return count
end

--- True for a list of strings and nothing else.
function options.is_list(value)
  local count = type(value) == "table" and length_of(value)
  if not count then return false end
  for i = 1, count do
    if type(value[i]) ~= "string" then return false end
  end
  return true
end

-- How many letters to change to turn `a` into `b` (Levenshtein distance).
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local changed = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + changed)
    end
  end
  return row[#b]
end

-- The distance of two spellings; nil when nobody would confuse them.
local function mistake(name, known)
  local far = distance(name, known)
  if far <= (#known > 4 and 2 or 1) then return far end
  local part = name:find(known, 1, true) or known:find(name, 1, true)
  if part and #name >= 4 then return far end
end

-- For the error message: the known name that is closest in spelling.
local function suggestion(name, schema)
  local lower = tostring(name):lower():gsub("[_-]", "")
  if #lower > 32 then return "" end
  local nearest, least
  for known in pairs(schema) do
    local far = mistake(lower, known:lower())
    if far and (not least or far < least or (far == least and known < nearest)) then
      nearest, least = known, far
    end
  end
  return nearest and (" (did you mean '%s'?)"):format(nearest) or ""
end

--- A copy of `given` (nil: an empty table) in which every name is known to the
--- schema and every value fits. schema: name -> "string|table", "size" (bytes
--- or milliseconds), "callable", or a function(value) -> ok, expected[, what it
--- got instead]. Errors begin with `what`, such as "tls", if that is given.
function options.check(given, schema, level, what)
  level = level + 1
  what = what and what .. ": " or ""
  local checked = {}
  if given == nil then return checked end
  if type(given) ~= "table" then
    raise("TypeError", ("%sa table of options expected, got %s"):format(what, type(given)), level)
  end
  for name, value in pairs(given) do
    local expected = schema[name]
    if not expected then
      raise("TypeError", ("%sunknown option '%s'%s"):format(what, tostring(name),
        suggestion(name, schema)), level)
    end
    local ok, wanted, got = fits(value, expected)
    if not ok then
      raise("TypeError", ("%soption '%s': %s expected, got %s"):format(what, name,
        wanted or "another value", got or options.shown(value)), level)
    end
    checked[name] = value
  end
  return checked
end

--- Checks that lowWaterMark is not above highWaterMark, for clients and servers.
function options.check_water(checked, level)
  local high = checked.highWaterMark or 1048576
  if checked.lowWaterMark and checked.lowWaterMark > high then
    raise("TypeError", "option 'lowWaterMark' is above highWaterMark", level + 1)
  end
end

local function add_header(flat, name, value, level)
  if type(value) == "number" then value = tostring(value) end
  if type(value) ~= "string" then
    raise("TypeError", ("header '%s': a string expected, got %s"):format(name, type(value)),
      level + 1)
  end
  if not core.headerValueOk(value) then
    raise("TypeError", ("header '%s': the value holds a control character"):format(name),
      level + 1)
  end
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end

local function is_ours(name, owned)
  if owned then return owned[name:lower()] end
  return core.ownsHeader(name)
end

local function add_headers(flat, name, values, level)
  local count = length_of(values)
  if not count then
    raise("TypeError", ("header '%s': a string or a list of strings expected"):format(name),
      level + 1)
  end
  for i = 1, count do add_header(flat, name, values[i], level + 1) end
end

--- {name = value, name = {value, value}} -> {name, value, name, value ...}.
--- Raises for names that are not tokens, and for headers that we write ourselves:
--- those of the handshake or, if given, those in the set `owned` (in lower case).
function options.flat_headers(headers, level, owned)
  level = level + 1
  local flat = {}
  if headers == nil then return flat end
  if type(headers) ~= "table" then
    raise("TypeError", "headers: a table expected, got " .. type(headers), level)
  end
  for name, value in pairs(headers) do
    if type(name) ~= "string" or not core.isToken(name) then
      raise("TypeError", ("'%s' is not a header name"):format(tostring(name)), level)
    end
    if is_ours(name, owned) then
      raise("TypeError", ("header '%s' is written by this library"):format(name), level)
    end
    if type(value) == "table" then add_headers(flat, name, value, level)
    else add_header(flat, name, value, level) end
  end
  return flat
end

--- Checks that the option `origin` can be sent along with these flat headers.
function options.check_origin(origin, flat, level)
  if not origin then return end
  level = level + 1
  if not core.headerValueOk(origin) then
    raise("TypeError", "option 'origin': the value holds a control character", level)
  end
  for i = 1, #flat, 2 do
    if flat[i]:lower() == "origin" then
      raise("TypeError", "the Origin is given twice, as an option and among the headers", level)
    end
  end
end

--- Calls a function of ws.core so that its errors name the caller's line instead
--- of ours.
function options.blame(level, fn, ...)
  local ok, first, second, third = pcall(fn, ...)
  if ok then return first, second, third end
  if type(first) ~= "string" then error(first, 0) end -- by a caller's __tostring, say
  error(position(level + 1) .. (first:match ":%d+: (%u%a*Error: .*)" or first), 0)
end

return options
