-- probe: what the scripts and the fence need of a server, asked of it before
-- it is used. Nothing is read or written. It has no prelude.
--
-- Answers the names of what is missing: commands that the user may not run
-- or the server does not know, and "master_replid" where INFO hides it. A
-- server before 7.0 cannot be asked for the commands; there a script's own
-- error tells.

local KEY = 'enroll:{0}:probe'

local missing = {}

local info = redis.pcall('INFO', 'replication')
if type(info) ~= 'string'
   or not string.find(info, 'master_replid:%x%x%x%x%x%x%x%x')
then
    missing[1] = 'master_replid'
end

if not redis.acl_check_cmd then
    return missing
end

for _, command in ipairs({
    { 'EVALSHA', 'x', '1', KEY },
    { 'TIME' },
    { 'EXISTS', KEY },
    { 'GET', KEY },
    { 'HDEL', KEY, 'x' },
    { 'HGET', KEY, 'x' },
    { 'HGETALL', KEY },
    { 'HINCRBY', KEY, 'x', '1' },
    { 'HSET', KEY, 'x', 'x' },
    { 'PERSIST', KEY },
    { 'PEXPIREAT', KEY, '1' },
    { 'PTTL', KEY },
    { 'SET', KEY, 'x' },
    { 'UNLINK', KEY },
    { 'XADD', KEY, '*', 'x', 'x' },
    { 'XRANGE', KEY, '-', '+' },
    { 'XREVRANGE', KEY, '+', '-' },
    { 'ZADD', KEY, '1', 'x' },
    { 'ZCOUNT', KEY, '0', '0' },
    { 'ZREM', KEY, 'x' },
    { 'ZREMRANGEBYSCORE', KEY, '0', '0' }
}) do
    local known, may = pcall(redis.acl_check_cmd, unpack(command))

    if not known or not may then
        missing[#missing + 1] = command[1]
    end
end

return missing
