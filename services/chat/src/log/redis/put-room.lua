-- Writes the record if its version is the expected one. ARGV: publish command, expected, record, max, age in ms, new epoch,
-- write (one that comes twice was sent again because its answer was lost), the record's new version.
-- Answers {1}, or {0, the record that is there}.
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if redis.call('HGET', KEYS[1], 'put') == ARGV[7] then return { 1 } end
if version ~= ARGV[2] then return { 0, redis.call('HGET', KEYS[1], 'record') or '' } end
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[6]) == 1 then
  redis.call('HSET', KEYS[1], 'head', 0, 'ms', 0, 'texts', 0, 'lastText', 0, 'lastRemoved', 0, 'trimmed', 0)
end
redis.call('HSET', KEYS[1], 'version', ARGV[8], 'record', ARGV[3], 'max', ARGV[4], 'age', ARGV[5],
  'put', ARGV[7])
trim(tonumber(ARGV[4]), tonumber(ARGV[5]), clockMs())
publish(ARGV[1], struct.pack('>Bd', 2, tonumber(ARGV[8])))
return { 1 }
