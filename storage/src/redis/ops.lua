-- Does many operations in one step, each as if alone. How they are laid out stands in batch.rs: KEYS
-- are those of the slots' epochs, then of the simple operations' records, then of the others.
-- ARGV[1] has all that has a fixed length; what is behind it, by the operations in their order.
--
-- Whole numbers that have eight bytes (E-tags, epochs) are compared as bytes: as Lua's numbers they
-- would be rounded.
local call, try = redis.call, redis.pcall
local byte, sub = string.byte, string.sub
local head, place = ARGV[1], 5
local LOAD, ABSENT, TAG = 76, 45, 61
-- In the E-tag's place: a record that is not there any more.
local GONE = '\0\0\0\0\0\0\0\0'
-- Of what precedes a value: the E-tag, and who wrote it.
local HEADER = 24

-- Of each operation: what became of it in one letter, and what there is to say if there is.
local states, answers, count = {}, {}, 0

-- Whether `one` has the larger number in these bytes, the highest first.
local function is_later(one, other, from, to)
  for i = from, to do
    local a, b = byte(one, i), byte(other, i)
    if a ~= b then return a > b end
  end
  return false
end

-- Whether the client of the write `token` has written since. Tokens are the client's eight bytes
-- and then the write's.
local function is_overtaken(token, newest)
  return newest and sub(newest, 1, 8) == sub(token, 1, 8) and is_later(newest, token, 9, 16)
end

-- E-tags never come back, so a write that names one comes too late by itself.
local function holds(mode, expected, etag, token, newest)
  if mode == TAG then return expected == etag end
  if mode == ABSENT and etag then return false end
  return not is_overtaken(token, newest)
end

-- The E-tag of what `header` begins, if it is there, and who wrote it or removed it.
local function parts(header)
  if not header or #header < HEADER then return nil, nil end
  local etag = sub(header, 1, 8)
  if etag == GONE then etag = nil end
  return etag, sub(header, 9, HEADER)
end

-- What becomes of a save of `record` where `found` is, and what there is to say: 'w' if it is to be
-- written.
local function save(found, mode, expected, record, late)
  local etag, newest = parts(found)
  local token = sub(record, 9, HEADER)
  if etag and newest == token then return 'v', etag end
  if late then return late[1], late[2] end
  if holds(mode, expected, etag, token, newest) then return 'w' end
  return 'c', etag or ''
end

local fences, simple
do
  local a, b, c, d = byte(head, 1, 4)
  fences, simple = a * 256 + b, c * 256 + d
end
local found = {}
if fences + simple > 0 then found = call('MGET', unpack(KEYS, 1, fences + simple)) end

-- Why those that name a slot's epoch are shut out, if they are; the slot's highest is raised
-- otherwise.
local late, raised = {}, {}
for i = 1, fences do
  local slot, epoch = KEYS[i], sub(head, place, place + 7)
  place = place + 8
  local highest = raised[slot] or found[i]
  if highest ~= epoch then
    if highest and #highest == 8 and is_later(highest, epoch, 1, 8) then
      late[i] = {'f', highest}
    else
      local done = try('SET', slot, epoch)
      if done.err then late[i] = {'e', done.err} else raised[slot] = epoch end
    end
  end
end

-- Loads, and saves whose record is looked at as a whole: all are read at once, and written at once.
local writes, a = {}, 2
for i = 1, simple do
  local code, mode, high, low = byte(head, place, place + 3)
  local old, shut = found[fences + i], late[high * 256 + low]
  if code == LOAD then
    if shut then
      states[i], answers[i] = shut[1], shut[2]
    elseif old and sub(old, 1, 8) ~= GONE then
      states[i], answers[i] = 'v', old
    else
      states[i] = 'k'
    end
  else
    local record, expected, state = ARGV[a], sub(head, place + 4, place + 11), 'w'
    a = a + 1
    local is_plain = not shut and (old and mode == TAG and sub(old, 1, 8) == expected
      or not old and mode == ABSENT)
    if not is_plain then state, answers[i] = save(old, mode, expected, record, shut) end
    if state == 'w' then
      writes[#writes + 1] = KEYS[fences + i]
      writes[#writes + 1] = record
    end
    states[i] = state
  end
  place = place + 12
end
if #writes > 0 then
  local done = try('MSET', unpack(writes))
  if done.err then
    for i = 1, simple do
      if states[i] == 'w' then states[i], answers[i] = 'e', done.err end
    end
  end
end
count = simple

-- One letter of each operation, and what there is to say of those that have it.
local function told()
  local out = {table.concat(states)}
  for i = 1, count do
    if answers[i] then out[#out + 1] = answers[i] end
  end
  return out
end

if place > #head then return told() end

local ops = {}

function ops.P() return 'k' end

-- A save whose record may be large, so that no more of it is read than has to be.
function ops.S(k, a, mode, expected, shut)
  local record = ARGV[a]
  local state, answer = save(call('GETRANGE', KEYS[k], 0, HEADER - 1), mode, expected, record, shut)
  if state == 'w' then call('SET', KEYS[k], record) end
  return state, answer
end

-- What is left of a record names who removed it, for as long as that may be asked again, and
-- keeps out what comes too late.
function ops.C(k, a, mode, expected, shut)
  local token = ARGV[a]
  local etag, newest = parts(call('GETRANGE', KEYS[k], 0, HEADER - 1))
  if not etag and newest == token then return 'k' end
  if shut then return shut[1], shut[2] end
  if not holds(mode, expected, etag, token, newest) then return 'c', etag or '' end
  call('SET', KEYS[k], GONE .. token, 'PX', ARGV[a + 1])
  return 'k'
end

-- A journal's length.
function ops.N(k, _, _, _, shut)
  if shut then return shut[1], shut[2] end
  return 'v', call('HGET', KEYS[k], 'n') or '0'
end

-- Appends.
function ops.A(k, a, _, _, shut)
  local record, after, token = KEYS[k], ARGV[a], ARGV[a + 1]
  local known = call('HMGET', record, 'n', 't')
  local len = known[1] or '0'
  if known[2] == token then return 'v', len end
  if shut then return shut[1], shut[2] end
  if len ~= after then return 'b', len end
  local count = tonumber(ARGV[a + 2])
  if count == 0 then return 'v', len end
  local number, fields = tonumber(len), {}
  for i = 1, count do
    fields[#fields + 1] = number + i
    fields[#fields + 1] = ARGV[a + 2 + i]
    -- As many as Lua's stack takes.
    if #fields == 2000 or i == count then
      call('HSET', record, unpack(fields))
      fields = {}
    end
  end
  call('HSET', record, 'n', number + count, 't', token)
  return 'v', tostring(call('HGET', record, 'n'))
end

-- A journal's events.
function ops.E(k, a)
  local record, from = KEYS[k], tonumber(ARGV[a])
  local len = tonumber(call('HGET', record, 'n') or '0')
  local last = math.min(len, from + tonumber(ARGV[a + 1]) - 1)
  local left, out = tonumber(ARGV[a + 2]), {}
  for number = from, last do
    local event = call('HGET', record, number)
    if not event then return 'd', 'event ' .. number .. ' of ' .. len .. ' is missing' end
    left = left - #event
    if left < 0 and #out > 0 then break end
    out[#out + 1] = event
  end
  return 'v', out
end

-- A reminder.
function ops.R(k, _, _, _, shut)
  if shut then return shut[1], shut[2] end
  local known = call('HMGET', KEYS[k], 'e', 'd', 'p', 'c')
  if not known[1] then return 'k' end
  return 'v', known
end

-- Sets a reminder, or takes it back.
function ops.W(k, a, mode, expected, shut)
  local record, order, token, new = KEYS[k], KEYS[k + 1], ARGV[a], ARGV[a + 1]
  local known = call('HMGET', record, 'e', 't')
  local etag, newest = known[1], known[2]
  local removes = new == ''
  if newest == token then
    if removes and not etag then return 'k' end
    if etag and not removes then return 'v', etag end
  end
  if shut then return shut[1], shut[2] end
  if not holds(mode, expected, etag, token, newest) then return 'c', etag or '' end
  local keep, member = ARGV[a + 2], ARGV[a + 3]
  if removes then
    call('ZREM', order, member)
    call('DEL', record)
    call('HSET', record, 't', token)
    call('PEXPIRE', record, keep)
    return 'k'
  end
  call('ZADD', order, ARGV[a + 4], member)
  call('HSET', record, 'e', new, 't', token,
    'd', ARGV[a + 5], 'p', ARGV[a + 6], 'c', ARGV[a + 7])
  if newest and not etag then call('PERSIST', record) end
  return 'v', new
end

-- What is due: from the last one seen on; where it is gone, from those due when it was.
function ops.D(k, a)
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
  local out, due = {'end', ''}, 0
  for i = 1, #page, 2 do
    if tonumber(page[i + 1]) > limit then
      out[2] = page[i + 1]
      break
    end
    if due == most then
      out[1] = 'more'
      break
    end
    due = due + 1
    local known = call('HMGET', records .. page[i], 'e', 'd', 'p', 'c')
    out[#out + 1] = {page[i], page[i + 1],
      known[1] or '', known[2] or '', known[3] or '', known[4] or ''}
  end
  return 'v', out
end

local k = fences + simple + 1
while place <= #head do
  local code, mode, high, low = byte(head, place, place + 3)
  local expected = sub(head, place + 4, place + 11)
  local keys, b, c = byte(head, place + 12, place + 14)
  place = place + 15
  count = count + 1
  local done, state, answer = pcall(ops[string.char(code)], k, a, mode, expected,
    late[high * 256 + low])
  if not done then
    if type(state) == 'table' then state = state.err end
    state, answer = 'e', tostring(state)
  end
  states[count], answers[count] = state, answer
  k, a = k + keys, a + b * 256 + c
end
return told()
