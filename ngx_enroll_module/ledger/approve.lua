-- approve: somebody says yes to a token that needs it.
--
-- KEYS[5]  enroll:{p}:answer:approve:<issuer>:<event>: an event is obeyed once
-- ARGV[8]  the approver
-- ARGV[9]  the issuer whose word it is
-- ARGV[10]  the approval's mac
-- ARGV[11…] the rules of all classes
--
-- Verdicts
--   ok        written
--   repeat    by this event, before
--   class     the class asks for no approvals
--   approver  he is the requester, the subject, or has approved already
--   unknown, redeemed, claimed, and those of a token that has ended

local ANSWER, approver = KEYS[5], ARGV[8]

local before, id = answered(ANSWER, 'approve')
if before == 'ok' and id == ID then
    retell('approve')
    return reply('repeat')
end

local record = load(RECORD)
local state = record.state
if not state then
    return reply('unknown')
end
if state == 'redeemed' or state == 'claimed' then
    return reply(refuse('approve', record, state))
end
if state ~= 'issued' then
    return reply(refuse('approve', record, ended(record)))
end
if now >= tonumber(record.expires_at) then
    return reply(expire(record))
end

local rule = rule_of(record, 11)
if not rule or rule.approvals == 0 then
    return reply(refuse('approve', record, 'class'))
end

-- names of people are not told apart by case alone
local n = tonumber(record.approvals or '0')
local name = string.lower(approver)
local taken = name == string.lower(record.requester or '')
              or name == string.lower(record.subject)
for i = 1, n do
    taken = taken or name == string.lower(record['approval.' .. i] or '')
end
if taken or n >= 16 then
    return reply(refuse('approve', record, 'approver'))
end

n = n + 1
local field = 'approval.' .. n
remember(ANSWER, 'approve ok ' .. ID)
change('approve', record, state,
       { 'approvals', decimal(n), field, approver,
         field .. '.issuer', ARGV[9], field .. '.at', decimal(now),
         field .. '.mac', ARGV[10] },
       { 'approver', approver, 'by', ARGV[9] })
return reply('ok')
