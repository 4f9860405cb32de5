-- SPDX-License-Identifier: MIT
-- The house rules that a program can check: floors point one way, system
-- headers stay where they belong, files and functions stay small, every
-- source has its test, the rockspec lists every file.
-- Run from the top of the tree; ends with "N passed, N failed".

-- Which floors each floor may include, itself among them.
local floors = {
  bytes = "bytes",
  protocol = "bytes protocol",
  transport = "bytes transport",
  loop = "bytes loop",
  connection = "bytes protocol transport loop connection",
  lua = "bytes protocol transport loop connection lua",
}

-- System headers that any file may include, and those that single files may.
local plain_headers = "stddef stdint stdbool string limits assert"
local more_headers = {
  ["csrc/bytes/memory.c"] = "stdlib stdatomic",
  ["csrc/protocol/deflate.c"] = "zlib",
}
-- Folders that may include any system header.
local system_folders = { transport = true, loop = true, lua = true }
local connection_headers = "stdio"

-- Modules of others, and who may require them: the adapters to their loops.
local foreign_modules = {
  ["lua/ws/adapter/copas.lua"] = "copas",
  ["lua/ws/adapter/cqueues.lua"] = "cqueues cqueues.condition",
  ["lua/ws/adapter/luv.lua"] = "luv",
}

local limits = { c = 400, h = 220, lua = 300, lua_function = 60,
                 c_function = 60, columns = 80, lua_columns = 100 }

local passed, failed = 0, 0
local function check(holds, ...)
  if holds then passed = passed + 1 return end
  failed = failed + 1
  print(("layers: " .. ...):format(select(2, ...)))
end

local function list(command)
  local names = {}
  local pipe = assert(io.popen(command))
  for name in pipe:lines() do names[#names + 1] = name end
  pipe:close()
  return names
end

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

local function has_word(words, word)
  return (" " .. words .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- ------------------------------------------------------------------ C files

local function check_system_header(path, folder, header)
  if system_folders[folder] then return end
  local name = header:gsub("%.h$", "")
  local allowed = plain_headers .. " " .. (more_headers[path] or "")
  if folder == "connection" then allowed = allowed .. " " .. connection_headers end
  local vector = path:find("csrc/bytes/[mu]", 1) and
    (name:find("intrin$") or name == "arm_neon")
  check(vector or has_word(allowed, name), "%s includes <%s>", path, header)
end

local includes = {} -- path -> list of paths, for the search of circles

local function check_includes(path, folder, lines)
  includes[path] = {}
  for _, line in ipairs(lines) do
    local own = line:match('^#include "([^"]+)"')
    local system = line:match("^#include <([^>]+)>")
    if own then
      local floor = own:match("^(%w+)/")
      check(floor and has_word(floors[folder], floor), "%s reaches for %s", path, own)
      table.insert(includes[path], "csrc/" .. own)
    elseif system then
      check_system_header(path, folder, system)
    end
  end
end

local function check_conditions(path, lines)
  local allowed = path:find("bytes/fd%.h") or path:find("/socket_") or
    path:find("loop/clock%.c") or path:find("transport/entropy%.c") or
    path:find("loop/poll_system%.h") or path:find("lua/lua_compat%.h") or path:find("bytes/mask") or
    path:find("bytes/utf8")
  for number, line in ipairs(lines) do
    if line:find("^#%s*if") then
      check(allowed, "%s:%d: a conditional where a file should be chosen", path, number)
    end
  end
end

-- A function's body begins after a "{" at the end of a line, in a definition that
-- begins in column one, and ends with a "}" in column one.
local function check_c_functions(path, lines)
  local start
  for number, line in ipairs(lines) do
    if line:find("^[%a_].*%{$") or line:find("^ +.*%) %{$") and not start then
      start = start or number
    elseif line == "}" and start then
      local size = number - start + 1
      check(size <= limits.c_function, "%s:%d: a function of %d lines", path, start, size)
      start = nil
    elseif line:find("^};?") or line:find("^} [%w_]+;") then
      start = nil
    end
  end
end

local function check_c(path)
  local folder = path:match("^csrc/(%w+)/")
  local lines = lines_of(path)
  local kind = path:match("%.(%w+)$")
  check(lines[1] == "/* SPDX-License-Identifier: MIT */", "%s: no SPDX line", path)
  check(#lines <= limits[kind], "%s has %d lines", path, #lines)
  for number, line in ipairs(lines) do
    if #line > limits.columns then
      check(false, "%s:%d is %d wide", path, number, #line)
    end
  end
  check_includes(path, folder, lines)
  check_conditions(path, lines)
  if kind == "c" then check_c_functions(path, lines) end
  if kind == "h" then
    check(table.concat(lines, "\n"):find("#pragma once", 1, true), "%s: no #pragma once", path)
  end
end

-- ---------------------------------------------------------------- Lua files

local function check_lua(path)
  local lines = lines_of(path)
  check(lines[1] == "-- SPDX-License-Identifier: MIT", "%s: no SPDX line", path)
  check(#lines <= limits.lua, "%s has %d lines", path, #lines)
  includes[path] = {}
  for number, line in ipairs(lines) do
    if #line > limits.lua_columns then
      check(false, "%s:%d is %d wide", path, number, #line)
    end
    local code = line:gsub("%-%-.*", "")
    local name = code:match('require%s*%(?%s*["\']([%w_.]+)["\']')
    if name then
      check(name:find("^ws") or has_word(foreign_modules[path] or "", name),
        "%s requires %s", path, name)
      check(not line:find("^%s"), "%s:%d: require inside a function", path, number)
      local file = "lua/" .. name:gsub("%.", "/")
      if exists(file .. ".lua") then table.insert(includes[path], file .. ".lua") end
      if exists(file .. "/init.lua") then table.insert(includes[path], file .. "/init.lua") end
    end
  end
end

-- ------------------------------------------------------------------ circles

local function find_circles()
  local state = {}
  local function visit(path, trail)
    if state[path] == "done" then return end
    if state[path] then
      check(false, "a circle: %s -> %s", table.concat(trail, " -> "), path)
      return
    end
    state[path] = "open"
    trail[#trail + 1] = path
    for _, other in ipairs(includes[path] or {}) do visit(other, trail) end
    trail[#trail] = nil
    state[path] = "done"
  end
  for path in pairs(includes) do visit(path, {}) end
  check(true)
end

-- ----------------------------------------------------- tests and the rockspec

-- Files whose tests bear another name: "source = test".
local tested_by = {}
for _, line in ipairs(exists("spec/tested_by.txt") and lines_of("spec/tested_by.txt") or {}) do
  local source, test = line:match("^(%S+)%s+(%S+)$")
  if source then tested_by[source] = test end
end

local function check_tested(path)
  local folder, name = path:match("^csrc/(%w+)/([%w_]+)%.c$")
  local test
  if folder == "lua" then
    test = "spec/lua/" .. name:gsub("^lua_", "") .. "_spec.lua"
  elseif folder then
    test = ("spec/%s/test_%s.c"):format(folder, name)
  else
    test = "spec/" .. path:match("^lua/(.+)%.lua$") .. "_spec.lua"
  end
  if folder == "connection" and not exists(test) then
    test = ("spec/connection/%s_spec.lua"):format(name)
  end
  if tested_by[path] then
    check(exists(tested_by[path]), "%s: its test %s is not there", path, tested_by[path])
  else
    check(exists(test), "%s has no %s", path, test)
  end
end

local function check_rockspec(c_files, lua_files)
  local release = dofile "spec/tools/release.lua"
  local path = release.scm
  local text = table.concat(lines_of(path), "\n")
  local written = exists(release.path) and table.concat(lines_of(release.path), "\n")
  check(written and release.text() == written .. "\n",
    "%s is not what `make rockspecs` writes", release.path)
  for _, files in ipairs { c_files, lua_files } do
    for _, file in ipairs(files) do
      check(text:find('"' .. file .. '"', 1, true), "%s does not list %s", path, file)
    end
  end
end

local c_files = list("ls csrc/*/*.c")
local lua_files = list("find lua -name '*.lua' | sort")
for _, path in ipairs(list("ls csrc/*/*.[ch]")) do check_c(path) end
for _, path in ipairs(lua_files) do check_lua(path) end
find_circles()
for _, path in ipairs(c_files) do check_tested(path) end
for _, path in ipairs(lua_files) do check_tested(path) end
check_rockspec(c_files, lua_files)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
