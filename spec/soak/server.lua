-- SPDX-License-Identifier: MIT
-- The soak's server: echoes messages after comparing each with the hash it begins
-- with. Prints its ports, then every second: resident KiB, descriptors, mismatches,
-- and live objects.   server.lua CERT KEY

local core = require "ws.core"
local ws = require "ws"

local QUIET = 24 -- fewer descriptors mean that all clients have gone

local mismatches = 0

local function echo(sock, data)
  if core.sha1(data:sub(21)) ~= data:sub(1, 20) then mismatches = mismatches + 1 end
  sock:send(data, "binary")
end

local plain = assert(ws.serve { port = 0, backlog = 4096, message = echo })
local secure = assert(ws.serve { port = 0, backlog = 4096, message = echo,
  tls = { cert = arg[1], key = arg[2] } })

local file = assert(io.open "/proc/self/stat")
local list = ("ls /proc/%d/fd | wc -l"):format(file:read "n")
file:close()

local function descriptors()
  local pipe = assert(io.popen(list))
  local count = pipe:read "n"
  pipe:close()
  return count
end

local function resident()
  for line in io.lines "/proc/self/status" do
    local size = line:match "^VmRSS:%s+(%d+)"
    if size then return tonumber(size) end
  end
end

print(plain.port, secure.port)
io.stdout:flush()
ws.setInterval(function()
  local open = descriptors()
  if open < QUIET then collectgarbage() collectgarbage() end
  print(resident(), open, mismatches, core.live())
  io.stdout:flush()
end, 1000)
ws.run()
