
#include "ngx_enroll_token.h"

#include "fixture.h"
#include "mangle.h"


static ngx_enroll_keys_t  keys_a, keys_b, keys_ba;


static ngx_int_t
read_a(const ngx_str_t *text)
{
    ngx_enroll_token_t  token;

    return ngx_enroll_token_read(&keys_a, text, &token);
}


static ngx_int_t
read_with(ngx_enroll_keys_t *keys, const char *text)
{
    ngx_str_t           s;
    ngx_enroll_token_t  token;

    s = fixture_str(text);

    return ngx_enroll_token_read(keys, &s, &token);
}


static void
test_known(void)
{
    ngx_str_t           text;
    ngx_enroll_token_t  token;

    text = fixture_str(TOKEN_A);

    tap_ok(ngx_enroll_token_read(&keys_a, &text, &token) == NGX_OK,
           "the known token is read");
    tap_ok(token.key == NUMBER_A, "its key's number");
    tap_ok(token.partition == 0x0102, "its partition is big-endian");
    tap_ok(fixture_is_hex(token.id, sizeof(token.id), TOKEN_A_ID), "its id");
    tap_ok(fixture_is_hex(token.session, sizeof(token.session),
                          TOKEN_A_SESSION),
           "its session digest");

    text = fixture_str(TOKEN_B);

    tap_ok(ngx_enroll_token_read(&keys_b, &text, &token) == NGX_OK
           && token.key == NUMBER_B && token.partition == 0xffff
           && fixture_is_hex(token.id, sizeof(token.id), TOKEN_B_ID),
           "the same secret has another id under another key");
}


static void
test_refused(void)
{
    ngx_uint_t  i;

    static const struct {
        const char  *text;
        const char  *name;
    } refused[] = {
        { TOKEN_A_VERSION_0, "version 0, with a true tag" },
        { TOKEN_A_VERSION_2, "version 2, with a true tag" },
        { TOKEN_B, "a key that is not in the set" },
        { SESSION_A, "a session cookie" },
        { "", "nothing" },
        { "enr_", "a prefix" },
        { "enr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          "all zeroes" },
        { "ENR_ATMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl8Pn9SbFW5O5FHtehvlRG3w",
          "the prefix in capitals" },
        { "ens_ATMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl8Pn9SbFW5O5FHtehvlRG3w",
          "the prefix of the cookie" }
    };

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        tap_ok(read_with(&keys_a, refused[i].text) == NGX_DECLINED,
               "I5 refused: %s", refused[i].name);
    }
}


static void
test_made(void)
{
    u_char              text[NGX_ENROLL_TOKEN_LEN], more[NGX_ENROLL_TOKEN_LEN];
    ngx_str_t           s;
    ngx_uint_t          i, wrong;
    ngx_enroll_token_t  made, read;

    static const ngx_uint_t  partitions[] = { 0, 1, 255, 256, 16383, 65535 };

    wrong = 0;

    for (i = 0; i < sizeof(partitions) / sizeof(partitions[0]); i++) {
        memset(&made, 0, sizeof(made));
        memset(&read, 0, sizeof(read));

        wrong += ngx_enroll_token_make(&keys_ba, partitions[i], &made, text)
                 != NGX_OK;

        s = fixture_copy(text, sizeof(text));

        wrong += ngx_enroll_token_read(&keys_ba, &s, &read) != NGX_OK;
        wrong += memcmp(text, NGX_ENROLL_TOKEN_PREFIX, 4) != 0;
        wrong += made.key != NUMBER_B || read.key != NUMBER_B;
        wrong += made.partition != partitions[i];
        wrong += read.partition != partitions[i];
        wrong += memcmp(made.id, read.id, sizeof(made.id)) != 0;
        wrong += memcmp(made.session, read.session, sizeof(made.id)) != 0;
        wrong += memcmp(made.session, made.id, sizeof(made.id)) == 0;

        free(s.data);
    }

    tap_ok(wrong == 0, "what is made, under the first key, is read");

    ngx_enroll_token_make(&keys_a, 0, &made, text);
    ngx_enroll_token_make(&keys_a, 0, &read, more);

    tap_ok(memcmp(text, more, sizeof(text)) != 0
           && memcmp(made.id, read.id, sizeof(made.id)) != 0,
           "no two are the same");

    tap_ok(ngx_enroll_token_make(&keys_a, 65536, &made, text) == NGX_ERROR,
           "a partition of more than two bytes is an error");
}


static void
test_rotation(void)
{
    char                text[NGX_ENROLL_TOKEN_LEN + 1];
    ngx_enroll_token_t  token;

    ngx_enroll_token_make(&keys_a, 3, &token, (u_char *) text);
    text[NGX_ENROLL_TOKEN_LEN] = '\0';

    tap_ok(read_with(&keys_a, text) == NGX_OK, "made under the old key");
    tap_ok(read_with(&keys_ba, text) == NGX_OK,
           "read with the new key in front");
    tap_ok(read_with(&keys_b, text) == NGX_DECLINED,
           "refused when the old key is dropped");

    ngx_enroll_token_make(&keys_ba, 3, &token, (u_char *) text);

    tap_ok(read_with(&keys_a, text) == NGX_DECLINED
           && read_with(&keys_b, text) == NGX_OK,
           "new ones are under the new key");
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
    mangle(read_a, "a token", TOKEN_A);

    ngx_enroll_keys_free(&keys_a);
    ngx_enroll_keys_free(&keys_b);
    ngx_enroll_keys_free(&keys_ba);

    return tap_done();
}
