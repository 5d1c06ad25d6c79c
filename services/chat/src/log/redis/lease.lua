-- A pod's lease. KEYS: leases (pod to its end), streams (pod to how many). ARGV: begin or extend, pod, ms, streams.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[1] == 'extend' and tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or 0) <= now then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
return 1
