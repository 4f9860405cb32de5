-- SPDX-License-Identifier: MIT
-- Runs the specs that talk to real peers and prints a Markdown table of results.
-- A cell says "yes" when all its tests passed, otherwise how many failed, and "-"
-- when it has no tests.

-- With their titles in the specs, in the table's order; `version` is a command.
local function debian(package)
  return "dpkg-query -W -f '${Version}' " .. package
end

local peers = {
  { title = "Chromium", version = debian "chromium" },
  { title = "npm ws", version =
    [[node -p 'require("./build/peers/node_modules/ws/package.json").version']] },
  { title = "Python websockets", version = debian "python3-websockets" },
  { title = "aiohttp", version = debian "python3-aiohttp" },
  { title = "Tornado", version = debian "python3-tornado" },
  { title = "gorilla/websocket", version = debian "golang-github-gorilla-websocket-dev" },
  { title = "nhooyr.io/websocket", version = debian "golang-nhooyr-websocket-dev" },
  { title = "Boost.Beast", version =
    [[sed -n '/LIB_VERSION "/s/.*"\(.*\)"/\1/p' /usr/include/boost/version.hpp | tr _ .]] },
  { title = "libwebsockets", version = debian "libwebsockets-dev" },
  { title = "Mojolicious", version = debian "libmojolicious-perl" },
  { title = "lua-resty-websocket", version = debian "lua-nginx-websocket" },
}
local roles = { "server", "client" }
local columns = { "plain", "secure", "compressed" }

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

-- Without what Debian adds: "1:8.1-2+deb12u1" becomes "8.1".
local function version_of(peer)
  local version = output(peer.version):gsub("^%d+:", ""):match "^[%d.]+%d"
  return assert(version, "no version of " .. peer.title)
end

-- A test's name begins with its column, except those of certificates and refusals.
local function column_of(name)
  local group = name:match "^(%l+),"
  for _, column in ipairs(columns) do
    if group == column then return column end
  end
  return name:find("certificate", 1, true) and "secure" or "plain"
end

-- "TITLE as ROLE" -> column -> { passed, failed }
local results = {}

local function count(line)
  local no, title, role, name = line:match "^(%l*) ?ok %d+ %- (.-) as (%l+): (.*)$"
  if not title then return end
  local key, column = title .. " as " .. role, column_of(name)
  results[key] = results[key] or {}
  local cell = results[key][column] or { 0, 0 }
  results[key][column] = cell
  local index = no == "not" and 2 or 1
  cell[index] = cell[index] + 1
end

local function cell_text(cell)
  if not cell then return "-" end
  if cell[2] == 0 then return "yes" end
  return ("%d of %d failed"):format(cell[2], cell[1] + cell[2])
end

local function print_row(peer, role, row)
  local cells = { peer.title, version_of(peer), role }
  for _, column in ipairs(columns) do cells[#cells + 1] = cell_text(row[column]) end
  print("| " .. table.concat(cells, " | ") .. " |")
end

local function run()
  local passed, failed = 0, 0
  local pipe = assert(io.popen "lua5.4 /usr/bin/busted -o TAP --pattern=_spec spec/peers")
  for line in pipe:lines() do
    count(line)
    if line:find "^ok " then passed = passed + 1 end
    if line:find "^not ok " then
      failed = failed + 1
      io.stderr:write(line, "\n")
    end
  end
  pipe:close()
  return passed, failed
end

local passed, failed = run()
print "| Peer | Version | Its role | ws | wss | permessage-deflate |"
print "|------|---------|----------|----|-----|--------------------|"
for _, peer in ipairs(peers) do
  local seen = false
  for _, role in ipairs(roles) do
    local row = results[peer.title .. " as " .. role]
    if row then print_row(peer, role, row) end
    seen = seen or row
  end
  if not seen then
    failed = failed + 1
    io.stderr:write(peer.title, ": no test ran\n")
  end
end
io.stderr:write(("%d passed, %d failed\n"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
