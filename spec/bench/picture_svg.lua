-- SPDX-License-Identifier: MIT
-- The rows as a picture: a bar for each ratio to the base, on a logarithmic
-- scale, with a mark where it has to end at the latest.

local subjects = require "subjects"

local picture_svg = {}

local left, width, bar, gap, top = 380, 520, 11, 14, 70
local most = 100 -- the ratio at the right edge
local colours = {
  ours = "#1d6fb8", luajit = "#4fb3d9", bare = "#8a8f98", node = "#7a9a3a", python = "#c9a227",
  lws = "#b5651d", lua_http = "#a23b5b",
}

-- From 0.5 to `most`.
local function x_of(ratio)
  local at = math.log(ratio / 0.5) / math.log(most / 0.5)
  return left + width * math.max(0, math.min(1, at))
end

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

-- Each with its ratio to the base: ours, LuaJIT, the peers.
local function bars_of(result)
  local bars = { { name = "ours", ratio = result.ratio } }
  if result.luajit then bars[#bars + 1] = { name = "luajit", ratio = result.luajit } end
  for _, name in ipairs(subjects.peers) do
    local against = result.peers[name]
    if against then bars[#bars + 1] = { name = name, ratio = result.ratio / against } end
  end
  return bars
end

local function draw_row(out, result, y)
  local bars = bars_of(result)
  out('<text x="%d" y="%d" text-anchor="end">%s</text>', left - 10, y + 10,
    escape(result.row.name))
  for i, one in ipairs(bars) do
    local at = y + (i - 1) * bar
    out('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>', left, at,
      x_of(one.ratio) - left, bar - 1, colours[one.name])
    out('<text class="figure" x="%.1f" y="%d">%.2f</text>', x_of(one.ratio) + 4, at + 9, one.ratio)
  end
  if result.row.must then
    local x = x_of(result.row.must)
    out('<line class="must" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>', x, x, y - 3,
      y + #bars * bar + 2)
  end
  return y + #bars * bar + gap
end

local function draw_legend(out, found)
  local x = 20
  for _, name in ipairs { "ours", "luajit", table.unpack(subjects.peers) } do
    local title = found[name] and (name == "ours" and "ours" or found[name].title)
    if title then
      out('<rect x="%d" y="38" width="10" height="10" fill="%s"/>', x, colours[name])
      out('<text x="%d" y="47">%s</text>', x + 14, escape(title))
      x = x + 30 + 7 * #title
    end
  end
end

local function draw_scale(out, bottom)
  for _, ratio in ipairs { 0.5, 1, 2, 5, 10, 20, 50, 100 } do
    local x = x_of(ratio)
    out('<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>', x, x, top - 8, bottom)
    out('<text x="%.1f" y="%d" text-anchor="middle">%g</text>', x, bottom + 14, ratio)
  end
end

--- The picture as text.
function picture_svg.draw(results, found)
  local body = {}
  local function out(format, ...) body[#body + 1] = format:format(...) end
  draw_legend(out, found)
  local y = top
  for _, result in ipairs(results) do
    if result.ratio then y = draw_row(out, result, y) end
  end
  local scale = {}
  draw_scale(function(format, ...) scale[#scale + 1] = format:format(...) end, y)
  local head = ([[<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">
<style>text{font:11px sans-serif}.figure{font-size:9px}.grid{stroke:#ddd}
.must{stroke:#c00;stroke-width:2}</style>
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="%d" y="22" style="font-size:15px">Server's CPU time a message against the floor
(shorter is better; red: where ours has to end)</text>]]):format(left + width + 60, y + 30, 20)
  return table.concat({ head, table.concat(scale, "\n"), table.concat(body, "\n"), "</svg>" }, "\n")
end

return picture_svg
