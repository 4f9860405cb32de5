-- SPDX-License-Identifier: MIT
-- Measures a row: all subjects in turn, in several rounds, so that whatever else the
-- machine does affects all of them alike.

local processes = require "processes"
local subjects = require "subjects"

local measuring = {}

local servers = {} -- "subject mode" -> server
local load = "build/bench/load "

--- The median of a list of numbers, or nil if it is empty.
function measuring.median(list)
  if #list == 0 then return nil end
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

local function server_of(found, name, mode)
  local key = name .. " " .. mode
  if servers[key] == nil then
    local subject = found[name]
    servers[key] = processes.start(subject.env, subject.server .. " " .. mode) or false
  end
  return servers[key]
end

function measuring.stop_servers()
  for key, server in pairs(servers) do
    if server then processes.stop(server) end
    servers[key] = nil
  end
end

-- A cell is a subject's place in a row: {subject=, mode=, load=} and the results,
-- `figures`.

local function run_load(found, cell, time)
  local server = server_of(found, cell.subject, cell.mode)
  if not server then return nil end
  local words = cell.load .. (found[cell.subject].load or "")
  if not words:find " %-w " then words = words .. " -w " .. time.warm_up end
  return processes.measure(":", ("%s%s -d %g -p %d -P %d"):format(
    load, words, time.seconds, server.port, server.pid))
end

local function run_client(found, cell, time)
  local server = server_of(found, "ours", "echo")
  local subject = found[cell.subject]
  return server and processes.measure(subject.env, ("%s %d %s %g"):format(
    subject.client, server.port, cell.client, time.seconds))
end

local function run(found, cell, time)
  local result
  if cell.tool then result = processes.measure(":", load .. cell.tool)
  elseif cell.client then result = run_client(found, cell, time)
  else result = run_load(found, cell, time) end
  processes.settle()
  local figure = result and result[cell.figure]
  if figure then table.insert(cell.figures, figure * cell.scale)
  else cell.failed = true end -- and is not run again
end

local function cell_of(row, name, base)
  base = base or {}
  local client = row.client and not base.own
  return {
    subject = base.subject or name, tool = base.tool, client = client and row.client,
    mode = base.mode or (base.own and "echo") or row.mode or "echo",
    load = base.load or base.own or row.load,
    figure = row.figure or base.tool and "zlib_us" or row.client and "own_us" or "server_us",
    scale = row.scale or 1, figures = {},
  }
end

local function takes_part(row, found, name)
  local has_word = subjects.has_word
  return found[name] and has_word(found[name].modes, row.mode or "echo") and
    not has_word(row.skip or "", name) and (not row.only or has_word(row.only, name))
end

-- The cells of a row, by name, and their order in a round.
local function cells_of(row, found)
  local cells, order = { ours = cell_of(row, "ours") }, { "ours" }
  local function add(name, cell)
    cells[name] = cell
    order[#order + 1] = name
  end
  if not row.most or row.client then
    add("base", cell_of(row, row.client and "ours" or "floor", row.base))
  elseif takes_part(row, found, "floor") then
    add("base", cell_of(row, "floor"))
  end
  if found.before and row.only ~= "" then add("before", cell_of(row, "before")) end
  for _, name in ipairs { "luajit", table.unpack(subjects.peers) } do
    if takes_part(row, found, name) then add(name, cell_of(row, name)) end
  end
  return cells, order
end

-- Measured in every round; peers only in the first `peer_rounds`.
local always = { ours = true, base = true, before = true, luajit = true, bare = true }

--- Measures a row and returns its cells; `time` is {rounds=, peer_rounds=, seconds=,
--- warm_up=}.
function measuring.row(row, found, time)
  local cells, order = cells_of(row, found)
  if row.fresh then measuring.stop_servers() end
  local rounds = row.fresh and 1 or time.rounds
  for round = 1, rounds do
    for _, name in ipairs(order) do
      local due = always[name] or round <= time.peer_rounds
      if due and not cells[name].failed then run(found, cells[name], time) end
    end
  end
  if row.fresh then measuring.stop_servers() end
  return cells
end

return measuring
