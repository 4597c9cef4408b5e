-- show: reads a record and changes nothing.
--
-- ARGV[8]  the session's digest: may it go on?  '': whoever asks
-- ARGV[9]  '1': the token itself was presented
--
-- Verdicts: ok, unknown, order (a token that has begun nothing), void,
-- expired, redeemed, claimed, enrolled, revoked, locked

local record = load(RECORD)
local state = record.state
local session = ARGV[8]

if not state then
    return reply('unknown')
end
if session == '' then
    return reply('ok')
end
if state == 'issued' then
    return reply(ARGV[9] == '1' and 'order' or 'void')
end
if state ~= 'redeemed' and state ~= 'claimed' then
    return reply(ended(record))
end
if session ~= record.session then
    return reply('redeemed')
end
if state == 'claimed' then
    return reply('claimed')
end
if now >= tonumber(record.session_ends_at) then
    return reply('expired')
end
return reply('ok')
