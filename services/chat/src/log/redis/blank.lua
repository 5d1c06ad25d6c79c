-- Puts another entry in a text's place. ARGV: its id in the stream, its value before, its value from now on.
-- XDEL would only mark it: the bytes stay in the stream's node. So the stream is written anew, which takes some milliseconds
-- for 1,000 messages, and is rare.
local found = redis.call('XRANGE', base .. 'texts', ARGV[1], ARGV[1])[1]
if not found or found[2][2] ~= ARGV[2] then return 0 end
local entries = redis.call('XRANGE', base .. 'texts', '-', '+')
redis.call('DEL', base .. 'texts')
for _, entry in ipairs(entries) do
  redis.call('XADD', base .. 'texts', entry[1], 'm', entry[1] == ARGV[1] and ARGV[3] or entry[2][2])
end
return 1
