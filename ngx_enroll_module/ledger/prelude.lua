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
-- ARGV[6]  the fence: incarnation, or sequence (enroll_fence)
-- ARGV[7]  the highest epoch and seq of this partition that the caller has
--          seen, with a space between
--
-- Scripts that a bearer's request asks for end with the rules of all classes
-- (ARGV[first]: how many; then six for each: class, proof level, approvals,
-- '1' where a replay revokes, a reason or 'ok', why): see rule_of().
--
-- Reply of every script: { verdict, now, record, events, seq, epoch }
--   verdict  'ok', or why not, in the words of core/ngx_enroll_reason.h
--   now      the server's time in ms
--   record   the record after the call, as HGETALL gives it
--   events   what was appended to the stream, each a flat field list
--   seq      the number of the partition's last event
--   epoch    the partition's
-- or READONLY: of a server that is not the partition's master any more; then
-- nothing was done

local RECORD, LIVE, EVENTS, META = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local OP, ID, CLIENT = ARGV[1], ARGV[2], ARGV[3]
local RETAIN, EVENTS_RETAIN = tonumber(ARGV[4]), tonumber(ARGV[5])
local FENCE = ARGV[6]
local SEEN_EPOCH, SEEN = string.match(ARGV[7], '^(%d+) (%d+)$')
SEEN_EPOCH, SEEN = tonumber(SEEN_EPOCH), tonumber(SEEN)
local EPOCH, SEQ, HERE, PROCESS

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told, refusable = {}, 0

-- Lua would write large numbers as 1.7e+12
local function decimal(n)
    return string.format('%.0f', n)
end

local function hash(key)
    local flat, record = redis.call('HGETALL', key), {}
    for i = 1, #flat, 2 do
        record[flat[i]] = flat[i + 1]
    end
    return record
end

-- A token of an older epoch is void, whatever its record says: the store
-- forgot something since, and it may be that this token was spent (I10).
local function load(key)
    local record = hash(key)
    local state = record.state
    if (state == 'issued' or state == 'redeemed' or state == 'claimed')
       and record.epoch ~= EPOCH
    then
        record.was, record.state = state, 'void'
    end
    return record
end

local function append(list, more)
    for i = 1, #more do
        list[#list + 1] = more[i]
    end
end

-- On whose word, besides the issuer's: what the record knows of it.
local function words(record)
    local list, approvers = {}, {}
    for i = 1, tonumber(record.approvals or '0') do
        approvers[i] = record['approval.' .. i]
    end
    local known = {
        'exception', record.exception or '',
        'requester', record.requester or '',
        'approvers', table.concat(approvers, ', '),
        'prover', record.proof_prover or ''
    }
    for i = 1, #known, 2 do
        if known[i + 1] ~= '' then
            append(list, { known[i], known[i + 1] })
        end
    end
    return list
end

-- An event's common fields, and those that follow them: flat lists.
local function entry_of(number, event, id, record, fields)
    local entry = { number, decimal(SEQ), 'at', decimal(now),
                    'event', event }
    if record then
        append(entry, { 'id', id, 'subject', record.subject,
                        'class', record.class, 'issuer', record.issuer,
                        'joiner', record.event })
    end
    append(entry, { 'op', OP, 'client', CLIENT })
    if record then
        append(entry, words(record))
    end
    append(entry, fields)
    return entry
end

-- Appends one event. record nil: it is about no token.
local function tell(event, id, record, fields)
    SEQ = redis.call('HINCRBY', META, 'seq', 1)
    local entry = entry_of('seq', event, id, record, fields)
    if EVENTS_RETAIN > 0 then
        redis.call('XADD', EVENTS, 'MINID', '~',
                   decimal(math.max(now - EVENTS_RETAIN, 0)), '*',
                   unpack(entry))
    else
        redis.call('XADD', EVENTS, '*', unpack(entry))
    end
    told[#told + 1] = entry
end

-- Whether an entry of the stream was told by this call.
local function ours(fields)
    for i = 1, #fields, 2 do
        if fields[i] == 'op' then
            return fields[i + 1] == OP
        end
    end
    return false
end

-- The reply was lost, and this is the call again: the stream has what it told,
-- but its caller does not, and may keep a journal. It is where the record's
-- time (at) says, or among the last ones; if it is not (trimmed, or the clock
-- was set), the record says what the call came to, without its number.
local function retell(event, record, at)
    local done = 0
    local near = redis.call('XREVRANGE', EVENTS, at and decimal(at + 5) or '+',
                            at or '-', 'COUNT', 100)
    told = {}
    for i = #near, 1, -1 do
        if ours(near[i][2]) then
            told[#told + 1] = near[i][2]
            done = done + (near[i][2][6] == 'fence' and 0 or 1)
        end
    end
    if done == 0 and record then
        told[#told + 1] = entry_of('last', event, ID, record,
                                   { 'to', record.state, 'repeated', '1' })
    end
end

-- Which history of writes this server stands in. A restart and a promotion
-- both begin another; run_id alone would survive a promotion. And by which
-- process: a replica of a cluster that was started, and promoted before it
-- had found its master, goes on with its master's master_replid. nil: it
-- follows somebody else's, which may have gone on since.
local function incarnation()
    local info = redis.call('INFO', 'replication')
    if not string.find(info, 'role:master', 1, true) then
        return nil
    end
    local here = string.match(info, 'master_replid:(%x+)')
                 or error('INFO does not say master_replid')
    local process = string.match(redis.call('INFO', 'server'),
                                 'run_id:(%x+)') or ''
    return here, string.sub(here, 1, 16) .. ' ' .. string.sub(process, 1, 16)
end

-- All live tokens of the partition are void from here on, in one step.
local function begin_epoch(meta, why)
    local voided = redis.call('ZCOUNT', LIVE, '(' .. decimal(now), '+inf')
    local from = meta.epoch or '0'
    EPOCH = decimal(math.max(now, math.max(tonumber(from), SEEN_EPOCH) + 1))
    -- far ahead of what others may have seen of what is lost
    SEQ = math.max(tonumber(meta.seq or '0'), SEEN) + 2 ^ 20
    -- first of all, or a server without memory for it forgets the count
    redis.call('HSET', META, 'epoch', EPOCH, 'incarnation', HERE,
               'process', PROCESS, 'seq', decimal(SEQ))
    redis.call('HDEL', META, 'planned', 'planned_until')
    redis.call('UNLINK', LIVE)
    tell('fence', nil, nil, { 'why', why, 'from', from, 'to', EPOCH,
                              'voided', decimal(voided) })
end

-- An epoch has just begun on another server, and this one was not told: most
-- likely it is a master that was replaced. It is given the time to hear of it:
-- otherwise the two would end each other's epochs in turn. After that it is
-- taken for one that went back in time.
local function replaced(epoch)
    return SEEN_EPOCH > epoch and math.abs(now - SEEN_EPOCH) < 3000
end

-- An operator means to end this incarnation, within the hour: a plan that was
-- forgotten, or comes out of a backup, is not one.
local function planned(meta)
    local left = (tonumber(meta.planned_until) or 0) - now
    return meta.planned and meta.planned == meta.incarnation
           and left > 0 and left <= 60 * 60 * 1000
end

-- A token can be spent only in the epoch that issued it (I10): the epoch ends
-- where the store is another incarnation than the one that it began in, or
-- knows less than a caller has seen. An operator who means to end an
-- incarnation names it in planned; one that meta does not know any more was
-- ended by something else before.
local function fence()
    local meta = hash(META)
    EPOCH, SEQ = meta.epoch, tonumber(meta.seq or '0')
    HERE, PROCESS = incarnation()

    -- a connection outlives that its server is a master, and one that may be
    -- written to as a replica would not refuse
    if not HERE then
        return redis.error_reply('READONLY this server is not a master')
    end

    local epoch = tonumber(EPOCH or '0')
    if EPOCH and HERE == meta.incarnation and replaced(epoch) then
        return redis.error_reply('READONLY a newer epoch has begun elsewhere')
    end
    if SEQ < SEEN or epoch < SEEN_EPOCH then
        begin_epoch(meta, 'sequence')
        return
    end
    if not EPOCH then
        EPOCH = decimal(now)
        redis.call('HSET', META, 'epoch', EPOCH, 'incarnation', HERE,
                   'process', PROCESS)
        return
    end
    -- who does not ask for it must not hide it from others
    if FENCE ~= 'incarnation'
       or (HERE == meta.incarnation and PROCESS == meta.process)
    then
        return
    end
    -- an operator has written down which incarnation it is
    if HERE == meta.incarnation
       and string.sub(meta.process or '', 1, 16) ~= string.sub(HERE, 1, 16)
    then
        redis.call('HSET', META, 'process', PROCESS)
        return
    end
    if not planned(meta) then
        begin_epoch(meta, 'incarnation')
        return
    end
    redis.call('HSET', META, 'incarnation', HERE, 'process', PROCESS)
    redis.call('HDEL', META, 'planned', 'planned_until')
    tell('fence', nil, nil, { 'why', 'planned', 'from', EPOCH, 'to', EPOCH,
                              'voided', '0' })
end

-- Writes fields (a flat list) into a record, its end's horizon with them.
local function write(key, record, fields)
    redis.call('HSET', key, unpack(fields))
    for i = 1, #fields, 2 do
        record[fields[i]] = fields[i + 1]
    end
    local last = math.max(tonumber(record.expires_at),
                          tonumber(record.session_ends_at or '0'), now)
    if record.state == 'claimed' then
        -- for so long its settlement is tried
        last = last + 24 * 60 * 60 * 1000
    end
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
    append(entry, extra)
    tell(event, ID, record, entry)
end

-- What a call finds to be done already is written once more. The proxy waits
-- for replicas by WAIT, which speaks for what its own connection has written:
-- the call that did it may have come on another.
local function touch()
    redis.call('HSET', META, 'epoch', EPOCH)
end

local function expire(record)
    redis.call('ZREM', LIVE, ID)
    change('expire', record, 'expired', { 'expired_at', decimal(now) }, {})
    return 'expired'
end

-- Spent, as a proxy saw: the store forgot it, and must not spend it again.
local function forgotten(record)
    redis.call('ZREM', LIVE, ID)
    change('void', record, 'void', { 'voided_at', decimal(now) }, {})
    return 'void'
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

-- The fields that tell of the authenticator that a finish brought.
local AUTHENTICATOR = {
    'authenticator', 'authenticator_aaguid', 'authenticator_attestation',
    'authenticator_user_verified', 'authenticator_backup_eligible',
    'authenticator_backed_up', 'authenticator_transports',
    'authenticator_origin'
}

local LEVELS = { none = 0, ial1 = 1, ial2 = 2, ial3 = 3 }

-- What the class of the record asks of this request; nil: there is no such
-- class (any more).
local function rule_of(record, first)
    for i = first + 1, first + 6 * tonumber(ARGV[first]), 6 do
        if ARGV[i] == record.class then
            return { proof = tonumber(ARGV[i + 1]),
                     approvals = tonumber(ARGV[i + 2]),
                     revokes = ARGV[i + 3] == '1',
                     reason = ARGV[i + 4], why = ARGV[i + 5] }
        end
    end
    return nil
end

-- In what the rule is not kept, or nil: the reason, and why in a word. The
-- authenticator comes last, because it costs an attempt.
local function broken(record, rule, proofed)
    if not rule then
        return 'class'
    end
    if tonumber(record.approvals or '0') < rule.approvals then
        return 'unapproved'
    end
    if rule.reason ~= 'ok' and rule.reason ~= 'authenticator' then
        return rule.reason, rule.why
    end
    if proofed and (LEVELS[record.proof] or 0) < rule.proof then
        return 'unproofed'
    end
    if rule.reason ~= 'ok' then
        return rule.reason, rule.why
    end
    return nil
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
            -- a session of a token that was never redeemed
            return forgotten(record)
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
local function refuse(verb, record, reason, why)
    if record.state and #told == refusable then
        local count = redis.call('HINCRBY', RECORD, 'refusals', 1)
        if worth_telling(count) then
            local fields = { 'step', verb, 'reason', reason,
                             'count', decimal(count) }
            if why and why ~= '' then
                append(fields, { 'why', why })
            end
            tell('refuse', ID, record, fields)
        end
    end
    return reason
end

-- Its finish may be at the IdP just now, whatever becomes of the epoch.
local function in_flight(record)
    return (record.was or record.state) == 'claimed' and not record.outcome
end

-- Ends a token, or marks one whose claim is open: that settles first, and the
-- event names it.
local function revoke(key, id, record, why, by, more)
    redis.call('ZREM', LIVE, id)
    local from = record.state
    local claimed = (record.was or from) == 'claimed'
    write(key, record, { 'state', claimed and 'claimed' or 'revoked',
                         'revoked_at', decimal(now), 'revoked_why', why,
                         'revoked_by', by, 'op', OP })
    local fields = { 'from', from, 'to', claimed and from or 'revoked',
                     'why', why, 'by', by }
    if claimed then
        append(fields, { 'claim', record.claim })
    end
    append(fields, more or {})
    tell('revoke', id, record, fields)
end

-- A spent token is presented again, by another than its session: told, and
-- where the class says so the session ends by it.
local function replayed(verb, record, rule)
    refuse(verb, record, 'redeemed')
    local open = now < tonumber(record.session_ends_at or '0')
    if record.state == 'claimed' then
        open = not record.outcome
    end
    if rule and rule.revokes and open and not record.revoked_at then
        revoke(RECORD, ID, record, 'replayed', 'proxy')
    end
    return 'redeemed'
end

-- What an issuer's call was answered with before: its verdict and id, or nil.
local function answered(key, verb)
    local known = redis.call('GET', key)
    if not known then
        return nil
    end
    local v, verdict, id = string.match(known, '^(%S+) (%S+) (%x+)$')
    if v ~= verb then
        return nil
    end
    return verdict, id
end

-- For longer than its sender repeats it (Standard Webhooks, RFC 8935: days).
local function remember(key, value, until_then)
    local week = now + 7 * 24 * 60 * 60 * 1000
    redis.call('SET', key, value, 'PXAT',
               decimal(math.max(until_then or 0, week)))
end

local function live(record)
    return record.state == 'issued' or record.state == 'redeemed'
           or (record.state == 'claimed' and not record.outcome
               and not record.revoked_at)
end

local function answer(verdict, record)
    return { verdict, decimal(now), record, told, decimal(SEQ), EPOCH }
end

local function reply(verdict)
    local flat = redis.call('HGETALL', RECORD)
    local state = load(RECORD).state
    for i = 1, #flat, 2 do
        if flat[i] == 'state' then
            flat[i + 1] = state
        end
    end
    return answer(verdict, flat)
end

local readonly = fence()
if readonly then
    return readonly
end
-- a refusal is told where nothing else is, the fence aside
refusable = #told
