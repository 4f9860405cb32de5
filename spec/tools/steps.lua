-- SPDX-License-Identifier: MIT
-- For scripts that run what a user would type: commands that must succeed, and
-- checks; finish() prints their count.

local steps = {}

local passed, failed = 0, 0

--- Counts a check; a failed one is printed with `shown`.
function steps.check(what, holds, shown)
  if holds then
    passed = passed + 1
  else
    failed = failed + 1
    print(("FAILED  %s\n%s"):format(what, shown or ""))
  end
  return holds
end

--- Quotes a word for the shell.
function steps.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- What a command prints, and whether its exit code is 0.
function steps.output(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1; echo exit $?"))
  local text = pipe:read "*a"
  pipe:close()
  local printed, code = text:match "^(.-)exit (%d+)\n$"
  return printed, code == "0"
end

--- Runs a command and returns what it prints. When it fails, the script ends: what
--- follows would make no sense.
function steps.run(what, command)
  local printed, ok = steps.output(command)
  if not steps.check(what, ok, "$ " .. command .. "\n" .. printed) then steps.finish() end
  return printed
end

function steps.lines(command)
  local list = {}
  for line in steps.output(command):gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

--- Prints the count and ends the script.
function steps.finish()
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0 and passed > 0)
end

return steps
