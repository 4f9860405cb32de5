-- SPDX-License-Identifier: MIT
-- The methods of lua-resty-websocket on the sockets of resty.lua, for programs
-- written for that library. They do little: fragments are already joined, and pings
-- and Closes answered; to answer them again does no harm.

local options = require "ws.options"
local resty_socket = require "ws.adapter.resty_socket"

--- Also has the methods of lua-resty-websocket, for programs written for that library.
---@class ws.resty.Socket
local frames = resty_socket.methods

local TIMEOUT = 60000 -- the default of lua_socket_read_timeout, too

-- What recv_frame returns at the end: the Close once, then an error.
local function ending(self)
  local ended = self.ended
  if ended.code ~= 1006 and not self.close_told then
    self.close_told = true
    return ended.reason, "close", ended.code ~= 1005 and ended.code or nil
  end
  self.fatal = true
  return nil, nil, "failed to receive: closed"
end

--- Waits for the next message, ping, pong or Close, as in lua-resty-websocket.
---@return string|nil data of a Close, its reason
---@return string|nil kind "text", "binary", "ping", "pong" or "close"
---@return integer|string|nil code of a Close, its code; without data, an error
function frames:recv_frame()
  if resty_socket.has_reader(self) then
    return nil, nil, "failed to receive: socket busy reading"
  end
  local data, kind = resty_socket.next(self, self.frame_timeout or TIMEOUT, true)
  if data then return data, kind end
  if kind == "timeout" then return nil, nil, "failed to receive: timeout" end
  return ending(self)
end

--- Sets how long recv_frame waits: 60000 milliseconds by default.
---@param ms integer
function frames:set_timeout(ms)
  self.frame_timeout = ms
end

local function sent(self, data, ok, why)
  if ok then return #(data or "") end
  self.fatal = true
  return nil, "failed to send: " .. tostring(why)
end

--- Sends a text message.
---@param data string
---@return integer|nil bytes
---@return string|nil error
function frames:send_text(data)
  return sent(self, data, self:send(data))
end

--- Sends a binary message.
---@param data string
---@return integer|nil bytes
---@return string|nil error
function frames:send_binary(data)
  return sent(self, data, self:send(data, "binary"))
end

--- Sends a ping.
---@param data? string at most 125 bytes
---@return integer|nil bytes
---@return string|nil error
function frames:send_ping(data)
  return sent(self, data, self:ping(data))
end

--- Sends a pong; pings have been answered already.
---@param data? string at most 125 bytes
---@return integer|nil bytes
---@return string|nil error
function frames:send_pong(data)
  return sent(self, data, self:pong(data))
end

--- Sends a Close and returns at once; recv_frame then returns the peer's.
---@param code? integer
---@param reason? string
---@return integer ok 1
function frames:send_close(code, reason)
  options.blame(2, self.p.close, self.p, code, reason)
  resty_socket.flush(self)
  return 1
end

--- Closes the connection: WebSockets are not pooled.
---@return integer ok 1
function frames:set_keepalive()
  self:close()
  return 1
end
