-- SPDX-License-Identifier: MIT
-- Writes the definitions for LuaLS and LDoc's input from the annotations.
-- run.lua FOLDER; from the top of the tree, with ws on Lua's paths.

local definitions = require "spec.tools.docs.definitions"
local model = require "spec.tools.docs.model"
local pages = require "spec.tools.docs.pages"
local ws = require "ws"

local folder = assert(arg[1], "usage: run.lua FOLDER")
local described = model.load()

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  assert(file:write(text))
  file:close()
end

write("ws.meta.lua", definitions.text(described))
write("ldoc/ws.lua", pages.text(described, ws.VERSION))
