-- issue: makes a token's record. One live token per subject: the one before
-- it is revoked with why=superseded.
--
-- KEYS[5]  enroll:{p}:subject:<digest>
-- KEYS[6]  enroll:{p}:request:<issuer>:<event>
-- KEYS[7]  enroll:{p}:exceptions  ids of exceptions by issue (sorted set)
-- KEYS[8]  the record of the subject's token before this one; only when
--          ARGV[8] names it
--
-- ARGV[8]  the id that the caller believes to be the subject's token, or ''
-- ARGV[9]  ttl in ms
-- ARGV[10] of a recovery: the classes whose enrollments it may recover, with
--          spaces between; '': for first use
-- ARGV[11] the id that this event was answered with, and its issued_at, where
--          the caller has seen that it is void since (I10), or ''
-- ARGV[12] the incarnation on which it is to be made: on no other, or a copy of
--          this call made the token again where a replica was promoted
-- ARGV[13] how many of the ARGV that follow are of the record
-- ARGV[14…] field, value, …: subject, class, issuer, event, channel,
--          expires_at, window, attempts_allowed, mac, attributes, and where
--          there is one: exception (the class's parent), requester
--
-- Verdicts
--   ok      made
--   first_use, never_enrolled, same_issuer, same_channel (I9)
--   class   a recovery of another class's exception
--   revoked the subject has left since this event was first answered
--   claimed the subject's token before this one is being enrolled just now
--   again   not made: the caller is to come back with the id that record
--           says (token), its incarnation, and an expires_at and mac made
--           from now. The mac covers the expiry, whose clock is this
--           server's: that is why a token takes two calls
--   repeat  not made: this joiner event has been answered, with the id that
--           record says (token)

local SUBJECT, REQUEST, EXCEPTIONS = KEYS[5], KEYS[6], KEYS[7]
local DAY = 24 * 60 * 60 * 1000
local before, ttl, n = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[13])

local known = redis.call('GET', REQUEST)
-- when it was first refused, or taken back, or answered with what is void now
local refused_at = string.match(known or '', '^refused (%d+)$')
local void, void_at = string.match(ARGV[11], '^(%x+) (%d+)$')
if void and void == known then
    refused_at = void_at
end
if known and not refused_at then
    local record = load(RECORD)
    if known == ID and record.state == 'issued' then
        -- this call's own: nobody else has drawn this id
        redis.call('HSET', RECORD, 'op', OP)
        retell('issue', record, record.issued_at)
        return reply('ok')
    end
    return answer('repeat', { 'token', known })
end

local record, fields = {}, {}
for i = 14, 13 + n, 2 do
    record[ARGV[i]] = ARGV[i + 1]
    append(fields, { ARGV[i], ARGV[i + 1] })
end

-- The first enrollment is what a recovery has to differ from.
local function unfit()
    local first = load(SUBJECT)
    if refused_at
       and tonumber(first.left_at or '0') >= tonumber(refused_at)
    then
        return 'revoked'
    end
    if ARGV[10] == '' then
        return first.enrolled_at and 'first_use'
    end
    if not first.enrolled_at then
        return 'never_enrolled'
    end
    -- not by a class that is stricter than another one's only
    if not string.find(' ' .. ARGV[10] .. ' ',
                       ' ' .. first.enrolled_class .. ' ', 1, true)
    then
        return 'class'
    end
    if first.enrolled_issuer == record.issuer then
        return 'same_issuer'
    end
    -- one that nobody said cannot be told from any
    return (first.enrolled_channel == record.channel
            or first.enrolled_channel == 'unspecified') and 'same_channel'
end

-- Told of once, and of a leaver's each time.
local function refused(reason)
    if not known then
        remember(REQUEST, 'refused ' .. decimal(now))
    end
    if not known or reason == 'revoked' then
        tell('refuse', '', record, { 'step', 'issue', 'reason', reason,
                                     'channel', record.channel })
    end
    return reply(reason)
end

local reason = unfit()
if reason then
    return refused(reason)
end

local current = redis.call('HGET', SUBJECT, 'token') or ''
local expires_at = tonumber(record.expires_at)
if current ~= before or ARGV[12] ~= PROCESS
   or math.abs(expires_at - ttl - now) > 5000
then
    return answer('again', { 'token', current, 'incarnation', PROCESS })
end

if before ~= '' then
    local old = load(KEYS[8])
    -- it may enroll any moment, and then this one must not be (I9); unless
    -- somebody has given it up, or its settlement is not tried any more
    if in_flight(old) and not old.revoked_at
       and now - tonumber(old.claimed_at) < DAY
    then
        return refused('claimed')
    end
    if live(old) then
        revoke(KEYS[8], before, old, 'superseded', record.issuer)
    end
end

-- longer than any session, and any settlement of its claim
local keep = expires_at + tonumber(record.window) + DAY + RETAIN
remember(REQUEST, ID, expires_at + RETAIN)
redis.call('HSET', SUBJECT, 'subject', record.subject, 'token', ID)
if record.exception then
    local month = 31 * DAY
    redis.call('HSET', SUBJECT, 'exception_at', decimal(now),
               'exception_class', record.class,
               'exception_issuer', record.issuer, 'exception_token', ID)
    redis.call('ZREMRANGEBYSCORE', EXCEPTIONS, '-inf',
               decimal(now - RETAIN - month))
    redis.call('ZADD', EXCEPTIONS, decimal(now), ID)
end
if not redis.call('HGET', SUBJECT, 'enrolled_at') then
    redis.call('PEXPIREAT', SUBJECT,
               decimal(math.max(keep, now + redis.call('PTTL', SUBJECT))))
end
redis.call('ZREMRANGEBYSCORE', LIVE, '-inf', decimal(now))
redis.call('ZADD', LIVE, record.expires_at, ID)

append(fields, { 'issued_at', decimal(now), 'proof', 'none', 'attempts', '0',
                 'epoch', EPOCH })
record.state = 'none'
change('issue', record, 'issued', fields, { 'channel', record.channel })

return reply('ok')
