-- SPDX-License-Identifier: MIT
-- What specs share: turning the loop until something holds, recording a socket's
-- events, and raw peers, which speak TCP and frames without the library's help.

local core = require "ws.core"
local ws = require "ws"

local helper = {}

--- The factor by which time limits are stretched: sanitizers are slow.
helper.patience = (os.getenv("LD_PRELOAD") or ""):find("asan", 1, true) and 5 or 1

--- Turns the loop until condition() holds, and returns its value. Fails after `ms`
--- (default: 5000, more with ASan).
function helper.wait_until(condition, ms, what)
  local deadline = ws.now() + (ms or 5000 * helper.patience)
  local value = condition()
  while not value do
    if ws.now() > deadline then error("waited in vain for " .. (what or "a condition"), 2) end
    ws.poll(20)
    value = condition()
  end
  return value
end

--- Turns the loop for `ms`, to show that nothing happens.
function helper.turn_for(ms)
  local deadline = ws.now() + ms
  while ws.now() < deadline do ws.poll(deadline - ws.now()) end
end

--- A server that echoes, on a free port; `more` adds or replaces options.
---@return table server
---@return string url
function helper.echo_server(more)
  local options = {
    port = 0,
    message = function(sock, data, opcode) sock:send(data, opcode) end,
  }
  for name, value in pairs(more or {}) do options[name] = value end
  local server = assert(ws.serve(options))
  local scheme = options.tls and "wss" or "ws"
  return server, ("%s://127.0.0.1:%d/"):format(scheme, server.port)
end

--- Closes the server and waits until it has no connections.
function helper.close_server(server)
  server:close()
  helper.wait_until(function() return server.connections == 0 end, 5000, "nobody to be left")
end

--- Records a socket's events: returns the socket and a list of {type, event, readyState}.
function helper.recorded(sock)
  local log = {}
  for _, type_ in ipairs { "open", "message", "error", "close" } do
    sock:addEventListener(type_, function(event)
      log[#log + 1] = { type_, event, sock.readyState }
    end)
  end
  function log.types()
    local types = {}
    for i, entry in ipairs(log) do types[i] = entry[1] end
    return table.concat(types, " ")
  end
  return sock, log
end

--- Waits until ws.new(...) is open; returns the socket and its log, as `recorded` does.
function helper.opened(...)
  local sock, log = helper.recorded(ws.new(...))
  helper.wait_until(function() return sock.readyState == 1 end, 5000, "the socket to open")
  return sock, log
end

--- Waits until the socket is CLOSED.
function helper.closed(sock)
  helper.wait_until(function() return sock.readyState == 3 end, 5000, "the socket to close")
end

-- Plain Lua 5.1 can yield neither inside pcall nor in a `for` loop's iterator.
local function gives_way_inside_pcall()
  local thread = coroutine.create(function() return pcall(coroutine.yield) end)
  return coroutine.resume(thread) and coroutine.status(thread) == "suspended"
end
helper.is_plain_51 = not gives_way_inside_pcall()

--- A pcall inside which a coroutine can yield, on every Lua.
helper.pcall = helper.is_plain_51 and require "coxpcall".pcall or pcall

--- for ... in iterator do fn(...) end, where the iterator can yield on every Lua.
function helper.each(iterator, fn)
  if not helper.is_plain_51 then
    for first, second in iterator do fn(first, second) end
    return
  end
  local first, second = iterator()
  while first ~= nil do
    fn(first, second)
    first, second = iterator()
  end
end

--- Returns what fn raises, with its position, which luassert would cut off. Fails
--- when fn raises nothing.
function helper.raised(fn, ...)
  local ok, message = pcall(fn, ...)
  if ok then error("it raised nothing", 2) end
  return message
end

--- Returns what fn raises, which must begin with "file:line: Name: ", where the line
--- is that on which fn is written.
function helper.raised_there(name, fn)
  local message, where = helper.raised(fn), debug.getinfo(fn, "S")
  local start = ("%s:%d: %s: "):format(where.short_src, where.linedefined, name)
  if tostring(message):sub(1, #start) ~= start then
    error(("'%s...' expected, got '%s'"):format(start, tostring(message)), 2)
  end
  return message
end

--- Runs the chunk in an interpreter of its own; returns its exit status and output.
function helper.child(chunk)
  return require "spec.lua.turning".child(chunk)
end

--- Waits until no timer is left from earlier specs.
function helper.settle()
  helper.wait_until(function() return ws.nextTimeout() == nil end, 5000, "the last timer")
end

-- ------------------------------------------------------------------ raw peers

--- A TCP connection made with LuaSocket, driven beside the loop. `bytes` is what was
--- received and not taken yet; `ended` says that the peer is gone.
local Raw = {}
Raw.__index = Raw

local function raw_peer(tcp)
  tcp:settimeout(0)
  return setmetatable({ tcp = tcp, bytes = "", ended = false }, Raw)
end

--- Connects to 127.0.0.1 and sends `bytes`, if given.
function helper.raw_client(port, bytes)
  local tcp = assert(require "socket".tcp())
  tcp:settimeout(2)
  assert(tcp:connect("127.0.0.1", port))
  local raw = raw_peer(tcp)
  if bytes then raw:send(bytes) end
  return raw
end

--- Listens on 127.0.0.1. Returns the listener, its port, and a function that waits
--- for the next client and returns it as a raw peer.
function helper.raw_server()
  local listener = assert(require "socket".bind("127.0.0.1", 0))
  listener:settimeout(0)
  local _, port = listener:getsockname()
  return listener, tonumber(port), function()
    return raw_peer(helper.wait_until(function() return (listener:accept()) end))
  end
end

--- Sends all of it, or silently stops when the peer is gone.
function Raw:send(bytes)
  local from = 1
  helper.wait_until(function()
    local last, why, partial = self.tcp:send(bytes, from)
    from = (last or partial or from - 1) + 1
    return from > #bytes or (not last and why ~= "timeout")
  end)
end

-- Reads all there is: with one piece per turn of the loop, megabytes would take seconds.
function Raw:pump()
  local data, why, partial
  repeat
    data, why, partial = self.tcp:receive(65536)
    self.bytes = self.bytes .. (data or partial or "")
  until not data
  if why ~= "timeout" then self.ended = true end
end

--- Receives, turning the loop, until condition(self) holds.
function Raw:wait(condition, what)
  return helper.wait_until(function()
    self:pump()
    return condition(self)
  end, nil, what)
end

--- Takes everything up to the end of the connection.
function Raw:all()
  self:wait(function() return self.ended end, "the end of the connection")
  local bytes = self.bytes
  self.bytes = ""
  return bytes
end

--- Takes a response's head: returns its status, its headers as name (in lower case)
--- -> value, repeated ones joined by ", ", and the head itself.
function Raw:head()
  local last = self:wait(function()
    return select(2, self.bytes:find("\r\n\r\n", 1, true)) or (self.ended and -1)
  end, "a response")
  assert(last > 0, "the connection ended without a response")
  local head, headers = self.bytes:sub(1, last), {}
  self.bytes = self.bytes:sub(last + 1)
  for name, value in head:gmatch("\r\n([^:\r]+): ([^\r]*)") do
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return tonumber(head:match("^HTTP/1%.1 (%d%d%d) ")), headers, head
end

--- Takes a response that lasts to the end of the connection: status, headers, body.
function Raw:response()
  local status, headers = self:head()
  return status, headers, self:all()
end

--- The Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2).
function helper.accept(key)
  return core.base64(core.sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
end

local function frame_size(bytes)
  local length, head = bytes:byte(2), 2
  if not length then return end
  local masked = length >= 128
  length = length % 128
  if length >= 126 then
    local bytes_of_length = length == 126 and 2 or 8
    head, length = 2 + bytes_of_length, 0
    if #bytes < head then return end
    for i = 3, head do length = length * 256 + bytes:byte(i) end
  end
  if masked then head = head + 4 end
  if #bytes >= head + length then return head, length, masked end
end

--- Takes one frame: opcode, unmasked payload, whether it is final, whether it was
--- masked; nil when the connection ended instead.
function Raw:frame()
  local head, length, masked = 0, 0, false
  self:wait(function()
    head, length, masked = frame_size(self.bytes)
    return head or self.ended
  end, "a frame")
  if not head then return nil end
  local first, payload = self.bytes:byte(1), self.bytes:sub(head + 1, head + length)
  if masked then payload = core.mask(payload, self.bytes:sub(head - 3, head)) end
  self.bytes = self.bytes:sub(head + length + 1)
  return first % 16, payload, first >= 128, masked
end

--- Answers a client's handshake with 101. `more` holds header lines to add, each with
--- its CR LF; `bytes` follow the head. Returns the request's head as text and as a
--- table: name (in lower case) -> list of values.
function Raw:welcome(more, bytes)
  local last = self:wait(function()
    return select(2, self.bytes:find("\r\n\r\n", 1, true))
  end, "a handshake")
  local head, headers = self.bytes:sub(1, last), {}
  self.bytes = self.bytes:sub(last + 1)
  for name, value in head:gmatch "\r\n([^:\r]+): ([^\r]*)" do
    local values = headers[name:lower()] or {}
    headers[name:lower()], values[#values + 1] = values, value
  end
  local key = headers["sec-websocket-key"][1]
  self:send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: " .. helper.accept(key) .. "\r\n" .. (more or "") .. "\r\n"
    .. (bytes or ""))
  return head, headers
end

--- Half-closes: sends no more.
function Raw:shutdown() self.tcp:shutdown("send") end

--- Closes; with `reset` the peer gets a RST.
function Raw:close(reset)
  if reset then self.tcp:setoption("linger", { on = true, timeout = 0 }) end
  self.tcp:close()
end

--- A client's handshake. `changes` maps headers to new values, or to false to leave
--- them out; `more` holds lines to add.
function helper.handshake(changes, more, request_line)
  local lines = { request_line or "GET / HTTP/1.1" }
  local usual = {
    { "Host", "127.0.0.1" }, { "Upgrade", "websocket" }, { "Connection", "Upgrade" },
    { "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==" }, { "Sec-WebSocket-Version", "13" },
  }
  for _, header in ipairs(usual) do
    local value = changes and changes[header[1]]
    if value == nil then value = header[2] end
    if value then lines[#lines + 1] = header[1] .. ": " .. value end
  end
  for name, value in pairs(changes or {}) do
    local known = false
    for _, header in ipairs(usual) do known = known or header[1] == name end
    if value and not known then lines[#lines + 1] = name .. ": " .. value end
  end
  if more then lines[#lines + 1] = more end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function sized(length)
  if length < 126 then return string.char(length) end
  if length < 65536 then
    return string.char(126, math.floor(length / 256), length % 256)
  end
  local size = ""
  for _ = 1, 8 do
    size, length = string.char(length % 256) .. size, math.floor(length / 256)
  end
  return string.char(127) .. size
end

--- A frame as a client sends it; its key is 0, which leaves the payload readable.
--- how: fin (true), masked (true), rsv (0), and a false length to declare.
function helper.frame(opcode, payload, how)
  how = how or {}
  payload = payload or ""
  local size = sized(how.length or #payload)
  local masked = how.masked ~= false
  if masked then size = string.char(size:byte() + 128) .. size:sub(2) .. "\0\0\0\0" end
  local first = (how.fin == false and 0 or 128) + (how.rsv or 0) * 16 + opcode
  return string.char(first) .. size .. payload
end

--- A Close frame's payload.
function helper.close_body(code, reason)
  return string.char(math.floor(code / 256), code % 256) .. (reason or "")
end

--- A raw client whose handshake was accepted.
function helper.raw_open(port, changes)
  local raw = helper.raw_client(port, helper.handshake(changes))
  local status = raw:head()
  assert(status == 101, "the handshake was refused")
  return raw
end

return helper
