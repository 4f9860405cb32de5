-- SPDX-License-Identifier: MIT
-- Runs specs where busted's C modules are missing: implements as much of busted as
-- our specs use, with the same luassert.   specs.lua FILE...
-- Tests that need a shell or LuaSocket are left out, as are those that not_run.txt
-- names; what is left out is counted.

assert = require "luassert" -- luacheck: ignore 121 (as busted has it)

io.stdout:setvbuf "line"

local counts = { passed = 0, failed = 0 }
local left_out = {} -- reason -> how many

-- --------------------------------------------------------- what is not there

local missing = {} -- raised by the stand-ins for what is missing

local function refuse(reason)
  return function() error(setmetatable({ reason = reason }, missing), 0) end
end

os.execute = refuse "a shell" -- luacheck: ignore 122
io.popen = refuse "a shell" -- luacheck: ignore 122
local refuse_sockets = refuse "LuaSocket"
function package.preload.socket() -- luacheck: ignore 122
  package.loaded.socket = nil -- or else Lua 5.1 complains of a loop the next time
  refuse_sockets()
end

local named = {} -- from not_run.txt: "file: name of the test" -> reason
for line in io.lines "spec/windows/not_run.txt" do
  local file, name, reason = line:match "^(spec%S+_spec%.lua): (.-)  +(.+)$"
  if file then named[file .. ": " .. name] = reason end
end

-- -------------------------------------------------------- busted's functions

local block -- the innermost describe: its children, and its hooks
local finalizers -- of the current test

local function open_block(name)
  block = { name = name, outer = block, before_each = {}, after_each = {}, children = {} }
  return block
end

local function add(kind)
  return function(name, fn) -- luacheck: ignore 431
    table.insert(block.children, { kind = kind, name = name, fn = fn })
  end
end

local function hook(kind)
  return function(fn) table.insert(block[kind], fn) end
end

describe, it, before_each, after_each = -- luacheck: ignore 121
  add "block", add "test", hook "before_each", hook "after_each"
pending = refuse "pending" -- luacheck: ignore 121
function finally(fn) table.insert(finalizers, fn) end -- luacheck: ignore 121

-- ------------------------------------------------------------------- running

local function run_hooks(of, kind)
  if not of then return end
  if kind == "before_each" then run_hooks(of.outer, kind) end
  for _, fn in ipairs(of[kind]) do fn() end
  if kind == "after_each" then run_hooks(of.outer, kind) end
end

local function explain(failure)
  if getmetatable(failure) == missing then return failure end
  return debug.traceback(type(failure) == "table" and failure.message or tostring(failure), 2)
end

local function attempt(fn, first, second) -- Lua 5.1's xpcall passes no arguments
  local ok, failure = xpcall(function() fn(first, second) end, explain)
  return not ok and failure or nil
end

local function run_test(test, file)
  finalizers = {}
  local failure = attempt(run_hooks, block, "before_each") or attempt(test.fn)
  for i = #finalizers, 1, -1 do failure = failure or attempt(finalizers[i]) end
  local last = attempt(run_hooks, block, "after_each")
  failure = failure or last
  if not failure then
    counts.passed = counts.passed + 1
  elseif getmetatable(failure) == missing then
    left_out[failure.reason] = (left_out[failure.reason] or 0) + 1
  else
    counts.failed = counts.failed + 1
    print(("FAILED %s: %s\n%s"):format(file, test.name, failure))
  end
end

local function run_block(name, fn, file)
  local own = open_block(name)
  local failure = attempt(fn)
  if failure then
    own.children = { { kind = "test", name = name, fn = function() error(failure, 0) end } }
  end
  for _, child in ipairs(own.children) do
    local reason = named[file .. ": " .. child.name]
    if reason then child.fn = refuse(reason) end
    if child.kind == "block" then run_block(child.name, child.fn, file)
    else run_test(child, file) end
  end
  block = own.outer
end

for _, file in ipairs(arg) do run_block(file, assert(loadfile(file)), file) end
for reason, count in pairs(left_out) do print(("left out: %d (%s)"):format(count, reason)) end
print(("%d passed, %d failed"):format(counts.passed, counts.failed))
os.exit(counts.failed == 0 and counts.passed > 0 and 0 or 1)
