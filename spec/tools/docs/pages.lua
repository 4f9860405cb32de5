-- SPDX-License-Identifier: MIT
-- Writes LDoc's input for the pages: the same annotations with LDoc's tags.

local model = require "spec.tools.docs.model"

local pages = {}

local entities = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["@"] = "&#64;", ["?"] = "&#63;",
  ["|"] = "&#124;", [" "] = "&nbsp;",
}

-- Some characters are special to LDoc in text, and more of them in types: a space
-- ends a type, "|" splits it (which is right outside brackets).
local function plain(text)
  return (text:gsub("[&<>@]", entities))
end

local function type_of(text)
  local inner = text:gsub("%b()", function(group) return (group:gsub("[|]", "\1")) end)
  inner = inner:gsub("[&<>@? ]", entities)
  return (inner:gsub("\1", entities["|"]))
end

local function entry(out, tag, optional, ...)
  local words = {}
  for _, word in ipairs { ... } do
    if word ~= "" then words[#words + 1] = word end
  end
  out[#out + 1] = ("-- @%s%s %s"):format(tag, optional and "[opt]" or "", table.concat(words, " "))
end

local function heading(out, text)
  out[#out + 1] = ""
  out[#out + 1] = "--- " .. plain(text)
end

local function write_fields(out, class, name)
  local fields = {}
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then fields[#fields + 1] = field end
  end
  if #fields == 0 then return end
  heading(out, "Fields.")
  if class.parent then out[#out + 1] = "-- With everything that " .. class.parent .. " has." end
  out[#out + 1] = "-- @table " .. name
  for _, field in ipairs(fields) do
    entry(out, "tfield", field.optional, type_of(field.type), field.name, plain(field.text))
  end
end

local function write_functions(out, class)
  for _, fn in ipairs(class.functions) do
    if model.is_public(fn) then
      heading(out, fn.text)
      out[#out + 1] = ("-- @function %s%s%s"):format(class.name, fn.sep, fn.name)
      for _, param in ipairs(fn.params) do
        entry(out, "tparam", param.optional, type_of(param.type), param.name, plain(param.text))
      end
      for _, given in ipairs(fn.returns) do
        entry(out, "treturn", false, type_of(given.type), plain(given.text))
      end
    end
  end
end

--- The text that LDoc reads: one module, a section for each class.
function pages.text(described, version)
  local out = {
    "--- " .. plain(described.classes.ws.text),
    "-- This is version " .. version .. ".",
    "-- @module ws",
  }
  for _, name in ipairs(described.order) do
    local class = described.classes[name]
    if name ~= "ws" then
      heading(out, name .. ". " .. class.text)
      out[#out + 1] = ("-- @section %s"):format((name:gsub("%W", "_")))
    end
    write_fields(out, class, name == "ws" and "fields" or name)
    write_functions(out, class)
  end
  return table.concat(out, "\n") .. "\n"
end

return pages
