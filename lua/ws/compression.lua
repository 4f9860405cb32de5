-- SPDX-License-Identifier: MIT
-- The `compression` option: permessage-deflate, RFC 7692.

local options = require "ws.options"

local function window(value)
  return type(value) == "number" and value % 1 == 0 and value >= 8 and value <= 15,
    "a whole number from 8 to 15"
end

local schema = {
  serverNoContextTakeover = "boolean",
  clientNoContextTakeover = "boolean",
  serverMaxWindowBits = window,
  clientMaxWindowBits = function(value)
    if value == true then return true end -- the server may choose
    return window(value)
  end,
  level = function(value)
    return type(value) == "number" and value % 1 == 0 and value >= 0 and value <= 9,
      "a whole number from 0 to 9"
  end,
  threshold = "size",
}

--- The value of ws.core's `deflate`: nil for off, else a table.
---@param given nil|boolean|ws.Compression
---@param default boolean used when `given` is nil
return function(given, default, level)
  if given == nil then given = default end
  if given == false then return nil end
  if given == true then return {} end
  local checked = options.check(given, schema, level + 1, "compression")
  if checked.clientMaxWindowBits == true then checked.clientMaxWindowBits = nil end
  return checked
end
