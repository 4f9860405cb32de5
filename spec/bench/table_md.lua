-- SPDX-License-Identifier: MIT
-- The rows as a table in Markdown.

local subjects = require "subjects"

local table_md = {}

local function number(value)
  if not value then return "–" end
  if value >= 100 then return ("%.0f"):format(value) end
  if value >= 10 then return ("%.1f"):format(value) end
  return ("%.2f"):format(value)
end
table_md.number = number

local function limit_of(row)
  if row.most then return ("≤ %g %s"):format(row.most, row.unit or "us") end
  if row.more then return ("≤ +%.2f us"):format(row.more) end
  return row.aim and ("≤ %.2f (%.2f)"):format(row.must, row.aim) or ("≤ %.2f"):format(row.must)
end

local function verdict(result)
  if result.met == nil then return "–" end
  return result.met and "yes" or "**no**"
end

local function columns_of(found)
  local columns = {
    { "measured", function(result) return result.row.name end },
    { "ours", function(result)
      return ("%s %s"):format(number(result.ours), result.row.unit or "us")
    end },
    { "ours/base", function(result) return number(result.ratio) end },
    { "must (aim)", function(result) return limit_of(result.row) end },
    { "met", verdict },
  }
  if found.before then
    columns[#columns + 1] = { "ours/before", function(result) return number(result.before) end }
  end
  if found.luajit then
    columns[#columns + 1] = { "LuaJIT/base", function(result) return number(result.luajit) end }
  end
  for _, name in ipairs(subjects.peers) do
    if found[name] then
      columns[#columns + 1] = { "ours/" .. found[name].title, function(result)
        return number(result.peers[name])
      end }
    end
  end
  return columns
end

local function line(cells) return "| " .. table.concat(cells, " | ") .. " |" end

--- The lines of the table.
function table_md.lines(results, found)
  local columns, lines = columns_of(found), {}
  local heads, rules = {}, {}
  for i, column in ipairs(columns) do
    heads[i], rules[i] = column[1], i == 1 and "---" or "---:"
  end
  lines[1], lines[2] = line(heads), line(rules)
  for _, result in ipairs(results) do
    local cells = {}
    for i, column in ipairs(columns) do cells[i] = column[2](result) end
    lines[#lines + 1] = line(cells)
  end
  return lines
end

return table_md
