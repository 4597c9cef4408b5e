-- prove: writes a prover's attestation on the record (I4).
--
-- KEYS[5]  enroll:{p}:attestation:<digest of iss and jti>: each serves once
-- KEYS[6]  enroll:{p}:subject:<digest>, where the subject alone is named;
--          KEYS[1] is then the record of the id that ARGV[2] guesses
-- ARGV[8]  the subject that it names, or ''
-- ARGV[9]  the level: 1, 2, 3
-- ARGV[10]  how long the attestation could be presented again, in ms
-- ARGV[11]  how many of the ARGV that follow are of the proof
-- ARGV[12…] field, value, …: proof and its parts
-- and then the rules of all classes
--
-- Verdicts
--   ok       written
--   again    the subject's token is another: record says which (token)
--   subject  of another subject than the attestation
--   level    below what the class asks for, or what is known already
--   repeat   by this attestation, before
--   seen     the attestation has served already, for another token
--   unknown, class, and those of a token that has ended or is claimed

local ATTESTATION, SUBJECT = KEYS[5], KEYS[6]
local n = tonumber(ARGV[11])

if SUBJECT then
    local token = redis.call('HGET', SUBJECT, 'token') or ''
    if token ~= ID and token ~= '' then
        return answer('again', { 'token', token })
    end
end

local record = load(RECORD)
local state = record.state
if not state then
    return reply('unknown')
end
if ARGV[8] ~= '' and ARGV[8] ~= record.subject then
    return reply(refuse('prove', record, 'subject'))
end
if state == 'claimed' then
    return reply(refuse('prove', record, 'claimed'))
end
if state ~= 'issued' and state ~= 'redeemed' then
    return reply(refuse('prove', record, ended(record)))
end
if now >= tonumber(record.session_ends_at or record.expires_at) then
    return reply(expire(record))
end

local rule = rule_of(record, 12 + n)
if not rule then
    return reply(refuse('prove', record, 'class'))
end
if tonumber(ARGV[9]) < rule.proof then
    return reply(refuse('prove', record, 'level'))
end
if tonumber(ARGV[9]) < (LEVELS[record.proof] or 0) then
    return reply(refuse('prove', record, 'level'))
end
if not redis.call('SET', ATTESTATION, OP, 'NX', 'PX', ARGV[10]) then
    if redis.call('GET', ATTESTATION) == OP then
        retell('proofed', record)
        return reply('ok')
    end
    -- who brings it twice to the same token is told so
    for i = 12, 11 + n, 2 do
        if ARGV[i] == 'proof_jti' and ARGV[i + 1] == record.proof_jti then
            return reply('repeat')
        end
    end
    return reply(refuse('prove', record, 'seen'))
end

local fields, extra = {}, {}
for i = 12, 11 + n, 2 do
    append(fields, { ARGV[i], ARGV[i + 1] })
    if ARGV[i] ~= 'proof_mac' and ARGV[i] ~= 'proof_prover'
       and ARGV[i] ~= 'proof_subject'
    then
        append(extra, { ARGV[i], ARGV[i + 1] })
    end
end
change('proofed', record, state, fields, extra)
return reply('ok')
