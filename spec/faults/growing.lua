-- SPDX-License-Identifier: MIT
-- Failures while Lua's registry grows. It never shrinks, so a process can try this
-- only once: this one fails its k-th allocation, with so many objects held before,
-- which decides for which object the registry has to grow.
--   growing.lua K HELD   one attempt; exits with 1 when something is left
--   growing.lua LUA      many attempts, each in a process of its own

local core = require "ws.core"

local faults = faults -- luacheck: ignore 113

local function try_all(interpreter)
  local passed, failed = 0, 0
  for held = 0, 3 do
    local all = true
    for k = 1, 60 do
      local command = ("'%s' '%s' %d %d"):format(interpreter, arg[0], k, held)
      local ok = os.execute(command)
      all = (ok == true or ok == 0) and all -- LuaJIT returns the code
    end
    if all then passed = passed + 1 else failed = failed + 1 end
  end
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0)
end

if not tonumber(arg[1]) then try_all(arg[1]) end

local function references()
  local count = 0
  for key, value in pairs(debug.getregistry()) do
    if math.type(key) == "integer" and type(value) ~= "number" then count = count + 1 end
  end
  return count
end

local function nothing() end

local loop = assert(core.loop())
if arg[2] % 2 == 0 then loop:onError(nothing) end
local others = {}
for i = 1, arg[2] do
  others[i] = core.handlers { open = nothing }
  loop:connect { url = "ws://127.0.0.1:1/", handlers = others[i] }:terminate()
  others[-i] = loop:timer(1e6, true, nothing)
end
loop:turn(0)
local before, live = references(), core.live()
local kept, handlers = {}, {}
for i = 1, 60 do kept[i] = false end
for i = 1, 12 do handlers[i] = core.handlers { open = nothing, message = nothing } end

faults.failLua(tonumber(arg[1]), 2)
for i = 1, 12 do -- all but one of these calls succeed
  local _, timer = faults.attempt(loop.timer, loop, 1000, true, nothing)
  local _, server = faults.attempt(loop.listen, loop,
    { host = "127.0.0.1", handlers = handlers[i], judge = nothing })
  local _, conn = faults.attempt(loop.connect, loop,
    { url = "ws://127.0.0.1:1/", handlers = handlers[i] })
  kept[3 * i], kept[3 * i + 1], kept[3 * i + 2] = timer, server, conn
end
faults.failLua(0)

for _, object in pairs(kept) do
  if type(object) == "userdata" then
    if object.stop then object:stop()
    elseif object.terminate then object:terminate()
    else object:close() end
  end
end
-- An object that was not returned must not stay active, even before it is collected.
for _ = 1, 5 do loop:turn(0) end
for i = 1, arg[2] do others[-i]:stop() end
local function check(holds, what)
  if holds then return end
  print(("  allocation %d with %d held: %s"):format(arg[1], arg[2], what))
  os.exit(1)
end

check(not loop:alive(), "something goes on that nobody holds")
kept, handlers = nil, nil -- luacheck: ignore 311
collectgarbage()
collectgarbage()
for _ = 1, 5 do loop:turn(0) end
collectgarbage()
check(references() <= before, references() .. " references, " .. before .. " before")
check(core.live() <= live + 2, core.live() .. " blocks, " .. live .. " before") -- 2: the loop's
loop:close()
