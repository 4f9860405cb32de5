-- SPDX-License-Identifier: MIT
-- Joins csrc/ into ws.c and ws.h, and lua/ws into ws.lua, for programs that
-- compile their dependencies themselves.   amalgamation.lua FOLDER
--
-- Headers come first, each once, then the sources, floor by floor. A source's
-- private names get its file's name as a prefix, because two files may use one
-- name for different things; its macros are undefined at its end.

local out = assert(arg[1], "which folder?")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function write(name, parts)
  local file = assert(io.open(out .. "/" .. name, "wb"))
  assert(file:write(table.concat(parts, "\n"), "\n"))
  file:close()
end

local function list(command)
  local names = {}
  local pipe = assert(io.popen(command))
  for name in pipe:lines() do names[#names + 1] = name end
  pipe:close()
  return names
end

-- ------------------------------------------------------ files under a switch

local tls, deflate = "WS_NO_TLS", "WS_NO_DEFLATE"
local linux = "defined(__linux__)"
local bsd = "defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || \\\n"
  .. "    defined(__NetBSD__) || defined(__DragonFly__)"

local conditions = {
  { "transport/tls_", "!defined(" .. tls .. ")" },
  { "transport/stream_tls_openssl", "!defined(" .. tls .. ")" },
  { "transport/stream_tls_none", "defined(" .. tls .. ")" },
  { "protocol/deflate.c", "!defined(" .. deflate .. ")" },
  { "protocol/deflate_none", "defined(" .. deflate .. ")" },
  { "loop/poller_epoll", linux },
  { "loop/poller_kqueue", bsd },
  { "loop/poller_poll", "!(" .. linux .. " || " .. bsd .. ")" },
}

-- The pollers' files all name their struct alike: here each system has one poller.
local pollers = "\nconst ws_poller_kind *const ws_pollers[] = {&%s, NULL};"

local function condition_of(path)
  for _, condition in ipairs(conditions) do
    if path:find("csrc/" .. condition[1], 1, true) == 1 then return condition[2] end
  end
end

-- -------------------------------------------------------------------- C text

-- Calls fn(kind, text, first, last) for each token. Its kind is "word", or "text"
-- for comments, strings, numbers, blanks and punctuation.
local function tokens(source, fn)
  local at = 1
  local patterns = {
    { "text", "^/%*.-%*/" }, { "text", '^"[^"\\\n]*"' }, { "text", "^#include[^\n]*" },
    { "word", "^[%a_][%w_]*" }, { "text", "^%d[%w.]*" }, { "text", "^%->%s*[%a_][%w_]*" },
    { "text", "^%.[%a_][%w_]*" }, { "text", "^%s+" },
  }
  local function string_end(quote)
    local i = at + 1
    while source:sub(i, i) ~= quote do
      i = i + (source:sub(i, i) == "\\" and 2 or 1)
    end
    return i
  end
  while at <= #source do
    local first = source:sub(at, at)
    local stop, kind
    if first == '"' or first == "'" then
      stop, kind = string_end(first), "text"
    else
      for _, pattern in ipairs(patterns) do
        local _, last = source:find(pattern[2], at)
        if last then stop, kind = last, pattern[1] break end
      end
    end
    stop, kind = stop or at, kind or "text"
    fn(kind, source:sub(at, stop), at, stop)
    at = stop + 1
  end
end

-- Names private to a source, which another file, a header or the system may use too.
local function private_names(source)
  local names = {}
  local function add(name)
    local free = name and name ~= "struct" and not name:find("^[Ww][Ss]_")
    if free then names[name] = true end
  end
  local flat = ("\n" .. source):gsub("/%*.-%*/", ""):gsub("__attribute__%s*%b()", "")
    :gsub("_Atomic%b()", "_Atomic")
  for head in flat:gmatch("\n[%u_]*%s?(static [^;={]*)[;={]") do
    add(head:match("([%w_]+)%s*%(") or head:match("([%w_]+)%s*%[") or head:match("([%w_]+)%s*$"))
  end
  for name in flat:gmatch("\n} ([%w_]+)[%[; ]") do add(name) end
  for name in flat:gmatch("\ntypedef [^{}]-([%w_]+);") do add(name) end
  for name in flat:gmatch("\ntypedef [^{};]-([%w_]+)%([^;{}]*%);") do add(name) end
  for name in flat:gmatch("\n%s*struct ([%w_]+) {") do add(name) end
  for name in flat:gmatch("\ntypedef struct ([%w_]+) {") do add(name) end
  for body in flat:gmatch("\n[%w_ ]*enum[%w_ ]*{(.-)}") do
    for name in (body .. ","):gmatch("([%a_][%w_]*)[^,]*,") do add(name) end
  end
  return names
end

-- A function that says whether the word at first..last is a struct's field: fields
-- need no prefix, as they clash with nothing.
local function is_field(source)
  local spans = {}
  for first, last in source:gmatch("%f[%w_]struct[%w_ ]*()%b{}()") do
    spans[#spans + 1] = { first, last }
  end
  return function(first, last)
    if not source:find("^[%[;,)]", last + 1) then return false end
    for _, span in ipairs(spans) do
      if span[1] < first and last < span[2] then return true end
    end
    return false
  end
end

local function with_own_names(path, source)
  local prefix = path:match("([%w_]+)%.c$") .. "_"
  local names, made, field = private_names(source), {}, is_field(source)
  tokens(source, function(kind, text, first, last)
    local own = kind == "word" and names[text] and not field(first, last)
    made[#made + 1] = own and prefix .. text or text
  end)
  return table.concat(made)
end

-- -------------------------------------------------------------- putting together

local emitted = {} -- headers that are in ws.c
local c = {}

local function put(path, text)
  local condition = condition_of(path)
  if condition then c[#c + 1] = "#if " .. condition end
  c[#c + 1] = ("/* ---- %s */"):format(path)
  c[#c + 1] = (text:gsub("^%s+", ""):gsub("%s+$", ""))
  if condition then c[#c + 1] = "#endif" end
end

local function without_own_includes(text)
  return (("\n" .. text):gsub('\n#include "[^"\n]+"[^\n]*', ""):gsub("\n#pragma once", "")
    :gsub("\n/%* SPDX[^\n]*", ""))
end

local function put_header(path)
  if emitted[path] then return end
  emitted[path] = true
  local text = read(path)
  for other in text:gmatch('#include "([^"]+)"') do put_header("csrc/" .. other) end
  put(path, without_own_includes(text))
end

local function put_source(path)
  local text = with_own_names(path, without_own_includes(read(path)))
  local ends = {}
  for name in ("\n" .. text):gmatch("\n#define ([%w_]+)") do
    ends[#ends + 1] = "#undef " .. name
  end
  local poller = path:match("loop/(poller_%w+)%.c$")
  if poller then text = text .. pollers:format("ws_" .. poller) end
  put(path, text .. "\n" .. table.concat(ends, "\n"))
end

local sources = {}
for _, floor in ipairs { "bytes", "protocol", "transport", "loop", "connection", "lua" } do
  for _, path in ipairs(list("ls csrc/" .. floor .. "/*.c")) do
    local chosen = path:find("win32", 1, true) or path:find("loop/pollers_", 1, true)
    if not chosen then sources[#sources + 1] = path end
  end
end

c[1] = [[
/* SPDX-License-Identifier: MIT */
/* ws: WebSocket for Lua, in one file, made by "make amalgamation": do not edit.
 * WS_NO_TLS leaves out OpenSSL, WS_NO_DEFLATE zlib. Compile as C11. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif]]
for _, path in ipairs(sources) do
  for other in read(path):gmatch('#include "([^"]+)"') do put_header("csrc/" .. other) end
end
for _, path in ipairs(sources) do put_source(path) end
write("ws.c", c)

write("ws.h", { [[
/* SPDX-License-Identifier: MIT */
/* The C module ws.core, linked in: put luaopen_ws_core into package.preload as
 * "ws.core"; ws.lua beside this file holds the rest. */
#ifndef WS_H
#define WS_H
#include <lua.h>
#ifdef __cplusplus
extern "C" {
#endif
int luaopen_ws_core(lua_State *L);
#ifdef __cplusplus
}
#endif
#endif]] })

-- Each module is loaded under its own path, so that errors give its own line numbers;
-- `require "ws"` loads this file.
local function level(text)
  local equals = ""
  while text:find("]" .. equals .. "]", 1, true) do equals = equals .. "=" end
  return equals
end

local lua = { [[
-- SPDX-License-Identifier: MIT
-- ws: the Lua side in one file, made by "make amalgamation": do not edit.
local load = loadstring or load
local function add(name, path, text)
  package.preload[name] = package.preload[name] or assert(load(text, "@" .. path))
end
]] }
for _, path in ipairs(list("find lua/ws -name '*.lua' | sort")) do
  local name = path:match("^lua/(.*)%.lua$"):gsub("/init$", ""):gsub("/", ".")
  local text = read(path)
  local equals = level(text)
  if name == "ws" then name = "ws.init" end
  lua[#lua + 1] = ("add(%q, %q, [%s[\n%s]%s])"):format(name, path, equals, text, equals)
end
lua[#lua + 1] = 'return require "ws.init"'
write("ws.lua", lua)
