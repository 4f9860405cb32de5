-- SPDX-License-Identifier: MIT
-- The game of examples/love: a player in plain Lua and one in LÖVE see each other
-- move smoothly between the positions that the server publishes. Nothing here uses
-- player.lua: the right positions are computed from what a spectator heard.

local helper = require "spec.helper"
local turning = require "spec.lua.turning"
local ws = require "ws"

local lua = turning.interpreter()
local headless = lua .. " examples/love/headless.lua %s %g"
-- LÖVE embeds LuaJIT, and was not built for the sanitizer that may be preloaded here.
local love = "env -u LD_PRELOAD SDL_VIDEODRIVER=dummy LUA_CPATH='build/luajit/?.so;;'"
  .. " love examples/love --headless %s %g"

local SECONDS = 2 -- for which a player looks at the other one

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- Starts a program; once it has ended, ended() returns its exit code and output.
local function start(command)
  local path = os.tmpname()
  local line = "(timeout 30 %s; echo exit $?) >%s 2>&1 &"
  os.execute(line:format(command, path))
  local self = {}
  function self.said() return read_file(path) end
  function self.ended()
    local text, code = self.said():match "^(.-)exit (%d+)\n$"
    return code and { code = code, text = text }
  end
  function self.result()
    local result = helper.wait_until(self.ended, 20000, command)
    os.remove(path)
    return result
  end
  return self
end

local function start_server()
  local server = start(lua .. " examples/love/server.lua 0 once")
  local url = helper.wait_until(function()
    return server.said():match "on (ws://%S+)\n"
  end, 5000, "the game's server")
  return server, url
end

--- Parses what the server publishes: { time =, places = { id -> { x, y } } }.
local function parse(text)
  local state = { time = tonumber(text:match "^at (%S+)"), places = {} }
  for id, x, y in text:gmatch "\n(%S+) (%S+) (%S+)" do
    state.places[id] = { tonumber(x), tonumber(y) }
  end
  return state
end

--- A client that only listens: returns its socket and the list of states it hears.
local function spectate(url)
  local states, sock = {}, ws.new(url)
  function sock.onmessage(event)
    if event.data:find "^at " then states[#states + 1] = parse(event.data) end
  end
  helper.wait_until(function() return #states > 0 end, 5000, "a state")
  return sock, states
end

--- Waits until the spectator has heard all states that an ended player has: it may
--- hear them later.
local function hear_past(states, time)
  helper.wait_until(function() return states[#states].time > time end, 5000, "later states")
end

--- Waits for a new state for which condition(places) holds; returns its places.
local function await(states, condition, what)
  local seen = #states
  return helper.wait_until(function()
    while seen < #states do
      seen = seen + 1
      if condition(states[seen].places) then return states[seen].places end
    end
  end, 5000, what)
end

-- ------------------------------------------------------- what a player printed

local function lines_of(text)
  local lines, id = {}, nil
  for line in text:gmatch "[^\n]+" do
    local time, who, x, y = line:match "^(%S+) (%d+) (%S+) (%S+)$"
    assert(time, "not a position: " .. line)
    assert(not id or id == who, "more than one other player")
    id = who
    lines[#lines + 1] = { time = tonumber(time), x = tonumber(x), y = tonumber(y) }
  end
  return lines, id
end

local function near(line, x, y)
  return math.abs(line.x - x) < 0.05 and math.abs(line.y - y) < 0.05
end

local function was_published(states, id, line)
  for _, state in ipairs(states) do
    local place = state.places[id]
    if place and near(line, place[1], place[2]) then return true end
  end
end

--- The place at that time, on the straight line between the states around it.
local function between(states, id, time)
  for i = 2, #states do
    local from, to = states[i - 1], states[i]
    if from.time <= time and time < to.time then
      local a, b = from.places[id], to.places[id]
      if not (a and b) then return nil end
      local part = (time - from.time) / (to.time - from.time)
      return a[1] * (1 - part) + b[1] * part, a[2] * (1 - part) + b[2] * part
    end
  end
end

--- How many different places between the published ones were seen, and the width of
--- the movement. While a state is late, the other player stays where it was last.
local function measure(states, id, lines)
  local places, count, least, most = {}, 0, math.huge, -math.huge
  for _, line in ipairs(lines) do
    local x, y = between(states, id, line.time)
    local is_between = x and near(line, x, y)
    local published = was_published(states, id, line)
    assert.is_true(is_between or published,
      ("at %.3f player %s was not at %.3f %.3f"):format(line.time, id, line.x, line.y))
    local place = line.x .. " " .. line.y
    if is_between and not published and not places[place] then
      places[place], count = true, count + 1
    end
    least, most = math.min(least, line.x), math.max(most, line.x)
  end
  return count, most - least
end

-- ----------------------------------------------------------------------- specs

describe("the game in examples/love", function()
  it("shows a player in plain Lua and one in LÖVE to each other, interpolated", function()
    assert(os.execute "command -v love >/dev/null", "there is no love")
    local server, url = start_server()
    local spectator, states = spectate(url)
    local players = { start(headless:format(url, SECONDS)), start(love:format(url, SECONDS)) }
    local seen = {}
    for i, player in ipairs(players) do
      local result = player.result()
      assert.equal("0", result.code, result.text)
      local lines, id = lines_of(result.text)
      hear_past(states, lines[#lines].time)
      local count, width = measure(states, id, lines)
      assert.is_true(count >= 5, count .. " places between the published ones")
      assert.is_true(width > 50, "it moved by " .. width)
      seen[i] = id
    end
    assert.are_not.equal(seen[1], seen[2])
    await(states, function(places) return next(places) == nil end, "nobody to be left")
    spectator:close()
    assert.equal("0", server.result().code)
  end)

  it("keeps players on the field and closes on what is no position", function()
    local server, url = start_server()
    local spectator, states = spectate(url)
    local sock = assert(ws.connect(url))
    local id = sock:receive(5000):match "^you (%d+) 800 600$"
    sock:send "12.5 9999"
    local places = await(states, function(places) return places[id] end, "the player")
    assert.same({ [id] = { 12.5, 600 } }, places)
    sock:send "12.5 -1"
    local data, why, code
    repeat data, why, code = sock:receive(5000) until not data
    assert.same({ "closed", 4000 }, { why, code })
    spectator:close()
    assert.equal("0", server.result().code)
  end)

  it("ends with 1 and says why when there is no server", function()
    for _, command in ipairs { headless, love } do
      local result = start(command:format("ws://127.0.0.1:1/", 1)).result()
      assert.equal("1", result.code)
      assert.matches("refused", result.text)
    end
  end)
end)
