-- SPDX-License-Identifier: MIT
-- Checks that what `make docs` wrote holds everything that is public, and that
-- the definitions are Lua. check.lua FOLDER; ends with "N passed, N failed".

package.path = "spec/tools/?.lua;" .. package.path
local model = require "spec.tools.docs.model"
local steps = require "steps"

local function read(name)
  local file = assert(io.open(arg[1] .. "/" .. name))
  local text = file:read "*a"
  file:close()
  return text
end

local definitions, page = read "ws.meta.lua", read "index.html"
local check = steps.check

local loaded, why = loadfile(arg[1] .. "/ws.meta.lua")
check("the definitions are Lua", loaded, why)
check("they are those of the module", definitions:find "^%-%-%-@meta ws\n")

local described = model.load()
local function holds(what, text, wanted)
  check(("%s: %s"):format(what, wanted), text:find(wanted, 1, true))
end

for _, name in ipairs(described.order) do
  local class = described.classes[name]
  holds("the definitions", definitions, "\n---@class " .. name)
  for _, fn in ipairs(class.functions) do
    if model.is_public(fn) then
      local written = ("_%s%s%s("):format(name:gsub("%W", "_"), fn.sep, fn.name)
      holds("the definitions", definitions, "\nfunction " .. written)
      -- LDoc leaves the module's own name out.
      local shown = name == "ws" and fn.name or name .. fn.sep .. fn.name
      holds("the page", page, ("<strong>%s "):format(shown))
    end
  end
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then
      holds("the definitions", definitions, ("\n---@field %s%s %s\n"):format(field.name,
        field.optional and "?" or "", field.type))
      holds("the page", page, ('<span class="parameter">%s</span>'):format(field.name))
    else
      local written = ("@field %s %s\n"):format(field.name, field.type)
      check("private: " .. field.name, not definitions:find(written, 1, true))
    end
  end
end
steps.finish()
