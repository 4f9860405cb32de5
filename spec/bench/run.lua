-- SPDX-License-Identifier: MIT
-- `make bench`:   run.lua LUA   from the top of the tree.
--   QUICK=1      a few rows, under a minute      ONLY=pattern  rows with such names
--   BEFORE=tree  compares with another checkout, which must be built
-- Prints a table of ratios. A run of all rows also writes it to build/bench, as
-- table.md and bench.svg.

package.path = "spec/bench/?.lua;" .. package.path
local measuring = require "measuring"
local picture_svg = require "picture_svg"
local processes = require "processes"
local rows = require "rows"
local subjects = require "subjects"
local table_md = require "table_md"

local function setting(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local quick, only, before = setting "QUICK", setting "ONLY", setting "BEFORE"
local time = quick and { rounds = 3, peer_rounds = 1, seconds = 0.25, warm_up = 0.1 }
  or { rounds = 5, peer_rounds = 2, seconds = 0.5, warm_up = 0.2 }

-- The runs of a round saw the machine in the same state, so each round gives a ratio.
local function ratio_of(a, b)
  if not a or not b then return nil end
  local ratios = {}
  for i = 1, math.min(#a.figures, #b.figures) do
    ratios[i] = a.figures[i] / b.figures[i]
  end
  return measuring.median(ratios)
end

local function is_met(row, ours, ratio, base)
  if not ours then return nil end
  if row.most then return ours <= row.most end
  if not ratio then return nil end
  if row.more then return ours - base <= row.more end
  return ratio <= row.must
end

local function result_of(row, cells)
  local ours = measuring.median(cells.ours.figures)
  local base = cells.base and measuring.median(cells.base.figures)
  local result = {
    row = row, ours = ours, base = base, ratio = ratio_of(cells.ours, cells.base),
    before = ratio_of(cells.ours, cells.before), luajit = ratio_of(cells.luajit, cells.base),
    peers = {}, cells = cells,
  }
  for _, name in ipairs(subjects.peers) do
    result.peers[name] = ratio_of(cells.ours, cells[name])
  end
  result.met = is_met(row, ours, result.ratio, base)
  return result
end

local function wanted(row)
  if only then return row.name:find(only) end
  return not quick or row.quick
end

local function measure_all(found)
  local results = {}
  for _, row in ipairs(rows) do
    if wanted(row) then
      io.stderr:write(row.name, "\n")
      results[#results + 1] = result_of(row, measuring.row(row, found, time))
    end
  end
  return results
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text, "\n")
  file:close()
end

local function show(results, found, missing)
  local lines = table_md.lines(results, found)
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Base: the floor (spec/bench/floor.c), or what the row's name says. " ..
    "Medians of ratios of CPU time, interleaved; below 1, ours takes less."
  if #missing > 0 then
    lines[#lines + 1] = "Not there: " .. table.concat(missing, ", ") .. "."
  end
  local text = table.concat(lines, "\n")
  print(text)
  if only then return end
  write("build/bench/table.md", text)
  write("build/bench/bench.svg", picture_svg.draw(results, found))
end

local function main()
  processes.clear_log()
  local found, missing = subjects.find(arg[1] or "lua5.4", before, quick)
  assert(found.ours and found.floor, "nothing to measure: run `make bench`")
  if quick then found.python, found.lws, found.lua_http = nil, nil, nil end
  show(measure_all(found), found, missing)
end

local good, message = xpcall(main, debug.traceback)
measuring.stop_servers()
processes.stop_all()
if not good then
  io.stderr:write(message, "\n")
  os.exit(false)
end
