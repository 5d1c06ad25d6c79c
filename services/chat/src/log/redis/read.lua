-- ARGV: 'after', epoch, sequence, limit; or 'tail', how many texts. Answers {epoch, head, lost, texts,
-- notices, trimmed}.
expire()
local m = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'trimmed')
if not m[1] then return {} end
local head = tonumber(m[2])
local after, count, lost = 0, 1000000, ''
if ARGV[1] == 'after' then
  after = tonumber(ARGV[3])
  count = tonumber(ARGV[4]) + 1
  if ARGV[2] ~= m[1] or after > head then
    lost = 'EPOCH_CHANGED'
    after = 0
  elseif after < tonumber(m[3]) then
    lost = 'TRIMMED'
  end
else
  local wanted = tonumber(ARGV[2])
  if wanted <= 0 then return { m[1], head, lost, {}, {}, tonumber(m[3]) } end
  if redis.call('XLEN', base .. 'texts') > wanted then
    local texts = redis.call('XREVRANGE', base .. 'texts', '+', '-', 'COUNT', wanted)
    after = tonumber(string.match(texts[wanted][1], '^%d+')) - 1
  end
end
local from = (after + 1) .. '-0'
return {
  m[1], head, lost,
  redis.call('XRANGE', base .. 'texts', from, '+', 'COUNT', count),
  redis.call('XRANGE', base .. 'notices', from, '+', 'COUNT', count),
  tonumber(m[3]),
}
