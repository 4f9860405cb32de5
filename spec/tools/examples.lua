-- SPDX-License-Identifier: MIT
-- Runs every example as a user would, in a way that makes it end by itself, and
-- checks its output and its exit code. Ends with "N passed, N failed".

package.path = "spec/tools/?.lua;" .. package.path
local steps = require "steps"
local check = steps.check

local lua = arg[-1]
local ws = require "ws"

--- Starts an example; `before` goes in front of the command, `runner` in front of the
--- interpreter. The time limit only keeps a broken one from hanging.
local function start(command, before, runner)
  local line = "%s timeout 20 %s %s examples/%s 2>&1; echo exit $?"
  local pipe = assert(io.popen(line:format(before or "", runner or "", lua, command)))
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

--- Starts a server example on a free port; returns the process and the port.
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

-- Ctrl-C, to the first worker alone: its guest and the other workers are told.
local function interrupted(command)
  local process = start(command, nil, "sh -c 'echo $$; exec \"$0\" \"$@\"'")
  local pid, line = process.read(), process.read()
  local guest = assert(ws.connect(line:match "ws://%S+" or "ws://127.0.0.1:1/"))
  os.execute("kill -INT " .. pid)
  local _, _, code = guest:receive(10000)
  check(command .. ": its guest is told 1001", code == 1001, tostring(code))
  local text, exit_code = process.finish()
  check(command .. ", interrupted, ends with exit code 1", exit_code == "1", tostring(exit_code))
  check(command .. " says that it was interrupted", text and text:find "interrupted", text)
end

interrupted "workers.lua 3 0"

-- ------------------------------------------- with a server, another example

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

-- ------------------------------------------- what the README shows

-- The block of Lua under a heading, with the given changes.
local function block_under(heading, changes)
  local text = read_file "README.md"
  local from = select(2, assert(text:find("\n## " .. heading .. "\n", 1, true)))
  local code = assert(text:match("\n```lua\n(.-)```\n", from))
  for _, change in ipairs(changes) do
    local count
    code, count = code:gsub(change[1], change[2])
    check(("%s: there is %q"):format(heading, change[1]), count > 0, code)
  end
  return code
end

-- Runs the README's "The protocol alone" against a server; returns what it printed,
-- and its end as the server saw it.
local function protocol_alone(what, server_options, changes)
  local ended = {}
  server_options.port, server_options.maxPayload = 0, 0
  local server
  function server_options.close(_, code, _, clean)
    ended.code, ended.clean = code, clean
    server:close()
  end
  server = assert(ws.serve(server_options))
  table.insert(changes, { "8080", tostring(server.port) })
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("local ws = require 'ws'\n", block_under("The protocol alone", changes))
  file:close()
  local pipe = assert(io.popen(("timeout 20 %s %s 2>&1; echo exit $?"):format(lua, path)))
  ws.run()
  local printed = pipe:read "*a"
  pipe:close()
  os.remove(path)
  check(what .. ": it ends well", printed:find "exit 0\n$", printed)
  check(what .. ": the closing handshake is finished", ended.clean, tostring(ended.code))
  return printed, ended
end

local printed, ended = protocol_alone("the server closes", {
  open = function(sock) sock:close(4000, "enough") end,
}, {})
check("the server's Close is answered with its code", ended.code == 4000, ended.code)
check("there was no message", printed == "exit 0\n", printed)

-- More than the system takes at once, to a server that does not read at first.
printed = protocol_alone("a long message to a slow reader", {
  open = function(sock)
    sock:pause()
    ws.setTimeout(function() sock:resume() end, 300)
  end,
  message = function(sock, data) sock:send(("%d bytes"):format(#data)) end,
}, { { 'p:send "hello"', 'p:send(("x"):rep(8388608))' } })
check("all of it arrives", printed:find "^8388608 bytes\n", printed)

-- Without a server, a client's example says plainly what is wrong.
local text, code = start("echo_client.lua ws://127.0.0.1:1/").finish()
check("echo_client.lua without a server fails", code == "1", text)
check("echo_client.lua says why", text:find "refused", text)

-- ------------------------------------------------------------------- chat

-- A guest who types lines with a pause between them, then stays a while.
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
