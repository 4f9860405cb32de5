-- SPDX-License-Identifier: MIT
-- Replays the corpus of each fuzz target, then fuzzes it for some seconds.
--   run.lua SECONDS TARGET...
-- New inputs are kept from run to run in build/fuzz/corpus; one that broke a promise
-- is kept in build/fuzz. SEED=1 in the environment makes the same choices each time.
-- Ends with "N passed, N failed".

local build, corpora = "build/fuzz", "spec/fuzz/corpus"
local libfuzzer = "-timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -close_fd_mask=1"
if os.getenv "SEED" then libfuzzer = libfuzzer .. " -seed=" .. os.getenv "SEED" end

-- Targets that share a dictionary; others have their own, or none.
local shared = { request_head = "http", response_head = "http", session_server = "http",
                 session_client = "http", tunnel = "http" }

-- Their inputs are programs, which should be long from the start. They keep a Lua
-- state or contexts, which leak detection would slowly search after each run and
-- take for leaks; they check themselves that nothing else is left behind.
local programs = { lua = true, tls = true, session_pair = true, pool = true }

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function command_for(target, seconds)
  local seeds = corpora .. "/" .. target
  local found = build .. "/corpus/" .. target
  local dictionary = ("spec/fuzz/dictionaries/%s.dict"):format(shared[target] or target)
  os.execute(("mkdir -p %s %s"):format(found, seeds))
  local words = { build .. "/fuzz_" .. target, libfuzzer,
                  ("-artifact_prefix=%s/%s-"):format(build, target) }
  if exists(dictionary) then words[#words + 1] = "-dict=" .. dictionary end
  if programs[target] then
    words[#words + 1] = "-detect_leaks=0 -len_control=0 -max_len=512"
  end
  if seconds > 0 then
    words[#words + 1] = ("-max_total_time=%d %s"):format(seconds, found)
  else
    words[#words + 1] = "-runs=0"
  end
  words[#words + 1] = seeds
  return table.concat(words, " ") .. " 2>&1; echo exit $?"
end

-- Runs a target; returns libFuzzer's final figures and, for a failure, its last lines.
local function run(target, seconds)
  local result = { runs = 0, inputs = 0, code = 1, lines = {} }
  local pipe = assert(io.popen(command_for(target, seconds)))
  for line in pipe:lines() do
    result.runs = tonumber(line:match("^stat::number_of_executed_units:%s+(%d+)")) or result.runs
    result.inputs = tonumber(line:match("^#%d+.- corp: (%d+)")) or result.inputs
    result.code = tonumber(line:match("^exit (%d+)$")) or result.code
    result.lines[#result.lines + 1] = line
  end
  pipe:close()
  return result
end

local function is_progress(line)
  return line:find("^#%d+%s") or line:find("^%s+NEW_FUNC")
end

local function tell_failure(target, result)
  print(("-- %s failed; its last words:"):format(target))
  for i = math.max(1, #result.lines - 60), #result.lines do
    if not is_progress(result.lines[i]) then print(result.lines[i]) end
  end
end

local seconds = assert(tonumber(arg[1]), "run.lua SECONDS TARGET...")
local passed, failed = 0, 0
print(("%-18s %12s %8s  %s"):format("target", "executions", "corpus", "result"))
for i = 2, #arg do
  local result = run(arg[i], seconds)
  local good = result.code == 0 and result.runs > 0
  print(("%-18s %12d %8d  %s"):format(arg[i], result.runs, result.inputs,
    good and "ok" or "FAILED"))
  if good then
    passed = passed + 1
  else
    failed = failed + 1
    tell_failure(arg[i], result)
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
