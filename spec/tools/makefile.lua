-- SPDX-License-Identifier: MIT
-- Checks the Makefile by what it would do (make -n): builds do not mix, what is
-- missing is made again, and `make help` lists every target that a README mentions.
-- Builds nothing. Ends with "N passed, N failed".

package.path = "spec/tools/?.lua;" .. package.path
local steps = require "steps"
local check, output, run = steps.check, steps.output, steps.run

local folder = "build/makefile"
local make = "env -u MAKEFLAGS make" -- not with the flags of the make that runs this
run("an empty folder", ("rm -rf %s && mkdir -p %s/bin"):format(folder, folder))

-- ---------------------------------------------------------------- tls=none

-- A pkg-config that finds everything but OpenSSL.
local found = steps.lines "command -v pkg-config"[1]
local script = assert(io.open(folder .. "/bin/pkg-config", "w"))
script:write(('#!/bin/sh\ncase " $* " in *" openssl "*) exit 1 ;; esac\nexec %s "$@"\n')
  :format(found))
script:close()
local bare = ('chmod +x %s/bin/pkg-config; PATH="$PWD/%s/bin:$PATH" %s -n -B '):format(folder,
  folder, make)

local said = run("a build without OpenSSL", bare .. "tls=none")
check("it links zlib", said:find "%-lz", said)
check("it asks for no OpenSSL", not said:find "%-lssl", said)
check("what it is made of lies beside the other build",
  said:find "%-plain/obj/" and not said:find "/lua5%.4/obj/", said)
local ok
said, ok = output(bare)
check("a build with OpenSSL fails where there is none", not ok, said)
check("it says what was asked for", said:find "pkg%-config .*openssl", said)

-- ----------------------------------------------------- what is missing

local here = make .. " -s build=" .. folder .. " "
run("folders", ("for floor in csrc/*/; do mkdir -p %s/obj/${floor#csrc/}; done"):format(folder))
run("a folder", ("mkdir -p %s/ws"):format(folder))
run("all is there", here .. "-t")
check("there is nothing to do", run("make", here .. "-n") == "")
run("an object goes", ("rm %s/obj/bytes/slice.o"):format(folder))
said = run("make", here .. "-n")
check("the object is made again", said:find "csrc/bytes/slice%.c", said)
check("and what it is part of", said:find("-o " .. folder .. "/ws/core.so", 1, true), said)

-- ------------------------------------------------------------------ help

local help = run("make help", make .. " -s help")
check("it shows what to type", help:find('eval "$(make -s env)"', 1, true), help)
for _, path in ipairs { "README.md", "csrc/README.md" } do
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  for name, after in text:gmatch "[`\n]make%s+(%l[%l-]*)(.)" do
    if not after:find "[_=/]" then
      check(("help tells of make %s, as %s does"):format(name, path),
        help:find("make " .. name .. " ", 1, true), help)
    end
  end
end

run("nothing is left", "rm -rf " .. folder)
steps.finish()
