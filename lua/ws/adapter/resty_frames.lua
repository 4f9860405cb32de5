-- SPDX-License-Identifier: MIT
-- The names of lua-resty-websocket for the sockets of resty.lua, for programs
-- written for that library. Thin: fragments are joined, pings and Closes
-- answered by then, and doing so again does no harm.

local options = require "ws.options"
local resty_socket = require "ws.adapter.resty_socket"

local frames = resty_socket.methods

local TIMEOUT = 60000 -- lua_socket_read_timeout's, too

-- What recv_frame gives at the end: the Close once, then an error.
local function ending(self)
  local ended = self.ended
  if ended.code ~= 1006 and not self.close_told then
    self.close_told = true
    return ended.reason, "close", ended.code ~= 1005 and ended.code or nil
  end
  self.fatal = true
  return nil, nil, "failed to receive: closed"
end

--- The next message, ping, pong or Close: data, "text", "binary", "ping",
--- "pong" or "close", and for a Close its code; else nil, nil, error.
function frames:recv_frame()
  if self.reading then return nil, nil, "failed to receive: socket busy reading" end
  local data, kind = resty_socket.next(self, self.frame_timeout or TIMEOUT, true)
  if data then return data, kind end
  if kind == "timeout" then return nil, nil, "failed to receive: timeout" end
  return ending(self)
end

--- How long recv_frame waits, in milliseconds.
function frames:set_timeout(ms)
  self.frame_timeout = ms
end

local function sent(self, data, ok, why)
  if ok then return #(data or "") end
  self.fatal = true
  return nil, "failed to send: " .. tostring(why)
end

function frames:send_text(data)
  return sent(self, data, self:send(data))
end

function frames:send_binary(data)
  return sent(self, data, self:send(data, "binary"))
end

function frames:send_ping(data)
  return sent(self, data, self:ping(data))
end

--- Pings have been answered already.
function frames:send_pong(data)
  return sent(self, data, self:pong(data))
end

--- Sends a Close and returns at once; recv_frame then gives the peer's.
function frames:send_close(code, reason)
  options.blame(2, self.p.close, self.p, code, reason)
  resty_socket.flush(self)
  return 1
end

--- WebSockets are not pooled: closes.
function frames:set_keepalive()
  self:close()
  return 1
end
