-- What every script of a room begins with. KEYS[1] is the room's hash, `chat:{room}`; all its other keys have the same hash
-- tag, so that they are on the same node of a cluster:
--   :texts    stream of TEXT and SYSTEM messages, entry id <sequence>-0      :notices   stream of the others
--   :keys     hash of idempotency keys                                       :keyq      list of them, oldest first
--   :members  hash of user id to "<pod> <pod>\n<username>"
--   :rate:<sender>, :step:<pod>   strings with an expiry                     :live      the channel
-- Fields of the hash: record, version, max, age (of the record; absent when the room was deleted and its history kept),
-- epoch, head, ms, textMs, texts (how many ever), lastText, lastRemoved (their last sequences), trimmed (the highest sequence
-- of a TEXT, SYSTEM or REMOVED message that is not kept any more).
-- A stream entry has one field: timestamp, prev, nth as doubles, then what the pod has packed. In texts, prev is the sequence
-- of the text before and nth counts texts; in notices, prev is the sequence of the last REMOVED before. So a trim knows what
-- it has removed from the first entry that it left.
local base = KEYS[1] .. ':'
local keptNotices = 200
local keyLifeMs = 600000

local function clockMs()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function header(entry)
  return struct.unpack('>ddd', entry[2][2])
end

local function first(stream)
  return redis.call('XRANGE', base .. stream, '-', '+', 'COUNT', 1)[1]
end

-- Removes what is older than cutoffMs: times never go back within a room.
local function trimOlder(stream, cutoffMs)
  local removed = false
  while true do
    local entry = first(stream)
    if not entry or header(entry) >= cutoffMs then return removed end
    local some = redis.call('XRANGE', base .. stream, '-', '+', 'COUNT', 100)
    local minimum
    for _, candidate in ipairs(some) do
      if header(candidate) >= cutoffMs then break end
      minimum = tonumber(string.match(candidate[1], '^%d+')) + 1
    end
    redis.call('XTRIM', base .. stream, 'MINID', '=', minimum .. '-0')
    removed = true
  end
end

-- Removes what the room does not keep and remembers how far. max and ageMs are the record's.
local function trim(max, ageMs, nowMs)
  local texts = redis.call('XLEN', base .. 'texts') > max and redis.call('XTRIM', base .. 'texts', 'MAXLEN', '=', max) > 0
  local notices = redis.call('XLEN', base .. 'notices') > keptNotices
    and redis.call('XTRIM', base .. 'notices', 'MAXLEN', '=', keptNotices) > 0
  if ageMs > 0 then
    texts = trimOlder('texts', nowMs - ageMs) or texts
    notices = trimOlder('notices', nowMs - ageMs) or notices
  end
  if not texts and not notices then return end
  local known = redis.call('HMGET', KEYS[1], 'trimmed', 'lastText', 'lastRemoved')
  local trimmed = tonumber(known[1]) or 0
  local function gone(stream, last)
    local entry = first(stream)
    local before = tonumber(last) or 0
    if entry then
      local _, prev = header(entry)
      before = prev
    end
    if before > trimmed then trimmed = before end
  end
  if texts then gone('texts', known[2]) end
  if notices then gone('notices', known[3]) end
  redis.call('HSET', KEYS[1], 'trimmed', trimmed)
  -- Keys live the longer of 10 minutes and their message.
  while true do
    local oldest = redis.call('LINDEX', base .. 'keyq', 0)
    if not oldest then return end
    local sequence, ms, at = struct.unpack('>dd', oldest)
    if sequence > trimmed or ms > nowMs - keyLifeMs then return end
    redis.call('LPOP', base .. 'keyq')
    local field = string.sub(oldest, at)
    local held = redis.call('HGET', base .. 'keys', field)
    if held and struct.unpack('>d', held) == sequence then redis.call('HDEL', base .. 'keys', field) end
  end
end

-- Honours maxAge where nobody writes.
local function expire()
  local known = redis.call('HMGET', KEYS[1], 'max', 'age')
  local age = tonumber(known[2]) or 0
  if age > 0 then trim(tonumber(known[1]), age, clockMs()) end
end

local function publish(command, payload)
  redis.call(command, base .. 'live', payload)
end

-- Numbers and appends packed drafts, each: type, sender, idempotency key, content hash, rate per minute, burst, entry.
-- Answers {'done', epoch, timestamp, the first one's sequence, whether the epoch is new, {what was not appended}}, the last of
-- {place, 'd', id, sequence, timestamp}, {place, 'k'} (the key has another content) or {place, 'r', retry after ms}.
local function write(packed, publishCommand, seenEpoch, seen, newEpoch)
  local m = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'ms', 'texts', 'lastText', 'lastRemoved', 'max', 'age', 'trimmed')
  local epoch, head, ms = m[1], tonumber(m[2]), tonumber(m[3])
  local texts, lastText, lastRemoved, trimmed = tonumber(m[4]), tonumber(m[5]), tonumber(m[6]), tonumber(m[9])
  local now = math.max(clockMs(), ms)
  local isNew = 0
  -- A log that is behind what somebody has seen has lost its tail.
  if seenEpoch == epoch and head < seen then
    epoch = newEpoch
    isNew = 1
  end
  local start = head
  local others = {}
  local announced = {}
  local at, place, length = 1, 0, #packed
  local textsBefore = texts
  while at <= length do
    local kind, sender, key, hash, perMinute, burst, entryAt = struct.unpack('>BI2c0I2c0I1c0I4I4', packed, at)
    local entry, nextAt = struct.unpack('>I4c0', packed, entryAt)
    local field = #key > 0 and struct.pack('>I2', #sender) .. sender .. key
    local held = field and redis.call('HGET', base .. 'keys', field)
    local refused = false
    if held then
      local sequence, keptMs, heldHash, id = struct.unpack('>ddI1c0I1c0', held)
      if sequence > trimmed or keptMs > now - keyLifeMs then
        refused = true
        others[#others + 1] = heldHash == hash and { place, 'd', id, sequence, keptMs } or { place, 'k' }
      end
    end
    if not refused and perMinute > 0 then
      -- GCRA: one number per sender, the time by which all that he sent is due.
      local spacing = 60000 / perMinute
      local rate = base .. 'rate:' .. sender
      local arrival = math.max(tonumber(redis.call('GET', rate) or 0), now) + spacing
      local over = arrival - now - spacing * math.max(burst, 1)
      if over > 0.001 then
        refused = true
        others[#others + 1] = { place, 'r', math.ceil(over) }
      else
        redis.call('SET', rate, string.format('%.3f', arrival), 'PX', math.ceil(arrival - now) + 1)
      end
    end
    if not refused then
      head = head + 1
      if kind == 1 or kind == 4 then
        texts = texts + 1
        redis.call('XADD', base .. 'texts', head .. '-0', 'm', struct.pack('>ddd', now, lastText, texts) .. entry)
        lastText = head
      else
        redis.call('XADD', base .. 'notices', head .. '-0', 'm', struct.pack('>ddd', now, lastRemoved, 0) .. entry)
        if kind == 5 then lastRemoved = head end
      end
      if field then
        local idLength = string.byte(entry, 2)
        local id = string.sub(entry, 5, 4 + idLength)
        redis.call('HSET', base .. 'keys', field, struct.pack('>ddI1c0I1c0', head, now, #hash, hash, idLength, id))
        redis.call('RPUSH', base .. 'keyq', struct.pack('>dd', head, now) .. field)
      end
      announced[#announced + 1] = string.sub(packed, entryAt, nextAt - 1)
    end
    at = nextAt
    place = place + 1
  end
  if head > start or isNew == 1 then
    redis.call('HSET', KEYS[1], 'epoch', epoch, 'head', head, 'ms', now, 'texts', texts, 'lastText', lastText,
      'lastRemoved', lastRemoved)
    if texts > textsBefore then redis.call('HSET', KEYS[1], 'textMs', now) end
    trim(tonumber(m[7]), tonumber(m[8]), now)
    publish(publishCommand, struct.pack('>BddI1c0', 1, start + 1, now, #epoch, epoch) .. table.concat(announced))
  end
  return { 'done', epoch, now, start + 1, isNew, others }
end
