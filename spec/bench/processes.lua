-- SPDX-License-Identifier: MIT
-- Starts and stops what is measured, and the programs that measure. These two have a
-- core each, if there are two cores.

local processes = {}

local log = "build/bench/programs.log"
local running = {}

-- The first line that a command prints, or nil.
local function ask(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local line = pipe:read "l"
  pipe:close()
  return line
end

processes.cores = tonumber(ask "nproc") or 1
local pins = ask "command -v taskset" and processes.cores > 1

local function on_core(core, command)
  return pins and ("taskset -c %d %s"):format(core, command) or command
end

--- The path of a program, or nil.
function processes.find(name) return ask("command -v " .. name) end

--- True when the shell command succeeds.
function processes.succeeds(command)
  return (os.execute(command .. " >/dev/null 2>&1")) == true
end

-- Allows as many descriptors as the system does.
local limit = "ulimit -n 50000 2>/dev/null || ulimit -n $(ulimit -Hn)"

--- Starts a server on that core (0 by default): {pid=, port=}, or nil. `env` holds
--- shell commands to run before it.
function processes.start(env, command, core)
  local line = ("%s; %s; echo $$; exec %s 2>>%s"):format(
    limit, env, on_core(core or 0, command), log)
  local pipe = assert(io.popen(line))
  local pid, port = pipe:read "n", pipe:read "n"
  if not port then
    pipe:close()
    return nil
  end
  local server = { pid = math.tointeger(pid), port = math.tointeger(port), pipe = pipe }
  running[server] = true
  return server
end

function processes.stop(server)
  if not running[server] then return end
  running[server] = nil
  os.execute("kill " .. server.pid)
  server.pipe:close()
end

function processes.stop_all()
  for server in pairs(running) do processes.stop(server) end
end

--- Runs a program that prints a line of name=value; returns a table of numbers, or
--- nil when it failed.
function processes.measure(env, command)
  local whole = ("%s; %s; exec %s 2>>%s"):format(limit, env, on_core(1, command), log)
  local pipe = assert(io.popen(whole))
  local result
  for line in pipe:lines() do
    for name, value in line:gmatch "([%w_]+)=(%S+)" do
      result = result or {}
      result[name] = tonumber(value)
    end
  end
  return pipe:close() and result or nil
end

--- Gives the system time to clear away what a run left behind.
function processes.settle() os.execute "sleep 0.05" end

function processes.clear_log() assert(io.open(log, "w")):close() end

return processes
