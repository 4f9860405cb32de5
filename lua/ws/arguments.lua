-- SPDX-License-Identifier: MIT
-- Checks and converts the arguments of the constructor and close() as the standard
-- says. `level` counts as in error(), from the caller of each function.

local core = require "ws.core"
local options = require "ws.options"

local raise = options.raise
local is_server = core.connection.internals.isServer
local arguments = {}

local function text_of(value, what, level)
  if type(value) == "number" then return tostring(value) end
  local meta = getmetatable(value)
  if type(value) ~= "string" and type(meta) == "table" and meta.__tostring then
    value = tostring(value)
  end
  if type(value) ~= "string" then
    raise("TypeError", ("%s: a string expected, got %s"):format(what, type(value)), level + 1)
  end
  return value
end

--- Checks that a method was called on a socket, else raises. Returns true for a
--- server's socket.
function arguments.socket(sock, method, level)
  local is_socket, of_server = pcall(is_server, sock)
  if not is_socket then
    raise("TypeError", ("%s: a WebSocket expected, got %s (call it as sock:%s)")
      :format(method, type(sock), method), level + 1)
  end
  return of_server
end

--- Parses the URL in ws.core: S1 to S20.
function arguments.url(url, level)
  if url == nil then raise("TypeError", "the URL is missing", level + 1) end
  local text = text_of(url, "url", level + 1)
  local parsed, why = core.url(text)
  if not parsed then
    raise("SyntaxError", ("the URL '%s' is invalid: %s"):format(text, why), level + 1)
  end
  return parsed
end

--- A list of tokens, none twice: S24 to S29.
function arguments.protocols(protocols, level)
  local list, seen = {}, {}
  if protocols == nil then return list end
  if type(protocols) ~= "table" then protocols = { protocols } end
  for i, protocol in ipairs(protocols) do
    local name = text_of(protocol, "protocols", level + 1)
    if not core.isToken(name) then
      raise("SyntaxError", ("the subprotocol '%s' is not a token"):format(name), level + 1)
    end
    if seen[name] then
      raise("SyntaxError", ("the subprotocol '%s' is given twice"):format(name), level + 1)
    end
    seen[name], list[i] = true, name
  end
  for key in pairs(protocols) do -- { "a", nil, "b" } is a mistake
    if not list[key] then
      raise("TypeError", "protocols: a list without holes expected", level + 1)
    end
  end
  return list
end

-- True for a table of options in the place of a list of protocols.
local function is_options(value)
  if type(value) ~= "table" then return false end
  for key in pairs(value) do
    if type(key) == "string" then return true end
  end
  return false
end

--- Returns the constructor's second and third argument as protocols (or nil) and
--- options. The options may be in the second place, and then have the protocols.
function arguments.protocols_and_options(protocols, given, level)
  if is_options(protocols) then
    if given ~= nil then
      raise("TypeError", "options: given twice, in the protocols' place and after it", level + 1)
    end
    return nil, protocols
  end
  if type(protocols) == "table" and next(protocols) == nil then protocols = nil end
  if protocols ~= nil and type(given) == "table" and given.protocols ~= nil then
    raise("TypeError", "protocols: given twice, as an argument and as an option", level + 1)
  end
  return protocols, given
end

-- RFC 6455 section 7.4: the other codes that an application may send on a server.
local server_codes = {
  [1001] = true, [1003] = true, [1007] = true, [1008] = true, [1009] = true,
  [1011] = true, [1012] = true, [1013] = true, [1014] = true,
}
local server_range = ", 1001, 1003, 1007 to 1009, 1011 to 1014"

--- close()'s code: 1000 or 3000 to 4999 (a server's socket may send more),
--- else InvalidAccessError. Numeric text is converted. S113, S115, R34.
function arguments.code(code, of_server, level)
  local number = type(code) ~= "boolean" and tonumber(code) or nil
  if not number or number % 1 ~= 0 or not (number == 1000
      or (number >= 3000 and number <= 4999) or (of_server and server_codes[number])) then
    raise("InvalidAccessError", ("close: the code must be 1000%s or 3000 to 4999, got %s")
      :format(of_server and server_range or "", options.shown(code)), level + 1)
  end
  return number
end

--- close()'s reason: at most 123 bytes of UTF-8. S117.
function arguments.reason(reason, level)
  if type(reason) == "number" then reason = tostring(reason) end
  if type(reason) ~= "string" then
    raise("TypeError", "close: the reason must be a string, got " .. type(reason), level + 1)
  end
  if not core.validUtf8(reason) then
    raise("TypeError", "close: the reason is not UTF-8", level + 1)
  end
  if #reason > 123 then
    raise("SyntaxError", ("close: the reason is longer than 123 bytes (%d)"):format(#reason),
      level + 1)
  end
  return reason
end

return arguments
