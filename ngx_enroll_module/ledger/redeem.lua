-- redeem: the bearer exchanges the token for a session. Works once (I1).
--
-- ARGV[8]  the session's digest
-- ARGV[9]  '1': the proxy knows it to be spent, and only tells that it was
--          presented again
-- ARGV[10…] the rules of all classes
--
-- Verdicts: ok, unknown, expired, redeemed (also while a claim is open),
-- enrolled, revoked, locked, void, class, unapproved, denied

local record = load(RECORD)
if record.op == OP then
    touch()
    local done = record.state == 'redeemed'
    retell('redeem', done and record, record.redeemed_at)
    return reply(done and 'ok' or ended(record))
end

local state = record.state
local rule = state and rule_of(record, 10)
if not state then
    return reply('unknown')
end
if state == 'redeemed' and record.session == ARGV[8] then
    -- this call's own, between whose copies another verb has come: nobody
    -- else has drawn this session
    redis.call('HSET', RECORD, 'op', OP)
    retell('redeem', record, record.redeemed_at)
    return reply('ok')
end
if state == 'redeemed' or state == 'claimed' then
    return reply(replayed('redeem', record, rule))
end
if state ~= 'issued' then
    return reply(refuse('redeem', record, ended(record)))
end
if ARGV[9] == '1' then
    return reply(forgotten(record))
end
if now >= tonumber(record.expires_at) then
    return reply(expire(record))
end

local reason, why = broken(record, rule, false)
if reason then
    return reply(refuse('redeem', record, reason, why))
end

redeem(record, ARGV[8])
return reply('ok')
