-- prelude.lua: stands before every script of the ledger.
--
-- KEYS[1]  enroll:{p}:token:<id>    the token's record (hash)
-- KEYS[2]  enroll:{p}:live          ids by expiry (sorted set)
-- KEYS[3]  enroll:{p}:events        the audit events (stream)
-- KEYS[4]  enroll:{p}:meta          epoch, seq (hash)
--
-- ARGV[1]  operation id: 32 hex digits
-- ARGV[2]  the token's id: 32 hex digits
-- ARGV[3]  the client's address, for the events
-- ARGV[4]  how long a record is kept after its end, in ms
-- ARGV[5]  how long events are kept, in ms; 0: for ever
--
-- Reply of every script: { verdict, now, record, events }
--   verdict  'ok', or why not, in the words of core/ngx_enroll_reason.h
--   now      the server's time in ms
--   record   the record after the call, as HGETALL gives it
--   events   what was appended to the stream, each a flat field list

local RECORD, LIVE, EVENTS, META = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local OP, ID, CLIENT = ARGV[1], ARGV[2], ARGV[3]
local RETAIN, EVENTS_RETAIN = tonumber(ARGV[4]), tonumber(ARGV[5])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told = {}

-- Lua would write large numbers as 1.7e+12
local function decimal(n)
    return string.format('%.0f', n)
end

local function load(key)
    local flat, record = redis.call('HGETALL', key), {}
    for i = 1, #flat, 2 do
        record[flat[i]] = flat[i + 1]
    end
    return record
end

-- Appends one event; fields is a flat list that follows the common ones.
local function tell(event, id, record, fields)
    local seq = redis.call('HINCRBY', META, 'seq', 1)
    redis.call('HSETNX', META, 'epoch', '1')
    local entry = {
        'seq', decimal(seq), 'at', decimal(now), 'event', event, 'id', id,
        'subject', record.subject, 'class', record.class,
        'issuer', record.issuer, 'joiner', record.event,
        'op', OP, 'client', CLIENT
    }
    for i = 1, #fields do
        entry[#entry + 1] = fields[i]
    end
    if EVENTS_RETAIN > 0 then
        redis.call('XADD', EVENTS, 'MINID', '~',
                   decimal(math.max(now - EVENTS_RETAIN, 0)), '*',
                   unpack(entry))
    else
        redis.call('XADD', EVENTS, '*', unpack(entry))
    end
    told[#told + 1] = entry
end

-- Writes fields (a flat list) into a record, its end's horizon with them.
local function write(key, record, fields)
    redis.call('HSET', key, unpack(fields))
    for i = 1, #fields, 2 do
        record[fields[i]] = fields[i + 1]
    end
    local last = math.max(tonumber(record.expires_at),
                          tonumber(record.session_ends_at or '0'), now)
    redis.call('PEXPIREAT', key, decimal(last + RETAIN))
end

-- One state change: the record and its event, together (I7).
local function change(event, record, to, fields, extra)
    local from = record.state
    fields[#fields + 1] = 'state'
    fields[#fields + 1] = to
    fields[#fields + 1] = 'op'
    fields[#fields + 1] = OP
    write(RECORD, record, fields)
    local entry = { 'from', from, 'to', to }
    for i = 1, #extra do
        entry[#entry + 1] = extra[i]
    end
    tell(event, ID, record, entry)
end

local function expire(record)
    redis.call('ZREM', LIVE, ID)
    change('expire', record, 'expired', { 'expired_at', decimal(now) }, {})
    return 'expired'
end

-- Spends the token: from here on only who has this session goes on (I1).
local function redeem(record, session)
    local ends = decimal(now + tonumber(record.window))
    redis.call('ZADD', LIVE, ends, ID)
    change('redeem', record, 'redeemed',
           { 'redeemed_at', decimal(now), 'session', session,
             'session_ends_at', ends }, {})
end

-- The terminal state that the record is in. Any other word there is not ours:
-- it must not become a verdict.
local function ended(record)
    local state = record.state
    if state == 'enrolled' or state == 'expired' or state == 'revoked'
       or state == 'locked' then
        return state
    end
    return 'void'
end

-- Why this session may not go on, or nil. A bearer without a browser
-- (direct) redeems with its first step.
local function obstacle(record, session, direct)
    local state = record.state
    if not state then
        return 'unknown'
    end
    if state == 'issued' then
        if now >= tonumber(record.expires_at) then
            return expire(record)
        end
        if not direct then
            -- a session of a token that was never redeemed: the store
            -- forgot the redemption
            return 'void'
        end
        return nil
    end
    if state ~= 'redeemed' and state ~= 'claimed' then
        return ended(record)
    end
    if session ~= record.session then
        return 'redeemed'
    end
    if state == 'claimed' then
        return 'claimed'
    end
    if now >= tonumber(record.session_ends_at) then
        return expire(record)
    end
    return nil
end

-- Of what a token's holder can repeat without end, and what changes no state,
-- the first sixteen are told, then each power of two: nobody fills the store.
local function worth_telling(count)
    local power = 16
    while power < count do
        power = power * 2
    end
    return count <= 16 or count == power
end

-- A refusal of a genuine token is told, too; it changes no state.
local function refuse(verb, record, reason)
    if record.state and #told == 0 then
        local count = redis.call('HINCRBY', RECORD, 'refusals', 1)
        if worth_telling(count) then
            tell('refuse', ID, record, { 'step', verb, 'reason', reason,
                                         'count', decimal(count) })
        end
    end
    return reason
end

-- Ends a token, or marks one whose claim is open: that settles first.
local function revoke(key, id, record, why, by)
    redis.call('ZREM', LIVE, id)
    local from = record.state
    local to = from == 'claimed' and 'claimed' or 'revoked'
    write(key, record, { 'state', to, 'revoked_at', decimal(now),
                         'revoked_why', why, 'revoked_by', by, 'op', OP })
    tell('revoke', id, record, { 'from', from, 'to', to, 'why', why,
                                 'by', by })
end

local function live(record)
    return record.state == 'issued' or record.state == 'redeemed'
           or (record.state == 'claimed' and not record.outcome
               and not record.revoked_at)
end

local function reply(verdict)
    return { verdict, decimal(now), redis.call('HGETALL', RECORD), told }
end
