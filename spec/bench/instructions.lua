-- SPDX-License-Identifier: MIT
-- `make instructions`: counts with valgrind how many instructions a message costs,
-- and compares with instructions.txt.   instructions.lua LUA COMPILER FLAGS
--   UPDATE=1   writes that file instead
-- Each figure is the difference of a long and a short run, so that startup does
-- not count. Counts are compared only when they come from the same compiler and
-- libraries. Ends with "N passed, N failed".

local path = "spec/bench/instructions.txt"
local tolerance = 0.03

local lua, compiler, flags = arg[1], arg[2], arg[3]
local update = (os.getenv "UPDATE" or "") ~= ""
local programs = {
  C = "build/bench/counted",
  Lua = lua .. " spec/bench/counted.lua",
}

-- {program=, arguments=, and the messages of the short and of the long run}
local rows = {}
local function add(program, arguments, short, long)
  rows[#rows + 1] = { program = program, arguments = arguments, short = short, long = long }
end
for _, size in ipairs { 16, 125, 1024, 16384 } do
  for _, way in ipairs { "read masked", "read plain", "send masked", "send plain" } do
    add("C", ("%s binary %d"):format(way, size), 100, 600)
  end
end
add("C", "read masked text 125", 100, 600)
add("C", "read masked text 1024", 100, 600)
add("C", "read masked utf8 1024", 100, 600)
add("C", "read masked deflate 1024", 20, 120)
add("C", "send plain deflate 1024", 20, 70)
for _, size in ipairs { 16, 125, 1024, 16384 } do
  add("Lua", "binary " .. size, 200, 1200)
end
add("Lua", "text 125", 200, 1200)
add("Lua", "deflate 1024", 100, 300)

-- -------------------------------------------------------------- the machine

local function ask(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("%s+$", ""):gsub("%s*\n%s*", ", "))
end

--- What the counts depend on besides our own files, in one line.
local function conditions()
  local packages = ask("dpkg-query -W -f '${Package} ${Version}\n' " ..
    "lua5.4 libc6 zlib1g valgrind")
  local vectors = ask "grep -wom1 avx2 /proc/cpuinfo"
  return table.concat({
    ask(compiler .. " --version | head -n 1"), flags, lua, packages, ask "uname -m",
    vectors ~= "" and vectors or "no avx2",
  }, "; ")
end

-- ----------------------------------------------------------------- counting

-- No environment of the caller, whose length moves addresses; no code that the C
-- library chooses by processor; the same addresses in every run.
local still = "setarch -R"
local clean = "env -i PATH=/usr/bin:/bin LC_ALL=C GLIBC_TUNABLES=glibc.cpu.hwcaps=" ..
  "-AVX512F,-AVX512VL,-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM " ..
  "LD_PRELOAD=build/bench/still_clock.so LUA_PATH='lua/?.lua;lua/?/init.lua' " ..
  "LUA_CPATH=build/" .. lua .. "/?.so "
if not os.execute(still .. " true 2>/dev/null") then still = "" end

local function start(row, messages)
  local command = ("%s %s valgrind --tool=cachegrind --cache-sim=no " ..
    "--cachegrind-out-file=/dev/null %s %s %d 2>&1"):format(
    clean, still, programs[row.program], row.arguments, messages)
  return { command = command, pipe = assert(io.popen(command)) }
end

local function finish(run)
  local text = run.pipe:read "a"
  local ended = run.pipe:close()
  local figure = text:match "I%s+refs:%s+([%d,]+)"
  if not (ended and figure) then error(run.command .. "\n" .. text, 0) end
  return tonumber((figure:gsub(",", "")))
end

local function measure(row)
  local long, short = start(row, row.long), start(row, row.short)
  local more = finish(long) - finish(short)
  return math.floor(more / (row.long - row.short) + 0.5)
end

-- ------------------------------------------------------------------ the file

local function name_of(row) return row.program .. " " .. row.arguments end

local function read_file()
  local file = io.open(path)
  if not file then return nil, {} end
  local kept, counts = nil, {}
  for line in file:lines() do
    kept = kept or line:match "^with (.*)"
    local name, figure = line:match "^(.-)%s+(%d+)$"
    if name then counts[name] = tonumber(figure) end
  end
  file:close()
  return kept, counts
end

local function write_file(now, counts)
  local file = assert(io.open(path, "w"))
  file:write("# Instructions a message; `make instructions UPDATE=1` writes this.\n",
    "with ", now, "\n")
  for _, row in ipairs(rows) do
    file:write(("%-32s %8d\n"):format(name_of(row), counts[name_of(row)]))
  end
  file:close()
  print("written: " .. path)
end

-- ----------------------------------------------------------------- comparing

local passed, failed, better = 0, 0, 0

--- Fails when a figure is worse than the file's by more than the tolerance.
local function compare(name, figure, kept)
  local ratio = kept and figure / kept
  local word = ""
  if not kept then
    word = "FAILED  not in " .. path
  elseif ratio > 1 + tolerance then
    word = "FAILED  too many"
  elseif ratio < 1 - tolerance then
    word, better = "better", better + 1
  end
  if word:find "FAILED" then failed = failed + 1 else passed = passed + 1 end
  print(("%-32s %8d %8s  %s"):format(name, figure,
    ratio and ("%+.1f %%"):format((ratio - 1) * 100) or "", word))
end

local now = conditions()
local kept, old = read_file()
local same, counts = kept == now, {}
for _, row in ipairs(rows) do
  local name = name_of(row)
  counts[name] = measure(row)
  if update or not same then
    print(("%-32s %8d"):format(name, counts[name]))
    passed = passed + 1
  else
    compare(name, counts[name], old[name])
  end
end

if update then
  write_file(now, counts)
elseif not same then
  print(("NOTICE  counted, but not compared:\n  the file is of %s\n  this is    %s"):format(
    kept or "nothing", now))
elseif better > 0 then
  print "Some are better: `make instructions UPDATE=1` keeps that."
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
