-- begin: the session asks the IdP for its WebAuthn options.
--
-- ARGV[8]  the session's digest
-- ARGV[9]  '1': the token itself was presented, and is redeemed here if it
--          was not yet
-- ARGV[10…] the rules of all classes
--
-- Verdicts: ok, unknown, void, expired, redeemed (another has the session),
-- claimed (a finish is in flight, or ended unknown), enrolled, revoked,
-- locked, class, unapproved, denied, unproofed (I4)

local record = load(RECORD)
if record.op == OP then
    touch()
    local done = record.state == 'redeemed'
    retell('begin', done and record, record.begun_at)
    return reply(done and 'ok' or ended(record))
end

local rule = record.state and rule_of(record, 10)
local reason, why = obstacle(record, ARGV[8], ARGV[9] == '1')
if reason == 'redeemed' then
    return reply(replayed('begin', record, rule))
end
if not reason then
    reason, why = broken(record, rule, true)
end
if reason then
    return reply(refuse('begin', record, reason, why))
end
if record.state == 'issued' then
    redeem(record, ARGV[8])
end

local begins = redis.call('HINCRBY', RECORD, 'begins', 1)
local fields = { 'begun_at', decimal(now), 'op', OP }

if begins == 1 then
    change('begin', record, 'redeemed', fields, {})
else
    write(RECORD, record, fields)
    if worth_telling(begins) then
        tell('begin', ID, record, { 'from', 'redeemed', 'to', 'redeemed',
                                    'count', decimal(begins) })
    end
end
return reply('ok')
