-- settle: the outcome of a claim, compared and set on the claim's id.
--
-- KEYS[5]  enroll:{p}:subject:<digest>
-- ARGV[8]  the claim's id
-- ARGV[9]  enrolled  the IdP registered the passkey: the end
--          refused   the IdP said no: the holder may retry while attempts
--                    are left, otherwise the token is locked
--          unknown   nobody knows: stays claimed, closed for ever
--          released  the request was never sent to the IdP: reopened, and
--                    the attempt is given back
-- ARGV[10]  the IdP's status, or ''
--
-- Verdicts: ok, unknown (no record), stale (not this claim, or settled)
--
-- An enrollment whose claim the ledger has lost is told nevertheless, with
-- why=lost, and ends the token: the IdP has a passkey, whatever the record
-- says (I9).
--
-- A release may overtake its claim, whose answer was lost on the way: the
-- claim is withdrawn then, and does nothing when it comes.

local SUBJECT = KEYS[5]
local claim, outcome, status = ARGV[8], ARGV[9], ARGV[10]

local record = load(RECORD)
if record.op == OP then
    retell('settle', record, record.settled_at)
    return reply('ok')
end
if not record.state then
    return reply('unknown')
end
local lost = outcome == 'enrolled' and record.claim ~= claim
if not lost and (record.claim ~= claim or not in_flight(record)) then
    if outcome == 'released' and record.claim ~= claim then
        redis.call('HSET', RECORD, 'withdrawn:' .. claim, decimal(now))
    end
    return reply('stale')
end

-- of an older epoch: what the IdP did is still told, but nothing is reopened
local to = record.was and 'void' or 'claimed'
local attempts = tonumber(record.attempts)
local fields = { 'outcome', outcome, 'settled_at', decimal(now) }
if outcome == 'enrolled' then
    to = 'enrolled'
    append(fields, { 'enrolled_at', decimal(now) })
elseif outcome ~= 'unknown' then
    if outcome == 'released' then
        attempts = attempts - 1
        fields[#fields + 1] = 'attempts'
        fields[#fields + 1] = decimal(attempts)
    end
    if record.was then
        to = 'void'
    elseif record.revoked_at then
        to = 'revoked'
    elseif attempts >= tonumber(record.attempts_allowed) then
        to = 'locked'
    else
        to = 'redeemed'
    end
end

if to ~= 'redeemed' then
    redis.call('ZREM', LIVE, ID)
end
if to == 'enrolled' and not redis.call('HGET', SUBJECT, 'enrolled_at') then
    redis.call('HSET', SUBJECT, 'enrolled_at', decimal(now),
               'enrolled_class', record.class,
               'enrolled_issuer', record.issuer,
               'enrolled_channel', record.channel, 'enrolled_token', ID)
    redis.call('PERSIST', SUBJECT)
end

local extra = { 'outcome', outcome, 'status', status, 'claim', claim }
if lost then
    append(fields, { 'claim', claim })
    append(extra, { 'why', 'lost' })
    -- what is known of one was another claim's
    redis.call('HDEL', RECORD, unpack(AUTHENTICATOR))
end
for _, name in ipairs(to == 'enrolled' and not lost and AUTHENTICATOR or {})
do
    if record[name] then
        append(extra, { name, record[name] })
    end
end

change('settle', record, to, fields, extra)
return reply('ok')
