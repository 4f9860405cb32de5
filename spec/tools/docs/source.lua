-- SPDX-License-Identifier: MIT
-- Reads the annotations of Lua files (LuaLS's: ---@class, @field, @param ...)
-- into tables. Knows nothing of ws.
--   class     {name, parent, text, fields = {{name, type, text, optional, private}},
--              overload, functions = {function ...}}
--   function  {name, sep, arguments, text, params = {{name, type, text, optional}},
--              returns = {{type, text}}, package, line, last}

local source = {}

-- Splits "type description"; a type may hold spaces after , : | and inside brackets.
local function split_type(rest)
  local depth, quoted = 0, false
  for i = 1, #rest do
    local c = rest:sub(i, i)
    if c == '"' then quoted = not quoted end
    if not quoted then
      if c:find "[({<%[]" then depth = depth + 1 end
      if c:find "[)}>%]]" then depth = depth - 1 end
      if c == " " and depth == 0 and not rest:sub(i - 1, i - 1):find "[,:|]" then
        return rest:sub(1, i - 1), rest:sub(i + 1)
      end
    end
  end
  return rest, ""
end

local function joined(...)
  local parts = {}
  for _, part in ipairs { ... } do
    if part ~= "" then parts[#parts + 1] = part end
  end
  return table.concat(parts, " ")
end

local function named(rest)
  local name, optional, more = rest:match "^([%w_.]+)(%??)%s+(.*)$"
  if not name then return nil end
  local type_, text = split_type(more)
  return { name = name, optional = optional == "?", type = type_, text = text }
end

local tags = {}

function tags.class(block, rest)
  local name, parent = rest:match "^([%w_.]+)%s*:?%s*([%w_.]*)"
  block.class = { name = name, parent = parent ~= "" and parent or nil, text = block.pending,
                  fields = {}, functions = {} }
  block.pending = ""
end

function tags.field(block, rest)
  local private = rest:match "^private%s+(.*)$"
  local field = named(private or rest)
  if not field or not block.class then error("no @field: " .. rest, 0) end
  field.private = private ~= nil
  field.text = joined(block.pending, field.text)
  block.pending = ""
  table.insert(block.class.fields, field)
end

function tags.param(block, rest)
  local param = assert(named(rest), "no @param: " .. rest)
  table.insert(block.params, param)
  block.last = param
end

tags["return"] = function(block, rest)
  local type_, text = split_type(rest)
  block.last = { type = type_, text = text }
  table.insert(block.returns, block.last)
end

function tags.overload(block, rest)
  if block.class then block.class.overload = rest end
end

tags["package"] = function(block) block.package = true end

local function new_block()
  return { pending = "", params = {}, returns = {} }
end

local function take(block, text)
  local tag, rest = text:match "^@(%w+)%s*(.*)$"
  if tag then
    if tags[tag] then tags[tag](block, rest) end
  elseif block.last then
    block.last.text = joined(block.last.text, text)
  else
    block.pending = joined(block.pending, text)
  end
end

-- The last line of a function that starts at `line`, found by indentation.
local function last_line(lines, line)
  if lines[line]:find "%f[%w]end$" then return line end
  for i = line + 1, #lines do
    if lines[i] == "end" then return i end
  end
  return line
end

local function function_at(line)
  local owner, sep, name, list = line:match "^function ([%w_]+)([.:])([%w_]+)%((.-)%)"
  if not owner then name, list = line:match "^local function ([%w_]+)%((.-)%)" end
  if not name then return nil end
  local arguments = {}
  for argument in list:gmatch "[%w_.]+" do table.insert(arguments, argument) end
  return { owner = owner, sep = sep, name = name, arguments = arguments }
end

-- Joins a block with the code under it: a class's table, or a function.
local function attach(file, lines, number, block)
  local line = lines[number]
  if block.class then
    table.insert(file.classes, block.class)
    local name = line:match "^local ([%w_]+) ="
    if name then file.owners[name] = block.class end
    return
  end
  local fn = function_at(line)
  if not fn then return end
  fn.text, fn.params, fn.returns, fn.package = block.pending, block.params, block.returns,
    block.package
  fn.line, fn.last = number, last_line(lines, number)
  file.by_line[number] = fn
  local class = file.owners[fn.owner]
  if class then table.insert(class.functions, fn) end
end

--- Reads a file: {classes, by_line, lines, owners = name of a local -> class}.
function source.read(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  local file = { classes = {}, owners = {}, by_line = {}, lines = lines, path = path }
  local block = new_block()
  for number, line in ipairs(lines) do
    local text = line:match "^%-%-%-%s?(.*)$"
    if text then
      local ok, why = pcall(take, block, text)
      if not ok then error(("%s:%d: %s"):format(path, number, why), 0) end
    else
      attach(file, lines, number, block)
      block = new_block()
    end
  end
  lines[#lines + 1] = ""
  attach(file, lines, #lines, block)
  return file
end

--- Reads files and merges what they say about each class. Returns name -> class,
--- and path -> file.
function source.read_all(paths)
  local classes, files = {}, {}
  for _, path in ipairs(paths) do
    local file = source.read(path)
    files[path] = file
    for _, class in ipairs(file.classes) do
      local known = classes[class.name]
      if not known then
        classes[class.name] = class
      else
        known.text = known.text ~= "" and known.text or class.text
        known.parent = known.parent or class.parent
        known.overload = known.overload or class.overload
        for _, field in ipairs(class.fields) do table.insert(known.fields, field) end
        for _, fn in ipairs(class.functions) do table.insert(known.functions, fn) end
      end
    end
  end
  return classes, files
end

--- Whether a function returns something. Returns of nested functions do not count:
--- they are indented more.
function source.returns_something(file, fn)
  local inside
  for number = fn.line + 1, fn.last - 1 do
    local line = file.lines[number]
    local indent = #line:match "^ *"
    if inside then
      if indent <= inside and line:find "^ *end" then inside = nil end
    elseif line:find "%f[%w]function%f[%W]" and not line:find "%f[%w]end%f[%W]" then
      inside = indent
      if line:find "return function" then return true end
    else
      local given = line:match "%f[%w]return (.+)$"
      if given and not given:find "^end" and not given:find "^nil end" then return true end
    end
  end
  local short = file.lines[fn.line]:match "%f[%w]return (.+) end$"
  return fn.line == fn.last and short ~= nil
end

return source
