-- SPDX-License-Identifier: MIT
-- What specs share: turning the loop until something holds, and proof that
-- nothing is left behind.

local ws = require "ws"

local helper = {}

--- Turns the loop until condition() holds; fails after `ms` (5000). Returns
--- what the condition gave.
function helper.wait_until(condition, ms, what)
  local deadline = ws.now() + (ms or 5000)
  local value = condition()
  while not value do
    if ws.now() > deadline then error("waited in vain for " .. (what or "a condition"), 2) end
    ws.poll(20)
    value = condition()
  end
  return value
end

--- Turns the loop for `ms`, for showing that nothing happens.
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

--- A socket whose events are recorded: sock, list of {type, event}.
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

return helper
