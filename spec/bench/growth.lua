-- SPDX-License-Identifier: MIT
-- `make growth`: how the CPU time per unit of work grows with the number of units.
-- growth.lua LUA   ONLY=pattern: only rows with such names. Prints a table and
-- writes it, with a picture, to build/bench. A row whose cost is not about flat
-- fails. Ends with "N passed, N failed".

package.path = "spec/bench/?.lua;" .. package.path
local growth_svg = require "growth_svg"
local processes = require "processes"

local lua = arg[1] or "lua5.4"
local env = ("export LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/%s/?.so;;'"):format(lua)
local only = os.getenv "ONLY"

-- A unit's cost may grow as size ^ 0.25 at most: caches overflow, trees deepen.
-- Sizes below a row's `from` are not compared, as what is done once prevails there.
local steepest = 0.25

-- As many connections as there may be descriptors.
local pipe = assert(io.popen "ulimit -Hn")
local descriptors = tonumber(pipe:read "l") or 1e9 -- or "unlimited"
pipe:close()
local most = math.min(20000, descriptors - 100)

-- ---------------------------------------------------------------- measuring

local function in_process(name)
  return function(size)
    return processes.measure(env, ("%s spec/bench/growing.lua %s %d"):format(lua, name, size))
  end
end

-- `options` of build/bench/load, with %d where the size goes.
local function by_load(options)
  return function(size)
    local server = processes.start(env, lua .. " spec/bench/echo.lua")
    if not server then return nil end
    local result = processes.measure(":", ("build/bench/load %s -x -p %d -P %d"):format(
      options:format(size), server.port, server.pid))
    processes.stop(server)
    return result and { us = result.server_us }
  end
end

-- Microseconds of CPU time that servers have taken, in steps of 10 ms.
local function cpu_of(servers)
  local ticks = 0
  for _, server in ipairs(servers) do
    local file = assert(io.open(("/proc/%d/stat"):format(server.pid)))
    local user, system = file:read("a"):match("^.*%) %a" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
    file:close()
    ticks = ticks + user + system
  end
  return ticks * 10000
end

-- Puts load on `size` processes that share a port and `cores` cores. Returns the
-- load generator's figures, and the processes' CPU time.
local function work(size, cores, mode, options)
  local servers = {}
  for i = 1, size do
    local port = i == 1 and 0 or servers[1].port
    servers[i] = assert(processes.start(env, ("%s spec/bench/echo.lua %s %d"):format(
      lua, mode, port), (i - 1) % cores))
  end
  local before = cpu_of(servers)
  local result = processes.measure(":", ("build/bench/load echo %s -x -w 0 -d 2 -p %d"):format(
    options, servers[1].port))
  local us = cpu_of(servers) - before
  for _, server in ipairs(servers) do processes.stop(server) end
  return result, us
end

local function by_workers(size)
  local result, us = work(size, 1, "echo", "-s 125 -c 50 -k 16")
  return result and { us = us / result.messages }
end

-- The time per message of one process, by the clock. They compress, which costs the
-- load generator nothing, so that they have the cores for themselves. The best of
-- three counts, because whatever else runs on the machine takes cores away.
local function by_clock(size)
  local best = { us = math.huge }
  for _ = 1, 3 do
    local result = work(size, processes.cores, "deflate", "-s 1024 -t json -z -c 40 -k 16")
    if not result then return nil end
    best.us = math.min(best.us, result.seconds * 1e6 * size / result.messages)
  end
  return best
end

local per_kib = function(us, size) return us / (size / 1024) end

-- `scale` is applied to a row's cost; `from` and `steepest`: see above.
local rows = {
  { name = "connections", unit = "a message", sizes = { 1, 50, 500, 5000, most }, from = 50,
    measure = by_load "echo -s 125 -c %d -w 0.3 -d 1" },
  { name = "workers on a port", unit = "a message", sizes = { 1, 2, 4, 8 }, from = 1,
    measure = by_workers },
  { name = "connections that open", unit = "each", sizes = { 1, 50, 500, 5000, most }, from = 50,
    measure = in_process "opening" },
  { name = "connections closed at once", unit = "each", sizes = { 1, 50, 500, 5000, most },
    from = 50, measure = in_process "closing" },
  { name = "connections lost at once", unit = "each", sizes = { 1, 50, 500, 5000, most },
    from = 50, measure = in_process "vanishing" },
  { name = "bytes of a message", unit = "a KiB", from = 65536, scale = per_kib,
    sizes = { 16, 1024, 65536, 1048576, 16777216 },
    measure = by_load "echo -c 4 -s %d -w 0.3 -d 1" },
  { name = "topics of a server", unit = "a delivery", sizes = { 1, 10, 100, 1000, 10000 },
    from = 10, measure = in_process "topics" },
  { name = "topics of a socket", unit = "joining and leaving", from = 100,
    sizes = { 1, 10, 100, 1000, 10000 }, measure = in_process "subscriptions" },
  { name = "subscribers of a topic", unit = "a delivery", sizes = { 1, 10, 100, 1000, 5000 },
    from = 10, measure = in_process "subscribers" },
  { name = "timers", unit = "each", sizes = { 1, 10, 1000, 10000, 100000 }, from = 1000,
    measure = in_process "timers" },
  { name = "fragments of a message", unit = "each", sizes = { 1, 10, 1000, 10000, 100000 },
    from = 1000, measure = in_process "fragments" },
  { name = "queued messages of 500 B", unit = "each", sizes = { 1, 10, 1000, 10000, 100000 },
    from = 1000, measure = in_process "queued" },
  { name = "queued messages of 64 KiB", unit = "each", sizes = { 1, 10, 100, 1000, 10000 },
    from = 10, measure = in_process "queued_long" },
}
if processes.cores > 1 then -- steeper: cores share caches, also with the load generator
  rows[#rows + 1] = { name = "cores that compress", unit = "one's time for a message", from = 1,
    sizes = { 1, processes.cores }, measure = by_clock, steepest = 0.5 }
end

local function measure(row)
  row.costs = {}
  for i, size in ipairs(row.sizes) do
    local result = row.measure(size)
    processes.settle()
    if not (result and result.us) then return end
    row.costs[i] = row.scale and row.scale(result.us, size) or result.us
  end
  row.steepness = 0
  local base
  for i, size in ipairs(row.sizes) do
    if size == row.from then base = row.costs[i] end
  end
  local last = #row.sizes
  row.steepness = math.log(row.costs[last] / base) / math.log(row.sizes[last] / row.from)
end

-- --------------------------------------------------------------- the table

local function short(size)
  if size >= 1048576 then return ("%d Mi"):format(size // 1048576) end
  if size >= 1024 and size % 1024 == 0 then return ("%d Ki"):format(size // 1024) end
  return ("%d"):format(size)
end

local function number(us)
  if us >= 100 then return ("%.0f"):format(us) end
  return (us >= 10 and "%.1f" or us >= 1 and "%.2f" or "%.3f"):format(us)
end

local function is_good(row)
  return row.steepness and row.steepness <= (row.steepest or steepest)
end

local function line_of(row)
  local cells = {}
  for i, size in ipairs(row.sizes) do
    local cost = row.costs[i]
    cells[i] = ("%s: %s"):format(short(size), cost and number(cost) or "–")
  end
  for i = #cells + 1, 5 do cells[i] = "" end
  return ("| %s | %s | %s | %s |"):format(row.name, row.unit, table.concat(cells, " | "),
    is_good(row) and "flat" or row.steepness and "**grows**" or "**failed**")
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text, "\n")
  file:close()
end

local function main()
  processes.clear_log()
  local lines, measured = { "| number of | microseconds | | | | | | |",
    "|---|---|---:|---:|---:|---:|---:|---|" }, {}
  print(lines[1] .. "\n" .. lines[2])
  local passed, failed = 0, 0
  for _, row in ipairs(rows) do
    if not only or only == "" or row.name:find(only) then
      measure(row)
      lines[#lines + 1], measured[#measured + 1] = line_of(row), row
      print(lines[#lines])
      if is_good(row) then passed = passed + 1 else failed = failed + 1 end
    end
  end
  write("build/bench/growth.md", table.concat(lines, "\n"))
  write("build/bench/growth.svg", growth_svg.draw(measured))
  print(("%d passed, %d failed"):format(passed, failed))
  return failed == 0 and passed > 0
end

local good, result = xpcall(main, debug.traceback)
processes.stop_all()
if not good then io.stderr:write(result, "\n") end
os.exit(good and result)
