-- Takes members' streams on a pod away. ARGV: publish command, pod, seen epoch, seen sequence, new epoch, then for each member
-- his user id and his LEAVE, which is written when he has no stream on another pod. Answers {places of those who left, what
-- write answers}.
local members = base .. 'members'
local left = {}
local notices = {}
for at = 6, #ARGV, 2 do
  local held = redis.call('HGET', members, ARGV[at])
  local pods, username = string.match(held or '', '^([^\n]*)\n(.*)$')
  local others = {}
  local was = false
  for pod in string.gmatch(pods or '', '[^ ]+') do
    if pod == ARGV[2] then was = true else others[#others + 1] = pod end
  end
  if was and #others > 0 then
    redis.call('HSET', members, ARGV[at], table.concat(others, ' ') .. '\n' .. username)
  elseif was then
    redis.call('HDEL', members, ARGV[at])
    left[#left + 1] = (at - 6) / 2
    notices[#notices + 1] = ARGV[at + 1]
  end
end
if #left == 0 or not redis.call('HGET', KEYS[1], 'version') then return { left } end
return { left, write(table.concat(notices), ARGV[1], ARGV[3], tonumber(ARGV[4]), ARGV[5]) }
