-- revoke: ends a token by its id, or a subject's token.
--
-- KEYS[5]  enroll:{p}:answer:revoke:<issuer>:<event>: an event is obeyed
--          once, so that a late copy of a leaver's does not end what came
--          after it
-- KEYS[6]  enroll:{p}:subject:<digest>, where the subject is asked for;
--          KEYS[1] is then the record of the id that ARGV[2] guesses
-- ARGV[8]  why, in the issuer's words
-- ARGV[9]  by whom: the issuer
-- ARGV[10]  the issuer's event
--
-- Verdicts
--   ok      revoked, now or before; a claim that is open settles first
--   repeat  this event was obeyed before: record says the id (token)
--   again   the subject's token is another: record says which (token)
--   unknown, enrolled, expired, locked, void: nothing is left to revoke

local ANSWER, SUBJECT = KEYS[5], KEYS[6]

local before, id = answered(ANSWER, 'revoke')
if before and load(RECORD).op ~= OP then
    touch()
    return answer(before == 'ok' and 'repeat' or before, { 'token', id })
end

if SUBJECT then
    local token = redis.call('HGET', SUBJECT, 'token') or ''
    if token ~= ID and token ~= '' then
        return answer('again', { 'token', token })
    end
end

local function done(verdict)
    remember(ANSWER, 'revoke ' .. verdict .. ' ' .. ID)
    return reply(verdict)
end

-- a joiner event of before, that is still being repeated, is not obeyed then
if SUBJECT and redis.call('EXISTS', SUBJECT) == 1 then
    redis.call('HSET', SUBJECT, 'left_at', decimal(now))
end

local record = load(RECORD)
if not record.state then
    return done('unknown')
end
if record.op == OP then
    retell('revoke', record, record.revoked_at)
    return done('ok')
end
if record.revoked_at then
    return done('ok')
end
if not live(record) and record.state ~= 'claimed'
   and not in_flight(record)
then
    return done(ended(record))
end

revoke(RECORD, ID, record, ARGV[8], ARGV[9], { 'leaver', ARGV[10] })
return done('ok')
