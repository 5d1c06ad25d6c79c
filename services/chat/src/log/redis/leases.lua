-- KEYS as in lease.lua. Answers {pods whose lease has ended, pods and their streams}.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local living = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
local streams = {}
for _, pod in ipairs(living) do
  streams[#streams + 1] = pod
  streams[#streams + 1] = redis.call('HGET', KEYS[2], pod) or '0'
end
return { redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now), streams }
