-- begin: the session asks the IdP for its WebAuthn options.
--
-- ARGV[6]  the session's digest
-- ARGV[7]  '1': the token itself was presented, and is redeemed here if it
--          was not yet
--
-- Verdicts: ok, unknown, void, expired, redeemed (another has the session),
-- claimed (a finish is in flight, or ended unknown), enrolled, revoked,
-- locked

local record = load(RECORD)
if record.op == OP then
    return reply('ok')
end

local reason = obstacle(record, ARGV[6], ARGV[7] == '1')
if reason then
    return reply(refuse('begin', record, reason))
end
if record.state == 'issued' then
    redeem(record, ARGV[6])
end

change('begin', record, 'redeemed', { 'begun_at', decimal(now) }, {})
return reply('ok')
