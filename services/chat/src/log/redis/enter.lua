-- A member's stream on a pod. ARGV: publish command, pod, user id, username, capacity (-1: any number), his JOIN, seen epoch,
-- seen sequence, new epoch.
if not redis.call('HGET', KEYS[1], 'version') then return { 'no-room' } end
local members = base .. 'members'
local held = redis.call('HGET', members, ARGV[3])
if held then
  local pods, username = string.match(held, '^([^\n]*)\n(.*)$')
  if not string.find(' ' .. pods .. ' ', ' ' .. ARGV[2] .. ' ', 1, true) then
    redis.call('HSET', members, ARGV[3], pods .. ' ' .. ARGV[2] .. '\n' .. username)
  end
  return { 'present' }
end
local capacity = tonumber(ARGV[5])
if capacity >= 0 and redis.call('HLEN', members) >= capacity then return { 'full' } end
redis.call('HSET', members, ARGV[3], ARGV[2] .. '\n' .. ARGV[4])
return write(ARGV[6], ARGV[1], ARGV[7], tonumber(ARGV[8]), ARGV[9])
