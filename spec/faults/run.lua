-- SPDX-License-Identifier: MIT
-- Runs every scenario with every kind of fault at every point, and prints a table.
-- A scenario with one kind counts as one test.   run.lua [SCENARIO [KIND]]
-- QUICK=1: only a few points each; FULL=1: all of them, however many.

package.path = "./?.lua;" .. package.path

local core = require "ws.core"
local scene = require "spec.faults.scene"
local kinds = require "spec.faults.kinds"

local faults = faults -- luacheck: ignore 113

local function env(name) return (os.getenv(name) or "") ~= "" end

-- Up to `all` points, every one is tried; of more, the first ones and a sample.
local effort = { all = 400, first = 200, sample = 100 }
if env "QUICK" then effort = { all = 8, first = 4, sample = 4 } end
if env "FULL" then effort = { all = math.huge } end

-- Those of TLS come last, as they have thousands of allocations.
local scenarios = {}
for _, file in ipairs { "scenarios", "scenarios_found", "scenarios_http", "scenarios_ws",
                        "scenarios_tls" } do
  for _, entry in ipairs(require("spec.faults." .. file)) do
    scenarios[#scenarios + 1] = entry
  end
end

local every -- whether every point of the scenario is to be tried

-- Chooses among points 1 .. count; with `share`, so many times fewer.
local function choose(count, share)
  local chosen = {}
  local all = every and math.huge or effort.all // (share or 1)
  local first = (effort.first or 0) // (share or 1)
  for k = 1, count <= all and count or first do chosen[k] = k end
  if count <= all then return chosen end
  math.randomseed(count) -- the same points every time
  for _ = 1, effort.sample // (share or 1) do
    chosen[#chosen + 1] = math.random(first + 1, count)
  end
  return chosen
end

-- ---------------------------------------------------------------- one attempt

local function disarm()
  core.failAllocation(0)
  faults.failLua(0)
  faults.failOpenssl(0)
  faults.failCall()
end

-- Begins a scene; every one begins with the same heap.
local function begin(entry)
  local s = (entry.scene or scene).new(entry.shared)
  if entry.given then s:server({}, { calm = entry.calm }) end
  s.no_proof = entry.no_proof
  collectgarbage()
  return s
end

-- Runs a scenario once, armed by arm(): nil, or what is wrong.
local function attempt(entry, arm, kind, must)
  local s = begin(entry)
  if arm then arm() end
  local ok, why = faults.attempt(entry.run, s)
  if arm then disarm() end
  -- What the error handler raised when there was no memory even to raise it comes out
  -- of the next turn.
  if kind and kind.may_lack and s.loop then pcall(s.loop.turn, s.loop, 0) end
  local wrong
  why = tostring(why):gsub("^[^:]*:%d+: ", "")
  if why:find("^hangs:") or why:find("^wrong:") then wrong = why end
  if must and not ok then wrong = why .. " (" .. tostring(s.last_error) .. ")" end
  local let_in = entry.never_opens == "server" and s.served or s.opened
  if entry.never_opens and let_in > 0 then wrong = "SOMEBODY WAS LET IN" end
  wrong = wrong or s:prove()
  local at_end = s:strike(kind and kind.may_lack)
  wrong = wrong or at_end
  if entry.finally then entry.finally(s) end
  return wrong
end

-- --------------------------------------------------------------------- leaks

-- How many references of luaL_ref are in use; its free places hold numbers.
local function references()
  local count = 0
  for key, value in pairs(debug.getregistry()) do
    if math.type(key) == "integer" and type(value) ~= "number" then count = count + 1 end
  end
  return count
end

local function holdings()
  collectgarbage()
  return { blocks = core.live(), descriptors = faults.descriptors(),
           references = references(), openssl = faults.opensslLive() }
end

-- What there is more of than before. Waits a little, as the resolver's threads take a
-- moment to end.
local function leak(before)
  local until_ = core.now() + 500
  local more, which, now
  repeat
    now = holdings()
    more, which = nil, nil
    for name, count in pairs(now) do
      if count > before[name] and which ~= "blocks" then
        more, which = ("%d %s, %d before"):format(count, name, before[name]), name
      end
    end
  until not more or which == "openssl" or core.now() > until_
  return more, which, now
end

-- ---------------------------------------------------------------- all points

local function points_of(entry, kind)
  local s
  local function run()
    s = begin(entry)
    local ok, why = faults.attempt(entry.run, s)
    if not ok then error(("%s fails without a fault: %s"):format(entry.name, why)) end
  end
  local points
  if kind.list then points = kind.list(run, choose) else points = choose(kind.count(run)) end
  disarm()
  s:strike()
  if entry.finally then entry.finally(s) end
  return points
end

local function text_of(point)
  return type(point) == "table" and table.concat(point, " ") or tostring(point)
end

local function try(entry, named)
  local kind, failures = named.kind, {}
  local points = points_of(entry, kind)
  local before = holdings()
  for _, point in ipairs(points) do
    local must = kind.must_succeed or (kind.must and kind.must(point))
    local function arm() kind.arm(point) end
    if env "TRACE" then io.stderr:write(named.name, " ", text_of(point), "\n") end
    local wrong = attempt(entry, arm, kind, must)
    local left, name, now = leak(before)
    -- OpenSSL keeps some blocks with its errors, and the loop of `ws` keeps deflaters.
    -- That happens once and does not repeat, so it is no leak.
    if name == "openssl" or (name == "blocks" and entry.scene) then
      for _ = 1, 3 do attempt(entry, arm, kind, false) end
      if holdings()[name] < now[name] + 3 then left = nil end
    end
    if name then before[name] = now[name] end
    wrong = wrong or left
    if wrong then
      failures[#failures + 1] = ("  %s, %s, %s: %s"):format(entry.name, named.name,
        text_of(point), wrong)
    end
  end
  if faults.badCloses() > 0 then failures[#failures + 1] = "  a descriptor was closed twice" end
  return #points, failures
end

local passed, failed, tried = 0, 0, 0

local function try_all(entry, only)
  every = entry.all
  entry.shared = entry.prepare and entry.prepare()
  for _ = 1, 2 do
    local wrong = attempt(entry, nil, nil, true)
    if wrong then
      failed = failed + 1
      print(entry.name .. " fails without a fault: " .. wrong)
      return
    end
  end
  local cells, all = {}, {}
  for i, named in ipairs(kinds) do
    local count, failures = 0, {}
    if not only or named.name == only then count, failures = try(entry, named) end
    tried = tried + count
    cells[i] = ("%6d%s"):format(count, #failures > 0 and "!" or " ")
    if count > 0 then
      if #failures > 0 then failed = failed + 1 else passed = passed + 1 end
    end
    for _, line in ipairs(failures) do all[#all + 1] = line end
  end
  print(("%-44s%s  %s"):format(entry.name, table.concat(cells), #all > 0 and "FAILED" or "ok"))
  for i = 1, math.min(#all, 12) do print(all[i]) end
  if #all > 12 then print(("  and %d more"):format(#all - 12)) end
  io.stdout:flush()
end

local heads = {}
for i, named in ipairs(kinds) do heads[i] = named.name end
print("points tried: " .. table.concat(heads, ", "))
local only, kind = arg[1], arg[2]
for _, entry in ipairs(scenarios) do
  if not only or entry.name:find(only, 1, true) == 1 then try_all(entry, kind) end
end
print(("%d fault points tried"):format(tried))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
