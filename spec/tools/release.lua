-- SPDX-License-Identifier: MIT
-- The rockspec of the release whose version csrc/lua/lua_core.c names. It is that
-- of `scm` with another version and source, so their lists of files cannot differ.
-- Run as a script, this writes the file; spec/layers.lua compares it. Rockspecs of
-- earlier releases stay as they were.

local release = {}

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local function replaced(text, from, to)
  local start, finish = text:find(from, 1, true)
  assert(start, "the scm rockspec has no " .. from)
  return text:sub(1, start - 1) .. to .. text:sub(finish + 1)
end

release.scm = "rockspec/lua-ws-scm-1.rockspec"
release.version = read("csrc/lua/lua_core.c"):match '\n#define VERSION "([%d.]+)"'
release.path = ("rockspec/lua-ws-%s-1.rockspec"):format(release.version)

--- What the file has to hold. If given, `url` replaces the source's URL and tag.
function release.text(url)
  local text = read(release.scm)
  local git = text:match 'source = { url = "([^"]+)" }'
  local source = url and ('{ url = "%s" }'):format(url)
    or ('{\n  url = "%s",\n  tag = "v%s",\n}'):format(git, release.version)
  text = replaced(text, 'version = "scm-1"', ('version = "%s-1"'):format(release.version))
  return replaced(text, ('{ url = "%s" }'):format(git), source)
end

function release.write(path, url)
  local file = assert(io.open(path, "w"))
  assert(file:write(release.text(url)))
  file:close()
end

if arg and arg[0] and arg[0]:match "release%.lua$" then
  release.write(release.path)
  print("wrote " .. release.path)
end

return release
