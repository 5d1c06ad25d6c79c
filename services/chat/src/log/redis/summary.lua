-- Answers {record, epoch, head, members, messages, time of the last message}, or {} for no room.
expire()
local m = redis.call('HMGET', KEYS[1], 'record', 'epoch', 'head', 'textMs')
if not m[1] then return {} end
return { m[1], m[2], m[3], redis.call('HLEN', base .. 'members'), redis.call('XLEN', base .. 'texts'), m[4] or '' }
