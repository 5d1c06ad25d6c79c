-- How many texts come after a mark. ARGV: its epoch and sequence. The first of them knows its number: no counting.
expire()
local m = redis.call('HMGET', KEYS[1], 'epoch', 'texts')
if m[1] ~= ARGV[1] then return redis.call('XLEN', base .. 'texts') end
-- Lua writes a large number as 1e+15, which is no place in a stream.
local from = string.format('%.0f-0', tonumber(ARGV[2]) + 1)
local following = redis.call('XRANGE', base .. 'texts', from, '+', 'COUNT', 1)[1]
if not following then return 0 end
local _, _, nth = header(following)
return tonumber(m[2]) - nth + 1
