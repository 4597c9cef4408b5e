-- issue: makes a token's record. One live token per subject: the one before
-- it is revoked with why=superseded.
--
-- KEYS[5]  enroll:{p}:subject:<digest>
-- KEYS[6]  enroll:{p}:request:<issuer>:<event>
-- KEYS[7]  the record of the subject's token before this one; only when
--          ARGV[6] names it
--
-- ARGV[6]  the id that the caller believes to be the subject's token, or ''
-- ARGV[7]  ttl in ms
-- ARGV[8]  how many of the ARGV that follow are of the record
-- ARGV[9…] field, value, …: subject, class, issuer, event, channel,
--          expires_at, window, attempts_allowed, mac and attributes
--
-- Verdicts
--   ok      made
--   again   not made: the caller is to come back with the id that record
--           says (token), and an expires_at and mac made from now. The mac
--           covers the expiry, whose clock is this server's: that is why a
--           token takes two calls
--   repeat  not made: this joiner event has been answered, with the id that
--           record says (token)

local SUBJECT, REQUEST = KEYS[5], KEYS[6]
local before, ttl, n = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])

local function answer(verdict, token)
    return { verdict, decimal(now), { 'token', token }, told }
end

local known = redis.call('GET', REQUEST)
if known then
    local record = load(RECORD)
    if known == ID and record.op == OP then
        return reply('ok')
    end
    return answer('repeat', known)
end

local record, fields = {}, {}
for i = 9, 8 + n, 2 do
    record[ARGV[i]] = ARGV[i + 1]
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = ARGV[i + 1]
end

local current = redis.call('HGET', SUBJECT, 'token') or ''
local expires_at = tonumber(record.expires_at)
if current ~= before or math.abs(expires_at - ttl - now) > 5000 then
    return answer('again', current)
end

if before ~= '' then
    local old = load(KEYS[7])
    if live(old) then
        revoke(KEYS[7], before, old, 'superseded', record.issuer)
    end
end

local keep = decimal(expires_at + RETAIN)
redis.call('SET', REQUEST, ID, 'PXAT', keep)
redis.call('HSET', SUBJECT, 'subject', record.subject, 'token', ID)
if not redis.call('HGET', SUBJECT, 'enrolled_at') then
    redis.call('PEXPIREAT', SUBJECT, keep)
end
redis.call('ZREMRANGEBYSCORE', LIVE, '-inf', decimal(now))
redis.call('ZADD', LIVE, record.expires_at, ID)

fields[#fields + 1] = 'issued_at'
fields[#fields + 1] = decimal(now)
fields[#fields + 1] = 'proof'
fields[#fields + 1] = 'none'
fields[#fields + 1] = 'attempts'
fields[#fields + 1] = '0'
fields[#fields + 1] = 'epoch'
fields[#fields + 1] = redis.call('HGET', META, 'epoch') or '1'
record.state = 'none'
change('issue', record, 'issued', fields, { 'channel', record.channel })

return reply('ok')
