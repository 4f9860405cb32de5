-- SPDX-License-Identifier: MIT
-- The orders that peer.lua describes, for lua-resty-websocket inside nginx. That
-- library returns frames, so joining fragments and answering is done here.
-- luacheck: read globals ngx

local Client = require "nginx.websocket.client"
local Server = require "nginx.websocket.server"

local peer = {}
local limits = { max_payload_len = 4 * 1024 * 1024, timeout = 60000 }
local reports = ngx.shared.reports

local function report(...) reports:rpush("all", string.format(...)) end

local orders = {
  ping = function(socket, data) socket:send_ping(data) end,
  fragments = function(socket, kind)
    local binary = kind == "binary"
    local parts = binary and { "\0", "\1\254", "\255" } or { "frag ", "ment ", "ed" }
    socket:send_frame(false, binary and 2 or 1, parts[1])
    socket:send_frame(false, 0, parts[2])
    socket:send_frame(true, 0, parts[3])
  end,
  split = function(socket) -- the three bytes of one character
    socket:send_frame(false, 1, "\226")
    socket:send_ping "between"
    socket:send_frame(true, 0, "\130\172")
  end,
  close = function(socket, rest)
    local code, reason = rest:match "^(%d*) ?(.*)$"
    socket:send_close(tonumber(code), reason)
  end,
}

local function obey(socket, text)
  local order, rest = text:match "^!(%w+) ?(.*)$"
  if order then orders[order](socket, rest) else socket:send_text(text) end
end

local function on_close(socket, code, reason)
  report("closed %d %s", code or 1005, reason)
  if not socket.closed then socket:send_close(code, code and reason) end
end

-- Serves a connection until it ends.
local function go_on(socket)
  while true do
    local data, kind, more = socket:recv_frame()
    if not data then return report("closed 1006 %s", more) end
    if kind == "close" then return on_close(socket, more, data) end
    if kind == "ping" then socket:send_pong(data)
    elseif kind == "pong" then socket:send_text("pong " .. data)
    elseif kind == "text" then obey(socket, data)
    elseif kind == "binary" then socket:send_binary(data) end
  end
end

-- ------------------------------------------------------------------ server

function peer.serve()
  go_on(assert(Server:new(limits)))
end

-- Sends the reports of the other connections.
local function send_reports(socket)
  while true do
    local text = reports:lpop "all"
    if text then
      if not socket:send_text(text) then return end
    else
      ngx.sleep(0.005)
    end
  end
end

function peer.serve_control()
  send_reports(assert(Server:new(limits)))
end

-- ------------------------------------------------------------------ client

-- nginx does not read /etc/hosts, so every name is taken to be this machine.
local function stay_here(socket)
  local connect = socket.sock.connect
  function socket.sock.connect(self, _, ...) return connect(self, "127.0.0.1", ...) end
end

local function connect(url, protocols)
  local socket = assert(Client:new(limits))
  stay_here(socket)
  local ok, why = socket:connect(url, { protocols = protocols, ssl_verify = true })
  if not ok then return report("failed %s", why) end
  go_on(socket)
  socket:close()
end

function peer.run_client(_, url)
  local control = assert(Client:new(limits))
  assert(control:connect(url .. "/control"))
  ngx.thread.spawn(send_reports, control)
  while true do
    local order = control:recv_frame()
    if not order then return end
    local target, protocols = order:match "^open (%S+) (%S*)$"
    if target then
      ngx.thread.spawn(connect, target, protocols ~= "" and protocols or nil)
    end
  end
end

return peer
