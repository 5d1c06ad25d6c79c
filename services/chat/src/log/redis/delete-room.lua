-- ARGV: publish command, expected version, 1 when the history is kept.
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[2] then return 0 end
redis.call('DEL', base .. 'members')
if ARGV[3] == '1' then
  redis.call('HDEL', KEYS[1], 'version', 'record', 'max', 'age')
else
  redis.call('DEL', KEYS[1], base .. 'texts', base .. 'notices', base .. 'keys', base .. 'keyq')
end
publish(ARGV[1], struct.pack('>Bd', 2, 0))
return 1
