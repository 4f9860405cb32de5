-- SPDX-License-Identifier: MIT
std = "min"
max_line_length = 100
files["spec"] = { std = "+busted+lua54" }
files["spec/layers.lua"] = { std = "lua54" }
files["spec/tools"] = { std = "lua54" }
files["examples"] = { std = "lua54" }
files["examples/love"] = { std = "+love" }
