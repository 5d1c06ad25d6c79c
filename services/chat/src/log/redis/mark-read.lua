-- Moves a member's mark, never back within an epoch: his devices tell in any order. ARGV: room id, epoch, sequence.
local held = redis.call('HGET', KEYS[1], ARGV[1])
local epoch, sequence = string.match(held or '', '^(.*)%-(%d+)$')
if epoch == ARGV[2] and tonumber(sequence) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '-' .. ARGV[3])
return 1
