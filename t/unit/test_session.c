
#include "ngx_enroll_session.h"
#include "ngx_enroll_token.h"

#include "fixture.h"
#include "mangle.h"


static ngx_enroll_keys_t  keys_a, keys_b, keys_ba;

static const u_char  id[NGX_ENROLL_DIGEST_LEN] = {
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf
};


static ngx_int_t
read_a(const ngx_str_t *text)
{
    ngx_enroll_session_t  session;

    return ngx_enroll_session_read(&keys_a, text, &session);
}


static ngx_int_t
read_with(ngx_enroll_keys_t *keys, const char *text)
{
    ngx_str_t             s;
    ngx_enroll_session_t  session;

    s = fixture_str(text);

    return ngx_enroll_session_read(keys, &s, &session);
}


static void
test_known(void)
{
    u_char                text[NGX_ENROLL_SESSION_LEN];
    ngx_str_t             s;
    ngx_enroll_session_t  session;

    s = fixture_str(SESSION_A);

    tap_ok(ngx_enroll_session_read(&keys_a, &s, &session) == NGX_OK,
           "the known cookie is read");
    tap_ok(session.key == NUMBER_A, "its key's number");
    tap_ok(session.partition == 0x0102, "its partition");
    tap_ok(session.expires == 1700000000, "its expiry");
    tap_ok(fixture_is_hex(session.id, sizeof(session.id), SESSION_A_ID),
           "its id");
    tap_ok(fixture_is_hex(session.secret, sizeof(session.secret),
                          SESSION_A_SECRET),
           "its secret");
    tap_ok(fixture_is_hex(session.digest, sizeof(session.digest),
                          SESSION_A_DIGEST),
           "its digest");

    tap_ok(ngx_enroll_session_write(&keys_ba, &session, text) == NGX_OK
           && memcmp(text, SESSION_A, sizeof(text)) == 0,
           "written again under its own key, it is the same");

    /* TOKEN_A has the same secret, under the same key */

    tap_ok(strcmp(SESSION_A_DIGEST, TOKEN_A_SESSION) != 0,
           "a token's digest is never a cookie's");
}


static void
test_refused(void)
{
    ngx_uint_t            i;
    ngx_str_t             s;
    ngx_enroll_session_t  session, blank;

    static const struct {
        const char  *text;
        const char  *name;
    } refused[] = {
        { SESSION_A_VERSION_2, "version 2, with a true tag" },
        { SESSION_A_FAR, "an expiry beyond all time, with a true tag" },
        { SESSION_B, "a key that is not in the set" },
        { TOKEN_A, "a token" },
        { "", "nothing" }
    };

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        tap_ok(read_with(&keys_a, refused[i].text) == NGX_DECLINED,
               "I5 refused: %s", refused[i].name);
    }

    s = fixture_str(SESSION_B);
    memset(&session, 0xff, sizeof(session));
    memset(&blank, 0, sizeof(blank));
    ngx_enroll_session_read(&keys_a, &s, &session);

    tap_ok(memcmp(session.secret, blank.secret, sizeof(blank.secret)) == 0,
           "a refused cookie leaves no secret behind");
}


static void
test_made(void)
{
    u_char                text[NGX_ENROLL_SESSION_LEN];
    ngx_str_t             s;
    ngx_uint_t            i, wrong;
    ngx_enroll_session_t  made, read;

    static const time_t  times[] = { 0, 1, 255, 256, 1700000000, 2147483647,
                                     4294967296, NGX_MAX_TIME_T_VALUE };

    wrong = 0;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        wrong += ngx_enroll_session_make(&keys_ba, i * 9000, id, &made)
                 != NGX_OK;
        wrong += made.expires != 0;

        made.expires = times[i];

        wrong += ngx_enroll_session_write(&keys_ba, &made, text) != NGX_OK;

        s = fixture_copy(text, sizeof(text));
        memset(&read, 0, sizeof(read));

        wrong += ngx_enroll_session_read(&keys_ba, &s, &read) != NGX_OK;
        wrong += read.key != NUMBER_B;
        wrong += read.partition != i * 9000;
        wrong += read.expires != times[i];
        wrong += memcmp(read.id, id, sizeof(id)) != 0;
        wrong += memcmp(read.secret, made.secret, sizeof(made.secret)) != 0;
        wrong += memcmp(read.digest, made.digest, sizeof(made.digest)) != 0;

        free(s.data);
    }

    tap_ok(wrong == 0, "what is made and written is read");

    ngx_enroll_session_make(&keys_a, 0, id, &made);
    ngx_enroll_session_make(&keys_a, 0, id, &read);

    tap_ok(memcmp(made.secret, read.secret, sizeof(made.secret)) != 0
           && memcmp(made.digest, read.digest, sizeof(made.digest)) != 0,
           "no two secrets are the same");

    tap_ok(ngx_enroll_session_write(&keys_b, &made, text) == NGX_ERROR,
           "it is not written without its key");

    made.expires = -1;

    tap_ok(ngx_enroll_session_write(&keys_a, &made, text) == NGX_ERROR,
           "it is not written with a negative expiry");

    ngx_enroll_session_make(&keys_a, 65536, id, &made);

    tap_ok(ngx_enroll_session_write(&keys_a, &made, text) == NGX_ERROR,
           "it is not written with a partition of more than two bytes");
}


static void
test_rotation(void)
{
    tap_ok(read_with(&keys_ba, SESSION_A) == NGX_OK,
           "read with the new key in front");
    tap_ok(read_with(&keys_b, SESSION_A) == NGX_DECLINED,
           "refused when the old key is dropped");
}


int
main(void)
{
    fixture_keys(&keys_a, KEYS_A);
    fixture_keys(&keys_b, KEYS_B);
    fixture_keys(&keys_ba, KEYS_BA);

    test_known();
    test_refused();
    test_made();
    test_rotation();
    mangle(read_a, "a cookie", SESSION_A);

    ngx_enroll_keys_free(&keys_a);
    ngx_enroll_keys_free(&keys_b);
    ngx_enroll_keys_free(&keys_ba);

    return tap_done();
}
