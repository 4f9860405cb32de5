-- SPDX-License-Identifier: MIT
-- Joins the annotations with the running module: every class with its fields and
-- its functions under their public names, in the order of the pages.

local source = require "spec.tools.docs.source"
local ws = require "ws"

local model = {}

local order = {
  "ws", "ws.WebSocket", "ws.ClientOptions", "ws.Server", "ws.ServerOptions", "ws.Handlers",
  "ws.Terms", "ws.Request", "ws.Response", "ws.View", "ws.Compression", "ws.TLS",
  "ws.ClientTLS", "ws.ServerTLS", "ws.TLSInfo", "ws.SendOptions", "ws.ListenerOptions",
  "ws.Event", "ws.MessageEvent", "ws.CloseEvent", "ws.ErrorEvent", "ws.DataEvent",
  "ws.protocol", "ws.Protocol", "ws.ClientProtocolOptions", "ws.ServerProtocolOptions",
  "ws.adapter.cqueues", "ws.adapter.copas", "ws.adapter.luv", "ws.adapter.resty",
  "ws.resty.Socket",
}

local function list_files()
  local paths, pipe = {}, assert(io.popen "find lua/ws -name '*.lua' | sort")
  for path in pipe:lines() do paths[#paths + 1] = path end
  pipe:close()
  return paths
end

local function sorted(tbl)
  local names = {}
  for name in pairs(tbl) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function find(list, name)
  for _, item in ipairs(list) do
    if item.name == name then return item end
  end
end

--- The project's file from which a chunk with that source was loaded, or nil. The
--- folders above it may have any name, even "ws".
function model.file_of(chunk_source)
  local path = chunk_source:match "^.*/(ws/[%w_/]+%.lua)$"
  return path and "lua/" .. path
end

-- The annotations of a function, found by where it is defined, and their file.
local function function_of(value, files)
  local info = debug.getinfo(value, "S")
  local file = files[model.file_of(info.source)]
  return file and file.by_line[info.linedefined], file
end

-- Functions of `ws` are defined in other modules, under internal names.
local function add_functions(class, module, files)
  class.functions = class.functions or {}
  for _, name in ipairs(sorted(module)) do
    local value = module[name]
    local known = find(class.functions, name) or find(class.fields, name)
    if type(value) == "function" and not known then
      local fn, file = function_of(value, files)
      if fn then
        local copy = { name = name, sep = ".", file = file }
        for key, part in pairs(fn) do copy[key] = copy[key] or part end
        table.insert(class.functions, copy)
      end
    end
  end
  table.sort(class.functions, function(a, b) return a.name < b.name end)
end

--- {classes = name -> class, order = list of names}. A function also has its
--- `file`.
function model.load()
  local classes, files = source.read_all(list_files())
  for _, file in pairs(files) do
    for _, fn in pairs(file.by_line) do fn.file = file end
  end
  add_functions(classes.ws, ws, files)
  add_functions(classes["ws.protocol"], ws.protocol, files)
  return { classes = classes, order = order }
end

--- The field or function of that name in a class or the classes it derives from.
function model.member(classes, class, name)
  while class do
    local found = find(class.fields, name) or find(class.functions, name)
    if found then return found end
    class = classes[class.parent]
  end
end

--- Every field of a class and of the classes it derives from.
function model.all_fields(classes, class)
  local fields = {}
  while class do
    for _, field in ipairs(class.fields) do fields[#fields + 1] = field end
    class = classes[class.parent]
  end
  return fields
end

--- Whether a member is meant for users.
function model.is_public(member)
  return not member.private and not member.package
end

return model
