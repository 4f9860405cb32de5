-- SPDX-License-Identifier: MIT
-- Tests the rocks as a user of LuaRocks gets them, but without a rocks server: made
-- from the tree, packed, tested, and built from a release's archive; each is
-- installed into a clean tree and used from there. rocks.lua LUA [LUAROCKS]; ends
-- with "N passed, N failed".

package.path = "spec/tools/?.lua;" .. package.path
local release = require "release"
local steps = require "steps"
local check, quote, run = steps.check, steps.quote, steps.run

local lua, luarocks = arg[1] or "lua5.4", arg[2] or "luarocks"
local here = run("pwd", "pwd"):gsub("\n$", "")
local root = here .. "/build/rock"
local lua_version = run("the Lua's version", lua .. " -e 'print((_VERSION:gsub(\"Lua \", \"\")))'")
  :gsub("\n$", "")
local name = "lua-ws-" .. release.version

local function rocks(what, folder, command)
  return run(what, ("cd %s && HOME=%s %s --lua-version %s --only-server %s %s"):format(
    quote(root .. "/" .. folder), quote(root .. "/home"), luarocks, lua_version,
    quote(root .. "/nowhere"), command))
end

-- Shell variables that put a tree, and nothing else, on Lua's paths.
local function paths(tree)
  local share = ("%s/%s/share/lua/%s"):format(root, tree, lua_version)
  local lib = ("%s/%s/lib/lua/%s"):format(root, tree, lua_version)
  return ("LUA_PATH=%s LUA_CPATH=%s "):format(quote(share .. "/?.lua;" .. share .. "/?/init.lua"),
    quote(lib .. "/?.so"))
end

local function works(tree, version)
  local printed = run("the rock in " .. tree .. " works", ("cd / && %s %s %s %s"):format(
    paths(tree), lua, quote(here .. "/spec/tools/rock.lua"), version))
  check("it says so", printed:find("the rock works", 1, true), printed)
end

-- The only rock in a folder that fits the pattern.
local function rock_in(folder, pattern)
  local found = steps.lines(("ls %s"):format(quote(root .. "/" .. folder)))
  for _, file in ipairs(found) do
    if file:find(pattern) then return ("%s/%s/%s"):format(root, folder, file) end
  end
  check("there is a rock in " .. folder, false, table.concat(found, "\n"))
  steps.finish()
end

run("a copy of the tree", ("rm -rf %s; mkdir -p %s/%s %s/packed %s/home && cp -r csrc lua "
  .. "rockspec spec LICENSE README.md Makefile %s/%s/"):format(quote(root), quote(root), name,
  quote(root), quote(root), quote(root), name))

for _, path in ipairs { release.scm, release.path } do
  rocks(path .. " is well-formed", name, "lint " .. path)
end

rocks("luarocks make", name, "--tree ../made make " .. release.scm)
works("made", release.version)

rocks("luarocks pack", "packed", "--tree ../made pack lua-ws scm-1")
rocks("luarocks install of the packed rock", "packed", "--tree ../installed install "
  .. quote(rock_in("packed", "^lua%-ws%-scm%-1%..*%.rock$")))
works("installed", release.version)

rocks("luarocks remove", "packed", "--tree ../installed remove lua-ws")
local left = steps.lines(("find %s -name '*.lua' -path '*share/lua*' -o -name 'core.so'"):format(
  quote(root .. "/installed")))
check("nothing of it is left", #left == 0, table.concat(left, "\n"))

-- `luarocks test` uses the system's busted.
local printed = run("luarocks test", ("cd %s/%s && %s HOME=%s %s --lua-version %s test %s"):format(
  quote(root), name, paths("made"):gsub("(/%?[^;']*)'", "%1;;'"), quote(root .. "/home"), luarocks,
  lua_version, release.scm))
local succeeded, failed = printed:match "(%d+) success%a* / (%d+) failure"
check("it has run the suite", tonumber(succeeded or 0) > 400 and failed == "0", printed)

-- A release: its archive, the source rock made from it, and the rock built from that.
run("the release's archive", ("cd %s && tar -czf %s.tar.gz %s"):format(quote(root), name, name))
release.write(("%s/packed/lua-ws-%s-1.rockspec"):format(root, release.version),
  ("file://%s/%s.tar.gz"):format(root, name))
rocks("luarocks pack of the release", "packed", ("pack lua-ws-%s-1.rockspec"):format(
  release.version))
rocks("luarocks install of the source rock", "packed", "--tree ../built install "
  .. quote(rock_in("packed", "%.src%.rock$")))
works("built", release.version)
steps.finish()
