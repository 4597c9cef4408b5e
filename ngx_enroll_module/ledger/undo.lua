-- undo: takes back what was issued and reached nobody, so that the joiner
-- event can be repeated; unless the subject leaves meanwhile.
--
-- KEYS[5]  enroll:{p}:request:<issuer>:<event>
-- ARGV[8]  why, in a word
--
-- Verdicts: ok, unknown (no record)

local REQUEST = KEYS[5]

local record = load(RECORD)
if redis.call('GET', REQUEST) == ID then
    -- as of when it was answered: a leaver of since then has the last word
    remember(REQUEST, 'refused ' .. (record.issued_at or decimal(now)))
end

if not record.state then
    return reply('unknown')
end
if live(record) then
    revoke(RECORD, ID, record, ARGV[8], 'proxy')
elseif record.op == OP then
    retell('revoke', record, record.revoked_at)
end
return reply('ok')
