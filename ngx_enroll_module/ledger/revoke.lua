-- revoke: ends a token by its id, or a subject's token.
--
-- KEYS[5]  enroll:{p}:subject:<digest>, where the subject is asked for;
--          KEYS[1] is then the record of the id that ARGV[2] guesses
-- ARGV[6]  why, in the issuer's words
-- ARGV[7]  by whom: the issuer
--
-- Verdicts
--   ok      revoked, now or before; a claim that is open settles first
--   again   the subject's token is another: record says which (token)
--   unknown, enrolled, expired, locked, void: nothing is left to revoke

if KEYS[5] then
    local token = redis.call('HGET', KEYS[5], 'token') or ''
    if token ~= ID then
        return { token == '' and 'unknown' or 'again', decimal(now),
                 { 'token', token }, told }
    end
end

local record = load(RECORD)
if not record.state then
    return reply('unknown')
end
if record.op == OP or record.revoked_at then
    return reply('ok')
end
if not live(record) and record.state ~= 'claimed' then
    return reply(ended(record))
end

revoke(RECORD, ID, record, ARGV[6], ARGV[7])
return reply('ok')
