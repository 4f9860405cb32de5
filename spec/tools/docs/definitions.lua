-- SPDX-License-Identifier: MIT
-- Writes LuaLS definitions: one file, which needs none of the sources.

local model = require "spec.tools.docs.model"

local definitions = {}

local WIDTH = 96

-- Appends text as comment lines, wrapped.
local function comment(out, text)
  local line = "---"
  for word in text:gmatch "%S+" do
    if #line + #word + 1 > WIDTH and line ~= "---" then
      out[#out + 1], line = line, "---"
    end
    line = line .. " " .. word
  end
  if line ~= "---" then out[#out + 1] = line end
end

local function local_name(class_name)
  return "_" .. class_name:gsub("%W", "_")
end

local function write_fields(out, class)
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then
      comment(out, field.text)
      out[#out + 1] = ("---@field %s%s %s"):format(field.name, field.optional and "?" or "",
        field.type)
    end
  end
  if class.overload then out[#out + 1] = "---@overload " .. class.overload end
end

local function write_function(out, class_name, fn)
  out[#out + 1] = ""
  comment(out, fn.text)
  for _, param in ipairs(fn.params) do
    out[#out + 1] = ("---@param %s%s %s %s"):format(param.name, param.optional and "?" or "",
      param.type, param.text):gsub("%s+$", "")
  end
  for _, given in ipairs(fn.returns) do
    out[#out + 1] = ("---@return %s %s"):format(given.type, given.text):gsub("%s+$", "")
  end
  out[#out + 1] = ("function %s%s%s(%s) end"):format(local_name(class_name), fn.sep, fn.name,
    table.concat(fn.arguments, ", "))
end

local function write_class(out, class)
  out[#out + 1] = ""
  comment(out, class.text)
  out[#out + 1] = "---@class " .. class.name .. (class.parent and ": " .. class.parent or "")
  write_fields(out, class)
  out[#out + 1] = ("local %s = {}"):format(local_name(class.name))
  for _, fn in ipairs(class.functions) do
    if model.is_public(fn) then write_function(out, class.name, fn) end
  end
end

--- The text of ws.meta.lua.
function definitions.text(described)
  local out = {
    "---@meta ws",
    "-- LuaLS definitions of ws, made by `make docs`. Put this file where",
    "-- workspace.library points.",
  }
  for _, name in ipairs(described.order) do write_class(out, described.classes[name]) end
  out[#out + 1] = ""
  out[#out + 1] = "return " .. local_name "ws"
  return table.concat(out, "\n") .. "\n"
end

return definitions
