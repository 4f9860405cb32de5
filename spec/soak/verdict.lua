-- SPDX-License-Identifier: MIT
-- Judges a soak by what its server and its client have written.
--   verdict.lua SERVER CLIENT      Ends with "N passed, N failed".

local MOST_SLOPE = 2048 -- KiB a minute, in the second half

local passed, failed = 0, 0
local function check(holds, what)
  if holds then passed = passed + 1 else failed = failed + 1 print("soak: " .. what) end
end

local samples = {}
for line in io.lines(arg[1]) do
  local kib, fds, bad, live = line:match "^(%d+)%s+(%d+)%s+(%d+)%s+(%d+)$"
  if kib then
    samples[#samples + 1] = { kib = tonumber(kib), fds = tonumber(fds), bad = tonumber(bad),
      live = tonumber(live) }
  end
end
local client = {}
for line in io.lines(arg[2]) do client[#client + 1] = line end
local words = {}
for word in (client[1] or ""):gmatch "%d+" do words[#words + 1] = tonumber(word) end
local made, messages, bytes, mismatches, failures, peak = table.unpack(words)
if not peak or #samples < 4 then
  print "soak: no figures\n0 passed, 1 failed"
  os.exit(false)
end

-- Least squares over the second half, without the end, when all connections close.
local function slope()
  local first, last = #samples // 2, math.max(#samples - 5, #samples // 2 + 2)
  local n, x, y, xx, xy = 0, 0, 0, 0, 0
  for i = first, last do
    local kib = samples[i].kib
    n, x, y, xx, xy = n + 1, x + i, y + kib, xx + i * i, xy + i * kib
  end
  return 60 * (n * xy - x * y) / (n * xx - x * x)
end

local last = samples[#samples]
print(("connections made %d, at most %d at once; messages %d, bytes checked %d"):format(
  made, peak, messages, bytes))
print(("mismatches %d at the client, %d at the server; failures %d"):format(
  mismatches, last.bad, failures))
for i = 2, #client do print("  " .. client[i]) end -- why some failed
print(("server: %d KiB at the end, slope %.0f KiB a minute; descriptors %d, objects %d"):format(
  last.kib, slope(), last.fds, last.live))
check(made > 0 and messages > made, "next to nothing was exchanged")
check(mismatches == 0, "an echo differed")
check(last.bad == 0, "a message arrived changed")
check(failures == 0, "connections failed")
check(slope() <= MOST_SLOPE, "memory grows")
check(last.fds <= 24, "descriptors are left open")
check(last.live <= 500, "objects are left")
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
