-- SPDX-License-Identifier: MIT
-- Runs every example as a user would, in the way in which it ends by itself,
-- and checks what it prints and its exit code. Ends with "N passed, N failed".

package.path = "spec/tools/?.lua;" .. package.path
local steps = require "steps"
local check = steps.check

local lua = arg[-1]

--- Starts an example; `before` goes in front of the command. The time limit
--- only keeps a broken one from hanging.
local function start(command, before)
  local line = "%s timeout 20 %s examples/%s 2>&1; echo exit $?"
  local pipe = assert(io.popen(line:format(before or "", lua, command)))
  return {
    read = function() return pipe:read "*l" or "" end,
    finish = function()
      local text = pipe:read "*a"
      pipe:close()
      return text:match "^(.-)exit (%d+)\n$"
    end,
  }
end

--- Checks that a started example ends well, having printed all the patterns.
local function ends_well(name, process, patterns)
  local text, code = process.finish()
  check(name .. " ends with exit code 0, not " .. tostring(code), code == "0", text)
  for _, pattern in ipairs(patterns) do
    check(("%s prints %q"):format(name, pattern), text and text:find(pattern), text)
  end
end

local function alone(command, patterns) ends_well(command, start(command), patterns) end

--- Starts a server's example on a free port: process, port.
local function serve(command)
  local process = start(command)
  local line = process.read()
  local port = line:match ":(%d+)/"
  check(command .. " says where it listens", port, line)
  return process, port or "1"
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- ------------------------------------------------------------ on their own

alone("demo.lua", {
  "ws://127.0.0.1:%d+/", "wss://localhost:%d+/", "TLSv1.3", "HELLO, SERVER",
  "256 KiB of bytes, got 256 KiB, binary", "closed: 1000", "certificate verify failed",
  "GET / HTTP/1.1", "Sec%-WebSocket%-Accept: ", "text \"Hi!\"", "All of it went well",
})
alone("prices.lua 0 3", { "Ann%s+gold 2000.00", "Ben%s+gold %d", "Cid%s+tea 12.00" })
alone("positions.lua 0 0.5", { "1 0.50 0.25", "2 %-0.20 0.00", "1 1.00 0.50" })
alone("workers.lua 2 0 40",
  { "2 workers on ws://127.0.0.1:%d+/", "hello from worker 1\n", "hello from worker 2\n" })

-- ------------------------------------------- with a server: its example too

local function with_echo(command, patterns)
  local server, port = serve "echo_server.lua 0 once"
  alone(command:gsub("PORT", port), patterns)
  ends_well("echo_server.lua", server, { "127.0.0.1 connected to /", "closed: %d+" })
end

with_echo("echo_client.lua ws://127.0.0.1:PORT/",
  { "open\tws://", "message\thello", "message\tgrüß dich", "close\t1000\tdone" })
with_echo("echo_client.lua ws://127.0.0.1:PORT/ one two", { "message\tone\nmessage\ttwo\nclose" })
with_echo("coroutine_client.lua ws://127.0.0.1:PORT/", { "Ann asks 3", "Ben asks 3" })
with_echo("sans_io.lua 127.0.0.1 PORT", { "open", "hello over LuaSocket", "close\t1000" })

-- What needs a server fails plainly without one.
local text, code = start("echo_client.lua ws://127.0.0.1:1/").finish()
check("echo_client.lua without a server fails", code == "1", text)
check("echo_client.lua says why", text:find "refused", text)

-- ------------------------------------------------------------------- chat

-- A guest who types the lines a moment after each other, then stays a while.
local function guest(name, port, lines, seconds)
  local typed = {}
  for i, line in ipairs(lines) do typed[i] = ("echo '%s'; sleep 0.2; "):format(line) end
  return start(("chat/client.lua %s tea ws://127.0.0.1:%s/"):format(name, port),
    ("(sleep 0.2; %s sleep %g) |"):format(table.concat(typed), seconds))
end

local function fetch(address)
  local pipe = assert(io.popen("curl -s -m 10 " .. address))
  local body = pipe:read "*a"
  pipe:close()
  return body
end

local server, port = serve "chat/server.lua 0 once"
local base = ("http://127.0.0.1:%s/"):format(port)
check("the chat's page is served", fetch(base) == read_file "examples/chat/page.html")
local missing = fetch(base .. "other")
check("other paths have no page", missing:find "only the page at", missing)

local ann = guest("ann", port, { "hello", "zwölf Uhr" }, 2)
check("ann enters", ann.read() == "You are ann in tea.")
check("ann is here", ann.read() == "  here: ann")
check("ann hears herself", ann.read():find "ann: hello")
local same = guest("ann", port, { "I am another" }, 0.3)
check("who has the same name gets a number", same.read() == "You are ann 2 in tea.")
check("who comes later reads what was said", same.read():find "ann: hello")
ends_well("the second client", same, { "here: ann, ann 2", "ann 2: I am another", "Left" })
ends_well("the first client", ann,
  { "here: ann, ann 2", "ann: zwölf Uhr", "ann 2: I am another", "here: ann\n", "Left" })
ends_well("chat/server.lua", server, {})

steps.finish()
