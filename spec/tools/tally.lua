-- SPDX-License-Identifier: MIT
-- Runs a test program, shows what it prints, and appends its counts to the file that
-- WS_TALLY names; if it fails, all that it printed to the file that WS_FAILURES names.
--   tally.lua COMMAND...   |   tally.lua --sum FILE

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function sum(path)
  local passed, failed = 0, 0
  for line in io.lines(path) do
    local p, f = line:match("^(%d+) (%d+) ")
    passed, failed = passed + p, failed + f
  end
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0 and passed > 0)
end

-- Reads either kind of closing line: ours and busted's.
local function count(line, counts)
  local p, f = line:match("^(%d+) passed, (%d+) failed")
  if p then return tonumber(p), tonumber(f) end
  local plain = line:gsub("\27%[[%d;]*m", "")
  local s, fail, err = plain:match("^(%d+) success%a* / (%d+) failure%a* / (%d+) error")
  if s then return tonumber(s), fail + err end
  return counts[1], counts[2]
end

local function run(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  local pipe = io.popen(table.concat(quoted, " ") .. " 2>&1; echo exit $?")
  local counts, code, printed = {}, 1, {}
  for line in pipe:lines() do
    local status = line:match("^exit (%d+)$")
    if status then
      code = tonumber(status)
    else
      print(line)
      printed[#printed + 1] = line
      counts[1], counts[2] = count(line, counts)
    end
  end
  pipe:close()
  return code, counts[1] or 0, counts[2] or 0, table.concat(printed, "\n")
end

local function append(path, ...)
  if not path then return end
  local file = assert(io.open(path, "a"))
  file:write(...)
  file:close()
end

if arg[1] == "--sum" then sum(arg[2]) end

local code, passed, failed, printed = run(arg)
-- A program that was cut short, or counted nothing, has failed.
if failed == 0 and (code ~= 0 or passed == 0) then failed = 1 end
local command = table.concat(arg, " ")
append(os.getenv("WS_TALLY"), passed, " ", failed, " ", command, "\n")
if failed > 0 then
  append(os.getenv("WS_FAILURES"), "-- failed: ", command, "\n", printed, "\n")
end
os.exit(failed == 0)
