-- SPDX-License-Identifier: MIT
-- `make growth` as a picture: a line for each row, the cost of a unit against
-- how many there are, both logarithmic. The cost is that against the row's
-- reference, so that flat lines run along 1.

local growth_svg = {}

local left, top, width, height = 60, 60, 620, 380
local lowest, highest = 0.25, 16 -- the cost at the edges
local longest = 16777216
local colours = { "#1d6fb8", "#7a9a3a", "#c9a227", "#b5651d", "#a23b5b", "#4fb3d9",
  "#555555", "#000080", "#8a5fbf", "#2e8b57", "#d2691e", "#708090", "#c71585" }

local function x_of(size) return left + width * math.log(size) / math.log(longest) end

local function y_of(cost)
  local at = math.log(cost / lowest) / math.log(highest / lowest)
  return top + height * (1 - math.max(0, math.min(1, at)))
end

local function draw_scale(out)
  for cost = -2, 4 do
    local y = y_of(2.0 ^ cost)
    out('<line class="%s" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>', cost == 0 and "one" or "grid",
      left, left + width, y, y)
    out('<text x="%d" y="%.1f" text-anchor="end">%g</text>', left - 6, y + 4, 2.0 ^ cost)
  end
  for power = 0, 7 do
    local x = x_of(10.0 ^ power)
    out('<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>', x, x, top, top + height)
    out('<text x="%.1f" y="%d" text-anchor="middle">%d</text>', x, top + height + 16, 10 ^ power)
  end
end

local function base_of(row)
  for i, size in ipairs(row.sizes) do
    if size == row.from then return row.costs[i] end
  end
end

local function draw_row(out, row, i)
  local base, points = base_of(row), {}
  if not base then return end
  for at, cost in ipairs(row.costs) do
    points[at] = ("%.1f,%.1f"):format(x_of(row.sizes[at]), y_of(cost / base))
  end
  out('<polyline points="%s" stroke="%s"/>', table.concat(points, " "), colours[i])
  local y = top + 18 * i
  out('<rect x="%d" y="%d" width="14" height="4" fill="%s"/>', left + width + 20, y - 6, colours[i])
  out('<text x="%d" y="%d">%s: %s</text>', left + width + 40, y, row.name, row.unit)
end

--- The picture as text.
function growth_svg.draw(rows)
  local body = {}
  local function out(format, ...) body[#body + 1] = format:format(...) end
  draw_scale(out)
  for i, row in ipairs(rows) do draw_row(out, row, i) end
  return ([[<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">
<style>text{font:11px sans-serif}.grid{stroke:#ddd}.one{stroke:#c00}
polyline{fill:none;stroke-width:2}</style>
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="20" y="28" style="font-size:15px">CPU time a unit as there are more, against the first
that counts (flat is good; red: the same)</text>
%s
</svg>]]):format(left + width + 300, top + height + 40, table.concat(body, "\n"))
end

return growth_svg
