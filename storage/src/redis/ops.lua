-- Does many operations in one step, each as if alone. ARGV has, for each: its name, how many of
-- KEYS are its own, how many of ARGV, and those. The answers come in the same order.
local call = redis.call
local ops = {}

local function is_later(one, other)
  if #one ~= #other then return #one > #other end
  return one > other
end

-- The highest epoch of the slot, if it shuts this one out; raises it otherwise.
local function fenced(meta, slot, epoch)
  local field = 'f' .. slot
  local highest = call('HGET', meta, field)
  if highest == epoch then return nil end
  if highest and is_later(highest, epoch) then return highest end
  call('HSET', meta, field, epoch)
  return nil
end

-- Whether the client of the write `token` has written since. Tokens are the client's eight bytes
-- and then the write's, the highest first.
local function is_overtaken(token, newest)
  if not newest or newest:sub(1, 8) ~= token:sub(1, 8) then return false end
  for i = 9, 16 do
    local own, other = token:byte(i), newest:byte(i)
    if own ~= other then return own < other end
  end
  return false
end

-- E-tags never come back, so a write that names one comes too late by itself.
local function holds(expected, etag, token, newest)
  if expected == '*' or (expected == '-' and not etag) then
    return not is_overtaken(token, newest)
  end
  return expected == etag
end

-- What is left of a record names who removed it, for as long as that may be asked again, and
-- keeps out what comes too late.
local function remove(record, token, keep)
  call('DEL', record)
  call('HSET', record, 't', token)
  call('PEXPIRE', record, keep)
end

function ops.ping() return {'ok'} end

function ops.load(k, a)
  local late = fenced(KEYS[k], ARGV[a], ARGV[a + 1])
  if late then return {'fenced', late} end
  local found = call('HMGET', KEYS[k + 1], 'e', 'v')
  if not found[1] then return {'ok'} end
  return {'ok', found[1], found[2]}
end

function ops.save(k, a)
  local meta, record, token = KEYS[k], KEYS[k + 1], ARGV[a + 3]
  local found = call('HMGET', record, 'e', 't')
  local etag = found[1]
  if etag and found[2] == token then return {'ok', etag} end
  local late = fenced(meta, ARGV[a], ARGV[a + 1])
  if late then return {'fenced', late} end
  if not holds(ARGV[a + 2], etag, token, found[2]) then return {'conflict', etag or ''} end
  local new = call('HINCRBY', meta, 'n', 1)
  call('HSET', record, 'e', new, 't', token, 'v', ARGV[a + 4])
  if found[2] and not etag then call('PERSIST', record) end
  return {'ok', new}
end

function ops.clear(k, a)
  local meta, record, token = KEYS[k], KEYS[k + 1], ARGV[a + 3]
  local found = call('HMGET', record, 'e', 't')
  local etag = found[1]
  if not etag and found[2] == token then return {'ok'} end
  local late = fenced(meta, ARGV[a], ARGV[a + 1])
  if late then return {'fenced', late} end
  if not holds(ARGV[a + 2], etag, token, found[2]) then return {'conflict', etag or ''} end
  remove(record, token, ARGV[a + 4])
  return {'ok'}
end

function ops.len(k, a)
  local late = fenced(KEYS[k], ARGV[a], ARGV[a + 1])
  if late then return {'fenced', late} end
  return {'ok', call('HGET', KEYS[k + 1], 'n') or '0'}
end

function ops.append(k, a)
  local meta, record, token = KEYS[k], KEYS[k + 1], ARGV[a + 3]
  local found = call('HMGET', record, 'n', 't')
  local len = found[1] or '0'
  if found[2] == token then return {'ok', len} end
  local late = fenced(meta, ARGV[a], ARGV[a + 1])
  if late then return {'fenced', late} end
  if len ~= ARGV[a + 2] then return {'behind', len} end
  local count = tonumber(ARGV[a + 4])
  if count == 0 then return {'ok', len} end
  local number, fields = tonumber(len), {}
  for i = 1, count do
    fields[#fields + 1] = number + i
    fields[#fields + 1] = ARGV[a + 4 + i]
    -- As many as Lua's stack takes.
    if #fields == 2000 or i == count then
      call('HSET', record, unpack(fields))
      fields = {}
    end
  end
  call('HSET', record, 'n', number + count, 't', token)
  return {'ok', tostring(call('HGET', record, 'n'))}
end

function ops.events(k, a)
  local record, from = KEYS[k], tonumber(ARGV[a])
  local len = tonumber(call('HGET', record, 'n') or '0')
  local last = math.min(len, from + tonumber(ARGV[a + 1]) - 1)
  local left, out = tonumber(ARGV[a + 2]), {'ok'}
  for number = from, last do
    local event = call('HGET', record, number)
    if not event then return {'damaged', 'event ' .. number .. ' of ' .. len .. ' is missing'} end
    left = left - #event
    if left < 0 and #out > 1 then break end
    out[#out + 1] = event
  end
  return out
end

function ops.reminder(k, a)
  local late = fenced(KEYS[k], ARGV[a], ARGV[a + 1])
  if late then return {'fenced', late} end
  local found = call('HMGET', KEYS[k + 1], 'e', 'd', 'p', 'c')
  if not found[1] then return {'ok'} end
  return {'ok', found[1], found[2], found[3], found[4]}
end

function ops.remind(k, a)
  local meta, record, order, token = KEYS[k], KEYS[k + 1], KEYS[k + 2], ARGV[a + 3]
  local found = call('HMGET', record, 'e', 't')
  local etag = found[1]
  local removes = ARGV[a + 6] == ''
  if found[2] == token then
    if removes and not etag then return {'ok'} end
    if etag and not removes then return {'ok', etag} end
  end
  local late = fenced(meta, ARGV[a], ARGV[a + 1])
  if late then return {'fenced', late} end
  if not holds(ARGV[a + 2], etag, token, found[2]) then return {'conflict', etag or ''} end
  local member = ARGV[a + 5]
  if removes then
    call('ZREM', order, member)
    remove(record, token, ARGV[a + 4])
    return {'ok'}
  end
  call('ZADD', order, ARGV[a + 6], member)
  local new = call('HINCRBY', meta, 'n', 1)
  call('HSET', record, 'e', new, 't', token,
    'd', ARGV[a + 7], 'p', ARGV[a + 8], 'c', ARGV[a + 9])
  if found[2] and not etag then call('PERSIST', record) end
  return {'ok', new}
end

-- From the last one seen on; where it is gone, from those due when it was.
function ops.due(k, a)
  local order, records = KEYS[k], ARGV[a]
  local score, member = ARGV[a + 1], ARGV[a + 2]
  local limit, most = tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local start = 0
  if score ~= '' then
    if call('ZSCORE', order, member) == score then
      start = call('ZRANK', order, member) + 1
    else
      start = call('ZCOUNT', order, '-inf', '(' .. score)
    end
  end
  local page = call('ZRANGE', order, start, start + most, 'WITHSCORES')
  local out, due = {'ok', 'end', ''}, 0
  for i = 1, #page, 2 do
    if tonumber(page[i + 1]) > limit then
      out[3] = page[i + 1]
      break
    end
    if due == most then
      out[2] = 'more'
      break
    end
    due = due + 1
    local found = call('HMGET', records .. page[i], 'e', 'd', 'p', 'c')
    out[#out + 1] = {page[i], page[i + 1],
      found[1] or '', found[2] or '', found[3] or '', found[4] or ''}
  end
  return out
end

local out, k, a = {}, 1, 1
while a <= #ARGV do
  local own_keys, own_args = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local done, answer = pcall(ops[ARGV[a]], k, a + 3)
  if not done then
    if type(answer) == 'table' then answer = answer.err end
    answer = {'error', tostring(answer)}
  end
  out[#out + 1] = answer
  k, a = k + own_keys, a + 3 + own_args
end
return out
