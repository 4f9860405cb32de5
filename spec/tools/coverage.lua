-- SPDX-License-Identifier: MIT
-- Line and branch coverage of the core, counted by gcov: a table of files, then
-- the lines that no test reached, and why.   coverage.lua FOLDER LINE% BRANCH%
--   FOLDER                      where the objects are, with their .gcda
--   spec/coverage_excused.txt   "csrc/file.c  function  why it is not reached"
-- Ends with "N passed, N failed": each file that was run and each limit is one.

local json = require "dkjson"

local folder, line_limit, branch_limit = arg[1], tonumber(arg[2]), tonumber(arg[3])

local passed, failed = 0, 0
local function check(holds, ...)
  if holds then passed = passed + 1 return end
  failed = failed + 1
  print(("coverage: " .. ...):format(select(2, ...)))
end

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function source_lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

-- ------------------------------------------------------------ what was counted

local counted = {} -- path -> line number -> { count, function_name, taken, branches }

-- gcov counts a header's line once for every file that includes it: these are added up.
local function note(path, line)
  local lines = counted[path] or {}
  counted[path] = lines
  local known = lines[line.line_number] or { count = 0, branches = {} }
  lines[line.line_number] = known
  known.count = known.count + line.count
  known.name = line.function_name
  for i, branch in ipairs(line.branches) do
    known.branches[i] = (known.branches[i] or 0) + branch.count
  end
end

local function read(gcda)
  local text = output(("gcov --json-format --stdout --branch-probabilities %s 2>&1"):format(gcda))
  local data = json.decode(text)
  if not data then error("gcov says of " .. gcda .. ": " .. text:sub(1, 200)) end
  for _, file in ipairs(data.files) do
    if file.file:find "^csrc/" then
      for _, line in ipairs(file.lines) do note(file.file, line) end
    end
  end
end

local function share(part, whole) return whole == 0 and 100 or 100 * part / whole end

-- The branches of an assert do not count: one of them ends the program.
local function summed(path)
  local text = source_lines(path)
  local sum = { lines = 0, run = 0, branches = 0, taken = 0, missed = {} }
  for number, line in pairs(counted[path]) do
    sum.lines = sum.lines + 1
    if line.count > 0 then sum.run = sum.run + 1
    else table.insert(sum.missed, { number = number, name = line.name }) end
    if not text[number]:find "%f[%w]assert%(" then
      for _, count in ipairs(line.branches) do
        sum.branches = sum.branches + 1
        if count > 0 then sum.taken = sum.taken + 1 end
      end
    end
  end
  table.sort(sum.missed, function(a, b) return a.number < b.number end)
  return sum
end

-- --------------------------------------------------------------- what was not

local excuses = {} -- "path function" -> why

local function read_excuses()
  for line in io.lines "spec/coverage_excused.txt" do
    local path, name, why = line:match "^(csrc/%S+)%s+(%S+)%s+(.+)$"
    if path then excuses[path .. " " .. name] = why end
  end
end

-- Line numbers as text with ranges: "3-5 9".
local function ranges(numbers)
  local words, i = {}, 1
  while i <= #numbers do
    local last = i
    while numbers[last + 1] == numbers[last] + 1 do last = last + 1 end
    words[#words + 1] = last == i and tostring(numbers[i]) or
      numbers[i] .. "-" .. numbers[last]
    i = last + 1
  end
  return table.concat(words, " ")
end

local function by_function(missed)
  local names, numbers = {}, {}
  for _, line in ipairs(missed) do
    if not numbers[line.name] then
      numbers[line.name] = {}
      names[#names + 1] = line.name
    end
    table.insert(numbers[line.name], line.number)
  end
  return names, numbers
end

local function show_missed(paths, sums)
  local unexplained, used = 0, {}
  print "\nnot reached:"
  for _, path in ipairs(paths) do
    local names, numbers = by_function(sums[path].missed)
    for _, name in ipairs(names) do
      local key = path .. " " .. name
      used[key] = true
      if not excuses[key] then unexplained = unexplained + #numbers[name] end
      print(("  %s %s (%s): %s"):format(path, name, ranges(numbers[name]),
        excuses[key] or "?"))
    end
  end
  for key in pairs(excuses) do
    if not used[key] then print("  reached by now, needs no excuse: " .. key) end
  end
  return unexplained
end

-- ------------------------------------------------------------------ the table

local function show(label, sum)
  print(("%-38s %5d %6.1f %% %6d %6.1f %%"):format(label, sum.lines,
    share(sum.run, sum.lines), sum.branches, share(sum.taken, sum.branches)))
end

read_excuses()
for gcda in output("find " .. folder .. " -name '*.gcda' | sort"):gmatch "%S+" do read(gcda) end

local paths, sums = {}, {}
local all = { lines = 0, run = 0, branches = 0, taken = 0 }
for path in pairs(counted) do paths[#paths + 1] = path end
table.sort(paths)
print(("%-38s %5s %8s %6s %8s"):format("file", "lines", "run", "ways", "taken"))
for _, path in ipairs(paths) do
  local sum = summed(path)
  sums[path] = sum
  for name, value in pairs(all) do all[name] = value + sum[name] end
  show(path, sum)
  check(sum.run > 0, "%s: no line was run", path)
end
show("in all", all)
local unexplained = show_missed(paths, sums)
print(("\n%d of %d lines not reached are without a reason"):format(unexplained,
  all.lines - all.run))
check(share(all.run, all.lines) >= line_limit, "lines: under %g %%", line_limit)
check(share(all.taken, all.branches) >= branch_limit, "branches: under %g %%", branch_limit)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
