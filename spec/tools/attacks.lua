-- SPDX-License-Identifier: MIT
-- Runs spec/attacks and prints the tests of each attack and each known record (a
-- CVE, an issue), with their results.   attacks.lua INTERPRETER [FOLDER]
--   spec/attacks/records.txt    every record: "id  what it was"
--   spec/attacks/elsewhere.txt  "A7 or id | file | its test's name"
--   spec/attacks/excused.txt    "A7 or id  why it has no test"
-- Ends with "N passed, N failed"; an attack or record with neither a test nor a
-- reason counts as failed.

local ATTACKS = 104

local interpreter, folder = arg[1] or "lua5.4", arg[2] or "spec/attacks"

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do
    if not line:find "^#" and line:find "%S" then list[#list + 1] = line end
  end
  return list
end

-- ------------------------------------------------- the records and the reasons

local records, is_record, excused = {}, {}, {}
for _, line in ipairs(lines_of "spec/attacks/records.txt") do
  local id = line:match "^%S+"
  records[#records + 1], is_record[id] = id, true
end
for _, line in ipairs(lines_of "spec/attacks/excused.txt") do
  local id, why = line:match "^(%S+)%s+(.+)$"
  excused[id] = why
end

local found = {} -- "A7" or a record's id -> list of { name, "ok" or "FAILED", file }
local passed, failed = 0, 0

local function note(id, entry)
  found[id] = found[id] or {}
  table.insert(found[id], entry)
end

local function attack_of(word) return word:match "^A%d+$" end

-- Notes a test under each attack and each record that its name mentions.
local function note_all(name, entry)
  for word in name:gmatch "[%w#.-]+" do
    if attack_of(word) or is_record[word] then note(word, entry) end
  end
end

-- -------------------------------------------------------------------- the run

local function run()
  local command = "%s /usr/bin/busted -o TAP --pattern=_spec %s 2>&1; echo exit $?"
  local pipe = assert(io.popen(command:format(interpreter, folder)))
  local code
  for line in pipe:lines() do
    local bad, name = line:match "^(n?o?t? ?)ok %d+ %- (.*)$"
    code = line:match "^exit (%d+)$" or code
    if name then
      local good = bad == ""
      if good then passed = passed + 1 else failed = failed + 1 end
      note_all(name, { name = name, result = good and "ok" or "FAILED" })
    elseif not line:find "^exit %d" and not line:find "^1%.%." then
      print(line) -- why it failed
    end
  end
  pipe:close()
  if code ~= "0" and failed == 0 then failed = 1 print("busted ended with " .. code) end
end

local function holds(path, name)
  local file = io.open(path)
  if not file then return false end
  local text = file:read "*a"
  file:close()
  return text:find(name, 1, true) ~= nil
end

local function look_elsewhere()
  for _, line in ipairs(lines_of "spec/attacks/elsewhere.txt") do
    local ids, path, name = line:match "^(.-)%s*|%s*(%S+)%s*|%s*(.-)%s*$"
    local there = holds(path, name)
    if not there then
      failed = failed + 1
      print(("elsewhere.txt: %s holds no '%s'"):format(path, name))
    end
    for id in ids:gmatch "%S+" do
      note(id, { name = path .. ": " .. name, result = there and "there" or "GONE" })
    end
  end
end

-- ------------------------------------------------------------------ the table

local function show(id)
  local entries = found[id]
  for i, entry in ipairs(entries or {}) do
    print(("%-16s %-6s %s"):format(i == 1 and id or "", entry.result, entry.name))
  end
  if entries then return true end
  print(("%-16s %-6s %s"):format(id, excused[id] and "-" or "NONE", excused[id] or ""))
  return excused[id] ~= nil
end

local function show_all(ids, what)
  local without = {}
  print("\n-- " .. what)
  for _, id in ipairs(ids) do
    if not show(id) then without[#without + 1] = id end
  end
  return without
end

run()
look_elsewhere()
local numbers = {}
for n = 1, ATTACKS do numbers[n] = "A" .. n end
for _, left in ipairs { show_all(numbers, "attacks"), show_all(records, "known records") } do
  if #left > 0 then print("without a test or a reason: " .. table.concat(left, " ")) end
  failed = failed + #left
end
print(("\n%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
