-- claim: reserves the one finish call, before it is forwarded (I2). The
-- operation id is the claim's name; only its settlement reopens.
--
-- ARGV[6]  the session's digest
-- ARGV[7]  '1': the token itself was presented (as in begin)
-- ARGV[8]  '1': a begin must have come before
--
-- Verdicts: as begin, and order (no begin yet)

local record = load(RECORD)
if record.op == OP then
    return reply('ok')
end

-- A copy that comes late: of a claim that has been settled, or given up.
if record.claim == OP or record['withdrawn:' .. OP] then
    return reply('claimed')
end

local reason = obstacle(record, ARGV[6], ARGV[7] == '1')
if not reason and ARGV[8] == '1' and not record.begun_at then
    reason = 'order'
end
if reason then
    return reply(refuse('claim', record, reason))
end
if record.state == 'issued' then
    redeem(record, ARGV[6])
end

-- Attempts that were given back are counted, too: the hundred and first
-- claim locks (SP 800-63B-4, 3.2.2).
local claims = tonumber(record.claims or '0') + 1
if claims > 100 then
    redis.call('ZREM', LIVE, ID)
    change('lock', record, 'locked', { 'locked_at', decimal(now) }, {})
    return reply('locked')
end

redis.call('HDEL', RECORD, 'outcome')
change('claim', record, 'claimed',
       { 'claim', OP, 'claimed_at', decimal(now), 'claims', decimal(claims),
         'attempts', decimal(tonumber(record.attempts) + 1) },
       { 'attempt', decimal(tonumber(record.attempts) + 1) })
return reply('ok')
