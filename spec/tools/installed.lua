-- SPDX-License-Identifier: MIT
-- Tests `make install` and `make uninstall` as a packager uses them: installs into
-- a DESTDIR with a space in its name, uses what is there, and uninstalls it, which
-- must leave other files. installed.lua LUA TLS (the Makefile's LUA and tls); ends
-- with "N passed, N failed".

package.path = "spec/tools/?.lua;" .. package.path
local release = require "release"
local steps = require "steps"
local check, quote, run = steps.check, steps.quote, steps.run

local lua, tls = arg[1] or "lua5.4", arg[2] or "openssl"
local here = run("pwd", "pwd"):gsub("\n$", "")
local root = here .. "/build/a destdir"
local version = run("the Lua's version", lua .. " -e 'io.write((_VERSION:gsub(\"Lua \", \"\")))'")
local share, lib = "/opt/x/share/lua/" .. version, "/opt/x/lib/lua/" .. version

local function make(target)
  run("make " .. target, ("make --no-print-directory LUA=%s DESTDIR=%s PREFIX=/opt/x %s"):format(
    lua, quote(root), target))
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

local function files()
  return set_of(steps.lines(("cd %s && find . -type f"):format(quote(root))))
end

local function check_same(what, wanted, found)
  for name in pairs(wanted) do check(("%s: %s is there"):format(what, name), found[name]) end
  for name in pairs(found) do check(("%s: %s belongs there"):format(what, name), wanted[name]) end
end

-- Files that are not ours: one inside our folder, one beside it.
local others = { ["." .. share .. "/ws/theirs.lua"] = true, ["." .. lib .. "/other.so"] = true }
run("an empty DESTDIR", ("rm -rf %s; mkdir -p %s %s"):format(quote(root),
  quote(root .. share .. "/ws"), quote(root .. lib)))
for name in pairs(others) do
  local path = quote(root .. "/" .. name)
  run("a file of others", ("touch %s && chmod 644 %s"):format(path, path))
end

make "install"
local wanted = { ["." .. lib .. "/ws/core.so"] = true }
for name in pairs(others) do wanted[name] = true end
for _, path in ipairs(steps.lines "cd lua && find ws -name '*.lua'") do
  wanted["." .. share .. "/" .. path] = true
end
check_same("installed", wanted, files())
local strict = steps.lines(("cd %s && find . -name '*.lua' ! -perm 644"):format(
  quote(root .. share)))
check("anybody may read the modules", #strict == 0, table.concat(strict, "\n"))
make "install" -- over itself

local printed = run("it works from there", ("cd / && LUA_PATH=%s LUA_CPATH=%s %s %s %s %s"):format(
  quote(("%s/?.lua;%s/?/init.lua"):format(root .. share, root .. share)),
  quote(root .. lib .. "/?.so"), lua, quote(here .. "/spec/tools/rock.lua"), release.version, tls))
check("it says so", printed:find("the rock works", 1, true), printed)

make "uninstall"
check_same("uninstalled", others, files())
make "uninstall" -- what is not there is no failure

run("their file goes", "rm " .. quote(root .. share .. "/ws/theirs.lua"))
make "install"
make "uninstall"
local left = steps.lines(("cd %s && find . -mindepth 1 -path '*/ws*'"):format(quote(root)))
check("no empty folder stays", #left == 0, table.concat(left, "\n"))
run("no DESTDIR is left", "rm -rf " .. quote(root))
steps.finish()
