
#include "ngx_enroll_slot.h"

#include "fixture.h"


/* CLUSTER KEYSLOT of Redis 7.0 says the same */

static void
test_slots(void)
{
    size_t     i;
    ngx_str_t  key;

    static const struct {
        const char  *key;
        ngx_uint_t   slot;
    } slots[] = {
        { "", 0 },
        { "123456789", 12739 },
        { "foo", 12182 },
        { "foo{}{bar}", 8363 },
        { "foo{{bar}}zap", 4015 },
        { "foo{bar}{zap}", 5061 },
        { "{bar}", 5061 },
        { "bar", 5061 },
        { "{user1000}.following", 3443 },
        { "{user1000}.followers", 3443 },
        { "{", 4092 },
        { "}", 12090 },
        { "{}", 15257 },
        { "a{b", 13340 },
        { "a}b{c}", 7365 },
        { "c", 7365 },
        { "enroll:{0}:meta", 13907 },
        { "enroll:{0}:token:000102", 13907 },
        { "0", 13907 },
        { "enroll:{63}:live", 10499 },
        { "enroll:{255}:live", 14163 }
    };

    for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        key = fixture_copy(slots[i].key, strlen(slots[i].key));
        tap_ok(ngx_enroll_slot(&key) == slots[i].slot, "the slot of \"%s\"",
               slots[i].key);
        free(key.data);
    }
}


static void
test_redirects(void)
{
    size_t                 i;
    ngx_int_t              rc;
    ngx_str_t              error;
    ngx_enroll_redirect_t  r;

    static const struct {
        const char  *error;
        ngx_uint_t   ask;
        ngx_uint_t   slot;
        const char  *host;
        ngx_uint_t   port;
    } yes[] = {
        { "MOVED 3999 127.0.0.1:6381", 0, 3999, "127.0.0.1", 6381 },
        { "ASK 3999 127.0.0.1:6381", 1, 3999, "127.0.0.1", 6381 },
        { "MOVED 0 a:1", 0, 0, "a", 1 },
        { "MOVED 16383 a.b-c.example:65535", 0, 16383, "a.b-c.example",
          65535 },
        { "MOVED 1 ::1:6379", 0, 1, "::1", 6379 },
        { "ASK 1 2001:db8::7:6379", 1, 1, "2001:db8::7", 6379 },
        { "MOVED 1 :6381", 0, 1, "", 6381 },
        { "ASK 1 :6381", 1, 1, "", 6381 }
    };

    static const char  *no[] = {
        "", "MOVED", "MOVED ", "ASK", "ASK ", "moved 1 a:1", "ERR MOVED 1 a:1",
        "MOVED1 a:1", "MOVED  1 a:1", "MOVED 1", "MOVED 1 ", "MOVED 1 a",
        "MOVED 1 a:", "MOVED 1 :", "MOVED 1  a:1", "MOVED 1 a:1 ",
        "MOVED 1 a :1", "MOVED 1 a:1 b:2", "MOVED 16384 a:1", "MOVED -1 a:1",
        "MOVED +1 a:1", "MOVED x a:1", "MOVED 1x a:1", "MOVED  a:1",
        "MOVED 99999999999999999999 a:1", "MOVED 1 a:0", "MOVED 1 a:65536",
        "MOVED 1 a:-1", "MOVED 1 a:1x", "MOVED 1 a:x",
        "MOVED 1 a:99999999999999999999", "MOVED 1 a\n:1", "MOVED 1 a\x7f:1",
        "MOVED 1 \xc3\xa9:1", "MOVED 1\ta:1", "ASKING 1 a:1"
    };

    for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        error = fixture_copy(yes[i].error, strlen(yes[i].error));
        rc = ngx_enroll_redirect(&error, &r);

        tap_ok(rc == NGX_OK && r.ask == yes[i].ask && r.slot == yes[i].slot
               && r.port == yes[i].port
               && r.host.len == strlen(yes[i].host)
               && memcmp(r.host.data, yes[i].host, r.host.len) == 0,
               "\"%s\"", yes[i].error);
        free(error.data);
    }

    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        error = fixture_copy(no[i], strlen(no[i]));
        tap_ok(ngx_enroll_redirect(&error, &r) == NGX_DECLINED,
               "no redirect, %lu", (unsigned long) i);
        free(error.data);
    }
}


int
main(void)
{
    test_slots();
    test_redirects();

    return tap_done();
}
