"""What a RedisStore does on the server, each at one moment. All keys are given as KEYS.

A stored string is a sequence of two CBOR items: the ttl that the entry was written with, as null or a double, and the value.
"""

from hashlib import sha1


class Script:
    """A script, and the name by which the server knows it."""

    def __init__(self, text):
        self.text = text.strip()
        # Redis's own choice, and no matter of security
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


# Where the value begins in a stored string
_VALUE = """
local function value_of(stored)
    if string.byte(stored) == 0xf6 then return 2 end
    return 10
end
"""

# KEYS: names to check, then names to write. ARGV: how many to check; "-" for none or "+" and the value for each; then for each to
# write what to store, or "" to delete it, and milliseconds, or 0 for ever
COMMIT = Script(_VALUE + """
local checks = tonumber(ARGV[1])
for i = 1, checks do
    local stored, wanted = redis.call('GET', KEYS[i]), ARGV[i + 1]
    if not stored then
        if wanted ~= '-' then return 0 end
    elseif wanted ~= '+' .. string.sub(stored, value_of(stored)) then
        return 0
    end
end
local at = checks + 2
for i = checks + 1, #KEYS do
    local text, ttl = ARGV[at], ARGV[at + 1]
    if text == '' then
        redis.call('DEL', KEYS[i])
    elseif ttl == '0' then
        redis.call('SET', KEYS[i], text)
    else
        redis.call('SET', KEYS[i], text, 'PX', ttl)
    end
    at = at + 2
end
return 1
""")

# Integers are pairs of 32 bits, as two's complement, since a number of Lua has 53 bits.
# ARGV: high and low part of what to add; what stands before the value of a new entry; its milliseconds, or 0.
# Returns the value, or 'type' or 'size' for what cannot be added.
INCR = Script(_VALUE + """
local WORD = 4294967296

local function parsed(text)
    local first = string.byte(text)
    if first == 0xc2 or first == 0xc3 then return nil, 'size' end
    if not first or first >= 0x40 then return nil end
    local more, high, low = first % 32, 0, 0
    if more < 24 then
        low = more
    elseif more > 27 then
        return nil
    else
        local size = 2 ^ (more - 24)
        if #text ~= size + 1 then return nil end
        for i = 2, #text do
            high = (high * 256 + math.floor(low / 16777216)) % WORD
            low = (low * 256) % WORD + string.byte(text, i)
        end
    end
    if high >= WORD / 2 then return nil, 'size' end
    if first >= 0x20 then return WORD - 1 - high, WORD - 1 - low end
    return high, low
end

local function big(number, size)
    local text = ''
    for _ = 1, size do
        text = string.char(number % 256) .. text
        number = math.floor(number / 256)
    end
    return text
end

local function written(high, low)
    local major = 0
    if high >= WORD / 2 then
        major, high, low = 0x20, WORD - 1 - high, WORD - 1 - low
    end
    if high > 0 then return string.char(major + 27) .. big(high, 4) .. big(low, 4) end
    if low < 24 then return string.char(major + low) end
    if low < 256 then return string.char(major + 24) .. big(low, 1) end
    if low < 65536 then return string.char(major + 25) .. big(low, 2) end
    return string.char(major + 26) .. big(low, 4)
end

local high, low = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = redis.call('GET', KEYS[1])
local head = ARGV[3]
if stored then
    local at = value_of(stored)
    head = string.sub(stored, 1, at - 1)
    local old_high, old_low = parsed(string.sub(stored, at))
    if not old_high then return old_low or 'type' end
    local old_negative, negative = old_high >= WORD / 2, high >= WORD / 2
    low = old_low + low
    high = old_high + high
    if low >= WORD then low, high = low - WORD, high + 1 end
    high = high % WORD
    if old_negative == negative and (high >= WORD / 2) ~= negative then return 'size' end
end
local value = written(high, low)
if stored then
    redis.call('SET', KEYS[1], head .. value, 'KEEPTTL')
elseif ARGV[4] == '0' then
    redis.call('SET', KEYS[1], head .. value)
else
    redis.call('SET', KEYS[1], head .. value, 'PX', ARGV[4])
end
return {value}
""")

# ARGV: milliseconds, 0 for ever, and what stands before the value then
EXPIRE = Script(_VALUE + """
local stored = redis.call('GET', KEYS[1])
if not stored then return 0 end
local text = ARGV[2] .. string.sub(stored, value_of(stored))
if ARGV[1] == '0' then
    redis.call('SET', KEYS[1], text)
else
    redis.call('SET', KEYS[1], text, 'PX', ARGV[1])
end
return 1
""")

# The whole time again that was last given
TOUCH = Script("""
local head = redis.call('GETRANGE', KEYS[1], 0, 8)
if head == '' then return 0 end
if string.byte(head) == 0xf6 then return 1 end
local ttl = math.max(1, math.ceil(struct.unpack('>d', string.sub(head, 2)) * 1000))
return redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
""")

# The lock: its holder's token; who waits, by when they came; who waits, by until when.
_WAITING = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Those that have not come back are dead, or have given up
for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
    redis.call('ZREM', KEYS[2], token)
    redis.call('ZREM', KEYS[3], token)
end
"""

# ARGV: token, milliseconds of the lease, milliseconds that its place is kept, or 0. Returns whether token has the lock.
LOCK = Script(_WAITING + """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 1
end
if not holder then
    local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not first or first == ARGV[1] then
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        redis.call('ZREM', KEYS[2], ARGV[1])
        redis.call('ZREM', KEYS[3], ARGV[1])
        return 1
    end
end
local place = tonumber(ARGV[3])
if place > 0 then
    redis.call('ZADD', KEYS[2], 'NX', string.format('%.0f', time[1] * 1000000 + time[2]), ARGV[1])
    redis.call('ZADD', KEYS[3], string.format('%.0f', now + place), ARGV[1])
    redis.call('PEXPIRE', KEYS[2], 60000)
    redis.call('PEXPIRE', KEYS[3], 60000)
end
return 0
""")

# ARGV: token. Returns whether it had the lock, and who may have it now, or "".
RELEASE = Script(_WAITING + """
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
local had = 0
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
    redis.call('DEL', KEYS[1])
    had, holder = 1, false
end
if holder then return {had, ''} end
return {had, redis.call('ZRANGE', KEYS[2], 0, 0)[1] or ''}
""")

# ARGV: token, milliseconds. Returns whether it still has the lock.
RENEW = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")

# What one waits for that is first in the queue of a lock
WAKE = Script("""
redis.call('LPUSH', KEYS[1], '1')
return redis.call('PEXPIRE', KEYS[1], 1000)
""")

# A list of the moments of the latest uses. ARGV: limit, milliseconds. Returns 0, or the microseconds until there may be another one.
RATE = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local per = ARGV[2] * 1000
local first = redis.call('LINDEX', KEYS[1], -ARGV[1])
-- One of a clock that was set back is no reason to wait
if first and tonumber(first) <= now and now - first < per then
    return string.format('%.0f', per - (now - first))
end
redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], -ARGV[1], -1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return '0'
""")
