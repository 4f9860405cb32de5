-- SPDX-License-Identifier: MIT
-- The answer to a plain HTTP request on a server's port (RFC 9112). There is one
-- request per connection: every response says `Connection: close`.

local core = require "ws.core"
local event_target = require "ws.event_target"
local loop = require "ws.loop"
local options = require "ws.options"

local raise = options.raise
local internals = core.connection.internals

--- The response to a plain HTTP request, which the handler `request` gets.
---@class ws.Response
local Response = {}
Response.__index = Response
Response.__name = "ws.response"

-- ---------------------------------------------------------------- the head

local ours = { connection = true, ["transfer-encoding"] = true }

local function length_of(value, level)
  local length = tonumber(value)
  if not length or length < 0 or length % 1 ~= 0 then
    raise("TypeError", "header 'Content-Length': a whole number expected", level + 1)
  end
  return length
end

local function check_status(status, level)
  if type(status) ~= "number" or status % 1 ~= 0 or status < 200 or status > 599 then
    raise("TypeError", "writeHead: a status from 200 to 599 expected, got "
      .. options.shown(status), level + 1)
  end
end

-- RFC 9110 section 6.4.1: some responses never have a body.
local function has_body(self)
  return self.method ~= "HEAD" and self.status ~= 204 and self.status ~= 304
end

-- The header line that says how the end of the body is marked: by its length, by
-- chunks, or ("") by the end of the connection. `whole` is the length of a body that
-- is complete already.
local function framing(self, whole)
  if not has_body(self) then
    self.discards = true
  elseif self.length then
    return ""
  elseif whole then
    return ("Content-Length: %d\r\n"):format(whole)
  elseif self.chunks then
    self.chunked = true
    return "Transfer-Encoding: chunked\r\n"
  else
    internals.openEnded(self.conn)
  end
  return ""
end

-- The text of the head, before the first piece of the body; "" after that.
local function begin(self, whole)
  local flat = self.headers
  if not flat then return "" end
  self.headers = nil
  local lines = { ("HTTP/1.1 %d %s\r\n"):format(self.status, core.reasonPhrase(self.status)) }
  for i = 1, #flat, 2 do lines[#lines + 1] = ("%s: %s\r\n"):format(flat[i], flat[i + 1]) end
  lines[#lines + 1] = framing(self, whole)
  lines[#lines + 1] = "Connection: close\r\n\r\n"
  return table.concat(lines)
end

local function write_head(self, status, headers, level)
  level = level + 1
  check_status(status, level)
  if self.status then
    raise("InvalidStateError", "writeHead: the head was written before", level)
  end
  local flat = options.flat_headers(headers, level, ours)
  local length
  for i = 1, #flat, 2 do
    if flat[i]:lower() == "content-length" then
      if length then raise("TypeError", "header 'Content-Length': given twice", level) end
      length = length_of(flat[i + 1], level)
      flat[i + 1] = ("%.0f"):format(length) -- not "5.0", as 5.3 writes a float
    end
  end
  self.status, self.headers, self.length = status, flat, length
end

-- -------------------------------------------------------------- the object

--- For the server: the response to `request` on `conn`.
---@package
function Response.new(conn, request)
  return setmetatable({
    conn = conn, method = request.method, chunks = request.httpVersion ~= "1.0",
    sent = 0, finished = false, gone = false, closers = {}, drainers = {},
  }, Response)
end

-- Raises unless the method was called on a response.
local function check_self(self, name)
  if getmetatable(self) == Response then return end
  raise("TypeError", ("%s: a response expected, got %s (call it as response:%s)")
    :format(name, type(self), name), 3)
end

local function check_chunk(self, name, chunk, level)
  if type(chunk) == "number" then chunk = tostring(chunk) end
  if type(chunk) ~= "string" then
    raise("TypeError", ("%s: a string expected, got %s"):format(name, type(chunk)), level + 1)
  end
  if self.finished then
    raise("InvalidStateError", name .. ": the response is finished", level + 1)
  end
  if self.length and self.sent + #chunk > self.length and not self.discards then
    raise("InvalidStateError", name .. ": more than Content-Length says", level + 1)
  end
  return chunk
end

local function encoded(self, chunk)
  self.sent = self.sent + #chunk
  if self.discards or chunk == "" then return "" end
  if not self.chunked then return chunk end
  return ("%x\r\n"):format(#chunk) .. chunk .. "\r\n" -- 5.1's %s ends at a "\0"
end

--- Sets the status and headers. They are sent with the first piece of the body,
--- which may be "".
---@param status integer 200 to 599
---@param headers? table<string, string|number|string[]>
function Response:writeHead(status, headers)
  check_self(self, "writeHead")
  if self.finished then
    raise("InvalidStateError", "writeHead: the response is finished", 2)
  end
  write_head(self, status, headers, 2)
end

-- Passes on what the core returned, with false for nil, which means that the client
-- has gone.
local function told(done, message, code)
  if done == nil then return false, message, code end
  return done
end

--- Writes a piece of the body. Without a writeHead before it, the status is 200. A piece may be of
--- any length; but a write while more than maxBackpressure is unsent cuts the answer off and drops
--- the client.
---@param chunk string
---@return boolean more false when the client reads more slowly than this writes
--- (wait for ondrain), or is gone
---@return string|nil message why it is gone
---@return string|nil code "ETIMEDOUT" (also when the answer begins after
--- handshakeTimeout), "EBACKPRESSURE", "ECONNRESET", "ECONNABORTED" ...
function Response:write(chunk)
  check_self(self, "write")
  chunk = check_chunk(self, "write", chunk, 2)
  if not self.status then write_head(self, 200, nil, 2) end
  local head = begin(self)
  local bytes = head .. encoded(self, chunk)
  self.untold = false
  return told(internals.writeRaw(self.conn, bytes))
end

--- Ends the response, optionally with a last piece of the body, of any length.
---@param chunk? string
---@return boolean ok false when the client is gone; true does not prove that it gets everything
---@return string|nil message why it is gone
---@return string|nil code as for write
function Response:finish(chunk)
  check_self(self, "finish")
  if chunk == nil then chunk = "" end
  chunk = check_chunk(self, "finish", chunk, 2)
  if not self.status then write_head(self, 200, nil, 2) end
  self.finished = true
  local head = begin(self, #chunk)
  local bytes = head .. encoded(self, chunk) .. (self.chunked and "0\r\n\r\n" or "")
  if self.length and self.sent < self.length and not (self.discards or self.gone) then
    self.conn:terminate() -- the client must not take the answer for complete
    raise("InvalidStateError", "finish: less than Content-Length says", 2)
  end
  return told(internals.finishRaw(self.conn, bytes))
end

local function check_function(fn, name)
  if options.is_callable(fn) then return end
  raise("TypeError", ("%s: a function expected, got %s"):format(name, type(fn)), 3)
end

--- Calls fn once, when the connection is gone, whoever ended it.
---@param fn fun()
function Response:onclose(fn)
  check_self(self, "onclose")
  check_function(fn, "onclose")
  if self.gone then loop.get():post(function() fn() end)
  else self.closers[#self.closers + 1] = fn end
end

--- Calls fn once, when the client has caught up after write returned false.
---@param fn fun()
function Response:ondrain(fn)
  check_self(self, "ondrain")
  check_function(fn, "ondrain")
  if self.gone then return end
  self.drainers[#self.drainers + 1] = fn
  if self.untold then loop.get():post(function() self:drained() end) end
end

-- ----------------------------------------------------------- for the server

--- The handler failed: answers 500 if nothing was sent yet; else drops the
--- connection, which shows that the answer is incomplete.
---@package
function Response:fail()
  if self.finished or self.gone then return end
  if self.status and not self.headers then
    self.finished = true
    self.conn:terminate()
    return
  end
  self.status, self.length = nil, nil
  write_head(self, 500, nil, 1)
  self:finish("The server failed to answer this request.\n")
end

local function call_all(list)
  for i = 1, #list do event_target.call(list[i]) end
end

--- The client has caught up. If no ondrain is there to be told, the next one still is.
---@package
function Response:drained()
  if self.gone then return end
  local list = self.drainers
  self.drainers, self.untold = {}, list[1] == nil
  call_all(list)
end

--- The connection is gone. Forgets the functions that waited for it: one that refers to
--- a coroutine which nobody will resume could keep it alive for ever on Lua 5.1 and
--- LuaJIT.
---@package
function Response:ended()
  local list = self.closers
  self.gone, self.closers, self.drainers = true, nil, nil
  call_all(list)
end

return Response
