-- SPDX-License-Identifier: MIT
-- `luarocks test`: runs the Lua suite against the ws on Lua's paths (see `luarocks
-- path`), in the interpreter that luarocks serves. Adapters are left out, as the
-- rock does not bring what they need. Needs busted and LuaSocket, however they were
-- installed.

local function needs(name, hint)
  local ok, why = pcall(require, name)
  if ok then return end
  io.stderr:write(("%s is not there: %s\n%s\n"):format(name, hint, tostring(why)))
  os.exit(1)
end

needs("busted", "luarocks install busted, or Debian's lua-busted")
needs("socket", "luarocks install luasocket, or Debian's lua-socket")
needs("ws.core", 'luarocks make, and then eval "$(luarocks path)"')

local certificates = io.open "build/certs/made-by-certs.sh"
if certificates then
  certificates:close()
else
  local made = os.execute "sh spec/certs.sh build/certs >/dev/null 2>&1"
  if made ~= true and made ~= 0 then
    io.stderr:write "spec/certs.sh cannot make the certificates: is openssl there?\n"
    os.exit(1)
  end
end

local flags = { "--no-recursive", "--pattern=_spec" }
if not arg[1] then flags = { flags[1], flags[2], "spec/lua", "spec/ws" } end
for i, flag in ipairs(flags) do table.insert(arg, i, flag) end
require "busted.runner" { standalone = false }
