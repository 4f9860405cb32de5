-- SPDX-License-Identifier: MIT
-- What luv_neovim_spec.lua runs inside Neovim. It connects to $WS_URL, sends there
-- what it saw, each as a message "NAME VALUE", and ends Neovim.

-- luacheck: globals vim

local adapter = require "ws.adapter.luv"
local loop = require "ws.loop"
local ws = require "ws"

local function buffer()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "|")
end

local function write(line)
  vim.api.nvim_buf_set_lines(0, -1, -1, false, { line }) -- fails in a libuv callback
end

local function pause(ms) -- Neovim's own
  local thread = coroutine.running()
  vim.defer_fn(function() assert(coroutine.resume(thread)) end, ms)
  coroutine.yield()
end

local function count_turns(ms)
  local turn, count = loop.turn, 0
  loop.turn = function(...)
    count = count + 1
    return turn(...)
  end
  pause(ms)
  loop.turn = turn
  return count
end

local function handlers()
  local done
  local server = assert(ws.serve {
    port = 0,
    message = function(sock, data)
      write("server " .. data)
      sock:send(data)
    end,
  })
  local sock = ws.new("ws://127.0.0.1:" .. server.port)
  sock.onopen = function() sock:send "hello" end
  sock.onmessage = function(event)
    write("client " .. event.data)
    sock:close()
  end
  sock.onclose = function(event)
    write("closed " .. event.code)
    server:close()
    done = true
  end
  vim.wait(3000, function() return done end, 10)
  return buffer()
end

local function run()
  local told = assert(ws.connect(os.getenv "WS_URL"))
  local function tell(name, value) told:send(name .. " " .. tostring(value)) end
  told:receive(5)
  write "in a coroutine"
  tell("coroutine", buffer())
  pause(30)
  tell("idle", count_turns(150))
  pause(10)
  local fired
  ws.setTimeout(function() fired = true end, 10)
  pause(60)
  tell("timer", fired)
  tell("sent", count_turns(30) > 0)
  told:close(4000, "bye")
  tell("never", "sent")
  told:receive()
  vim.cmd "qa!"
end

adapter.attach()
local seen = handlers()
ws.onerror = function(message, traceback)
  io.stderr:write(tostring(traceback or message), "\n")
  vim.cmd "cq"
end
local thread = coroutine.create(function()
  local sock = assert(ws.connect(os.getenv "WS_URL"))
  sock:send("handlers " .. seen)
  sock:close()
  run()
end)
assert(coroutine.resume(thread))
