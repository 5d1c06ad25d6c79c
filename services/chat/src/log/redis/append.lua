-- One step of a room. ARGV: publish command, version of the record, seen epoch, seen sequence, new epoch, pod, step, drafts.
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return { 'no-room' } end
if version ~= ARGV[2] then return { 'stale', redis.call('HGET', KEYS[1], 'record') } end
-- A pod has one step of a room under way; one that comes twice was sent again because its answer was lost.
local step = redis.call('SET', base .. 'step:' .. ARGV[6], ARGV[7], 'EX', 60, 'GET')
if step == ARGV[7] then return { 'repeated' } end
return write(ARGV[8], ARGV[1], ARGV[3], tonumber(ARGV[4]), ARGV[5])
