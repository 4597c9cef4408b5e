-- redeem: the bearer exchanges the token for a session. Works once (I1).
--
-- ARGV[6]  the session's digest
--
-- Verdicts: ok, unknown, expired, redeemed (also while a claim is open),
-- enrolled, revoked, locked, void

local record = load(RECORD)
if record.op == OP then
    return reply('ok')
end

local state = record.state
if not state then
    return reply('unknown')
end
if state == 'redeemed' or state == 'claimed' then
    return reply(refuse('redeem', record, 'redeemed'))
end
if state ~= 'issued' then
    return reply(refuse('redeem', record, ended(record)))
end
if now >= tonumber(record.expires_at) then
    return reply(expire(record))
end

redeem(record, ARGV[6])
return reply('ok')
