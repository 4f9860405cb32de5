-- SPDX-License-Identifier: MIT
-- Shows which rules have a test. S1, S2 ... (client) and R1, R2 ... (server) number
-- the rules of the WebSockets Standard, RFC 6455 and RFC 7692; a test names those
-- that it shows. `rules.lua` prints the table; with --missing only the gaps.

local ranges = { { "S", 1, 186 }, { "R", 1, 54 } }

-- Rules that no test can show or that this version leaves out, and why.
local excused = {}
for line in io.lines("spec/rules_excused.txt") do
  local from, to, why = line:match("^([SR]%d+)%-?([SR]?%d*)%s+(.+)$")
  if from then
    local letter, first = from:match("(%a)(%d+)")
    local last = to ~= "" and to:match("%d+") or first
    for n = tonumber(first), tonumber(last) do excused[letter .. n] = why end
  end
end

local found = {} -- rule -> { file = true }

local function note(rule, file)
  found[rule] = found[rule] or {}
  found[rule][file] = true
end

local function read(path)
  for line in io.lines(path) do
    for letter, from, to in line:gmatch("%f[%w]([SR])(%d+)%-[SR]?(%d+)%f[%W]") do
      for n = tonumber(from), math.min(tonumber(to), tonumber(from) + 40) do
        note(letter .. n, path)
      end
    end
    for rule in line:gmatch("%f[%w]([SR]%d+)%f[%W]") do note(rule, path) end
  end
end

local pipe = io.popen("find spec -name 'test_*.c' -o -name '*_spec.lua' | sort")
for path in pipe:lines() do read(path) end
pipe:close()

local with, without, left_out = 0, {}, 0
for _, range in ipairs(ranges) do
  for n = range[2], range[3] do
    local rule = range[1] .. n
    if found[rule] then
      with = with + 1
      local files = {}
      for file in pairs(found[rule]) do files[#files + 1] = file:match("[^/]+$") end
      table.sort(files)
      if arg[1] ~= "--missing" then
        print(("%-5s %s"):format(rule, table.concat(files, " ")))
      end
    elseif excused[rule] then
      left_out = left_out + 1
      print(("%-5s - %s"):format(rule, excused[rule]))
    else
      without[#without + 1] = rule
    end
  end
end
print(("%d rules have a test, %d are left out with a reason, %d have none%s"):format(
  with, left_out, #without, #without > 0 and ": " .. table.concat(without, " ") or ""))
os.exit(#without == 0)
