-- SPDX-License-Identifier: MIT
-- Turns address literals into lists of bits, for ranges like 10.0.0.0/8 (RFC 4632)
-- and fd00::/8 (RFC 4291 section 2.3).

local addresses = {}

local function add_bits(bits, value, count)
  for i = count - 1, 0, -1 do
    bits[#bits + 1] = math.floor(value / 2 ^ i) % 2
  end
end

local function v4(text)
  local bits = {}
  local a, b, c, d = text:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$"
  if not a then return nil end
  for _, part in ipairs { a, b, c, d } do
    local value = tonumber(part)
    if value > 255 then return nil end
    add_bits(bits, value, 8)
  end
  return bits
end

local function groups_of(text)
  local groups = {}
  if text == "" then return groups end
  for group in (text .. ":"):gmatch "([^:]*):" do
    if not group:match "^%x%x?%x?%x?$" then return nil end
    groups[#groups + 1] = tonumber(group, 16)
  end
  return groups
end

local function v6(text)
  if not text:find(":", 1, true) then return nil end
  local before, after = text:match "^(.-)::(.*)$"
  local head = groups_of(before or text)
  local tail = groups_of(after or "")
  if not head or not tail then return nil end
  local missing = 8 - #head - #tail
  if (before and missing < 1) or (not before and missing ~= 0) then return nil end
  local bits = {}
  for _, group in ipairs(head) do add_bits(bits, group, 16) end
  for _ = 1, missing do add_bits(bits, 0, 16) end
  for _, group in ipairs(tail) do add_bits(bits, group, 16) end
  return bits
end

--- The bits of an IPv4 (32) or IPv6 (128) literal without brackets; nil for
--- anything else.
function addresses.bits(text)
  return v4(text) or v6(text)
end

--- True when the address lies in the range "address/length", or is the
--- address `range`.
function addresses.within(text, range)
  local base, length = range:match "^(.-)/(%d+)$"
  local ours, theirs = addresses.bits(text), addresses.bits(base or range)
  if not ours or not theirs or #ours ~= #theirs then return false end
  local count = length and tonumber(length) or #theirs
  if count > #theirs then return false end
  for i = 1, count do
    if ours[i] ~= theirs[i] then return false end
  end
  return true
end

return addresses
