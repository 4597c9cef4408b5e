
#include "ngx_enroll_webhook.h"

#include "fixture.h"


#define NOW    1700000000
#define BODY   "{\"a\":1}"
#define SIG    "v1," WEBHOOK_SIG
#define OTHER  "v1," WEBHOOK_SIG_OTHER
#define WRONG  "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define FIVE   WRONG " " WRONG " " WRONG " " WRONG " " WRONG
#define X16    "0123456789abcdef"
#define LONG   X16 X16 X16 X16
#define ID255  LONG LONG LONG X16 X16 X16 "0123456789abcde"

#define NO_MATCH  "webhook-signature does not match"
#define NO_V1     "webhook-signature has no v1 signature"
#define TOO_MANY  "webhook-signature has too many signatures"
#define BAD_ID    "webhook-id has an invalid character"
#define BAD_TIME  "webhook-timestamp is invalid"


static EVP_MAC_CTX *
secret(const char *text)
{
    char          err[NGX_ENROLL_ERR_LEN];
    ngx_str_t     copy;
    EVP_MAC_CTX  *mac;

    copy = fixture_copy(text, strlen(text));
    mac = ngx_enroll_webhook_secret(copy.data, copy.len, err);
    free(copy.data);

    return mac;
}


static const char *
verify(EVP_MAC_CTX *const *secrets, ngx_uint_t n, const char *id,
    const char *timestamp, const char *signature, const char *text,
    time_t now)
{
    ngx_str_t             body;
    const char           *wrong;
    ngx_enroll_webhook_t  webhook;

    webhook.id = fixture_copy(id, strlen(id));
    webhook.timestamp = fixture_copy(timestamp, strlen(timestamp));
    webhook.signature = fixture_copy(signature, strlen(signature));
    body = fixture_copy(text, strlen(text));

    wrong = ngx_enroll_webhook_verify(secrets, n, &webhook, &body, now);

    free(webhook.id.data);
    free(webhook.timestamp.data);
    free(webhook.signature.data);
    free(body.data);

    return wrong;
}


static int
same(const char *a, const char *b)
{
    return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}


static void
test_specification(void)
{
    EVP_MAC_CTX  *mac;

    /* the example of the specification's reference implementations */

    mac = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    tap_ok(verify(&mac, 1, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
                  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                  "{\"test\": 2432232314}", 1614265330)
           == NULL,
           "the specification's example");

    EVP_MAC_CTX_free(mac);
}


static void
test_verify(void)
{
    ngx_uint_t    i;
    const char   *wrong;
    EVP_MAC_CTX  *mac;

    static const struct {
        const char  *id;
        const char  *timestamp;
        const char  *signature;
        const char  *body;
        const char  *wrong;
        const char  *name;
    } table[] = {
        { "msg_1", "1700000000", SIG, BODY, NULL, "right" },
        { "msg_1", "1700000000", "v1," WEBHOOK_SIG_EMPTY, "", NULL,
          "an empty body" },

        { "", "1700000000", SIG, BODY, "no webhook-id", "no id" },
        { "msg_1", "", SIG, BODY, "no webhook-timestamp", "no timestamp" },
        { "msg_1", "1700000000", "", BODY, "no webhook-signature",
          "no signature" },
        { "", "", "", BODY, "no webhook-id", "nothing" },

        { "msg.1", "1700000000", "v1," WEBHOOK_SIG_DOT, BODY, BAD_ID,
          "a dot in the id, truly signed" },
        { "msg 1", "1700000000", SIG, BODY, BAD_ID, "a space in the id" },
        { "msg_1\n", "1700000000", SIG, BODY, BAD_ID, "a line feed" },
        { "msg_\303\251", "1700000000", SIG, BODY, BAD_ID, "UTF-8" },
        { "msg_\177", "1700000000", SIG, BODY, BAD_ID, "DEL" },
        { ID255, "1700000000", SIG, BODY, NO_MATCH, "an id of 255" },
        { ID255 "x", "1700000000", SIG, BODY, "webhook-id is too long",
          "an id of 256" },

        { "msg_1", "1700000000x", SIG, BODY, BAD_TIME, "a letter" },
        { "msg_1", " 1700000000", SIG, BODY, BAD_TIME, "a space in front" },
        { "msg_1", "+1700000000", SIG, BODY, BAD_TIME, "a sign" },
        { "msg_1", "-1", SIG, BODY, BAD_TIME, "a negative timestamp" },
        { "msg_1", "1700000000.0", SIG, BODY, BAD_TIME, "a fraction" },
        { "msg_1", "0x6553f100", SIG, BODY, BAD_TIME, "hex" },
        { "msg_1", "18446744075409551616", SIG, BODY, BAD_TIME,
          "a timestamp that would wrap" },
        { "msg_1", "1700000000000", SIG, BODY, BAD_TIME, "milliseconds" },
        { "msg_1", "999999999999", SIG, BODY,
          "webhook-timestamp is in the future", "the far future" },
        { "msg_1", "0", SIG, BODY, "webhook-timestamp is too old", "zero" },

        { "msg_2", "1700000000", SIG, BODY, NO_MATCH, "another id" },
        { "msg_1", "1700000001", SIG, BODY, NO_MATCH, "another timestamp" },
        { "msg_1", "01700000000", SIG, BODY, NO_MATCH, "a zero in front" },
        { "msg_1", "1700000000", SIG, "{\"a\":2}", NO_MATCH,
          "one byte of the body changed" },
        { "msg_1", "1700000000", SIG, BODY "\n", NO_MATCH, "a byte more" },
        { "msg_1", "1700000000", SIG, "", NO_MATCH, "no body" },
        { "msg_1", "1700000000", OTHER, BODY, NO_MATCH, "the wrong key" },
        { "msg_1", "1700000000", WRONG, BODY, NO_MATCH, "zeroes" },

        { "msg_1", "1700000000", WRONG " " SIG, BODY, NULL, "the second" },
        { "msg_1", "1700000000", SIG " " WRONG, BODY, NULL, "the first" },
        { "msg_1", "1700000000", WRONG " " SIG " " WRONG, BODY, NULL,
          "the one in the middle" },
        { "msg_1", "1700000000", "v1a," WEBHOOK_SIG " " SIG, BODY, NULL,
          "v1a is passed over" },
        { "msg_1", "1700000000", "v1a," WEBHOOK_SIG, BODY, NO_V1,
          "v1a alone" },
        { "msg_1", "1700000000", "v2," WEBHOOK_SIG, BODY, NO_V1, "v2" },
        { "msg_1", "1700000000", "V1," WEBHOOK_SIG, BODY, NO_V1, "V1" },
        { "msg_1", "1700000000", WEBHOOK_SIG, BODY, NO_V1, "no version" },
        { "msg_1", "1700000000", "v1=" WEBHOOK_SIG, BODY, NO_V1, "v1=" },
        { "msg_1", "1700000000", "v1,", BODY, NO_V1, "v1 and nothing" },
        { "msg_1", "1700000000", "v1, " WEBHOOK_SIG, BODY, NO_V1,
          "a space behind the comma" },
        { "msg_1", "1700000000", SIG "=", BODY, NO_V1, "more padding" },
        { "msg_1", "1700000000", SIG "," WEBHOOK_SIG, BODY, NO_V1,
          "a comma between" },
        { "msg_1", "1700000000", "\t" SIG, BODY, NO_V1, "a tab" },
        { "msg_1", "1700000000", "  " WRONG "   " SIG "  ", BODY, NULL,
          "several spaces" },
        { "msg_1", "1700000000", "   ", BODY, NO_V1, "only spaces" },

        { "msg_1", "1700000000", FIVE " " FIVE " " FIVE " " SIG, BODY, NULL,
          "the sixteenth" },
        { "msg_1", "1700000000", FIVE " " FIVE " " FIVE " " WRONG " " SIG,
          BODY, TOO_MANY, "a seventeenth" },
        { "msg_1", "1700000000", SIG " " FIVE " " FIVE " " FIVE " x", BODY,
          TOO_MANY, "a seventeenth of no version" }
    };

    mac = secret(WEBHOOK_SECRET);

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        wrong = verify(&mac, 1, table[i].id, table[i].timestamp,
                       table[i].signature, table[i].body, NOW);

        if (!tap_ok(same(wrong, table[i].wrong), "%s: %s", table[i].name,
                    table[i].wrong ? table[i].wrong : "accepted"))
        {
            printf("# %s\n", wrong ? wrong : "accepted");
        }
    }

    EVP_MAC_CTX_free(mac);
}


static void
test_tolerance(void)
{
    ngx_uint_t    i;
    EVP_MAC_CTX  *mac;

    static const struct {
        time_t       now;
        const char  *wrong;
    } table[] = {
        { NOW - 301, "webhook-timestamp is in the future" },
        { NOW - 300, NULL },
        { NOW, NULL },
        { NOW + 300, NULL },
        { NOW + 301, "webhook-timestamp is too old" }
    };

    mac = secret(WEBHOOK_SECRET);

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        tap_ok(same(verify(&mac, 1, "msg_1", "1700000000", SIG, BODY,
                           table[i].now),
                    table[i].wrong),
               "at %+d seconds: %s", (int) (table[i].now - NOW),
               table[i].wrong ? table[i].wrong : "accepted");
    }

    EVP_MAC_CTX_free(mac);
}


static void
test_secrets(void)
{
    EVP_MAC_CTX  *both[2];

    both[0] = secret(WEBHOOK_SECRET);
    both[1] = secret(WEBHOOK_OTHER);

    tap_ok(verify(both, 2, "msg_1", "1700000000", SIG, BODY, NOW) == NULL
           && verify(both, 2, "msg_1", "1700000000", OTHER, BODY, NOW) == NULL,
           "either of two secrets");
    tap_ok(same(verify(both, 2, "msg_1", "1700000000", WRONG, BODY, NOW),
                NO_MATCH),
           "neither of two secrets");
    tap_ok(same(verify(both, 0, "msg_1", "1700000000", SIG, BODY, NOW),
                NO_MATCH),
           "without a secret nothing matches");

    EVP_MAC_CTX_free(both[0]);
    EVP_MAC_CTX_free(both[1]);
}


static void
test_every_bit(void)
{
    int           passed;
    char          sig[] = SIG, body[] = BODY, id[] = "msg_1";
    size_t        i, bit, k;
    EVP_MAC_CTX  *mac;

    const struct {
        char    *text;
        size_t   len;
    } texts[] = {
        { sig, sizeof(sig) - 1 },
        { body, sizeof(body) - 1 },
        { id, sizeof(id) - 1 }
    };

    mac = secret(WEBHOOK_SECRET);
    passed = 0;

    for (k = 0; k < 3; k++) {
        for (i = 0; i < texts[k].len; i++) {
            for (bit = 0; bit < 8; bit++) {
                texts[k].text[i] ^= (char) (1 << bit);
                passed += verify(&mac, 1, id, "1700000000", sig, body, NOW)
                          == NULL;
                texts[k].text[i] ^= (char) (1 << bit);
            }
        }
    }

    tap_ok(passed == 0, "no bit of signature, body and id can be flipped");

    EVP_MAC_CTX_free(mac);
}


static void
test_secret(void)
{
    char          err[NGX_ENROLL_ERR_LEN];
    ngx_str_t     copy;
    ngx_uint_t    i;
    EVP_MAC_CTX  *mac;

    static const char  prefix[] = "secret does not begin with \"whsec_\"";
    static const char  base64[] = "secret is not \"whsec_\" and base64";

    static const struct {
        const char  *text;
        const char  *err;
    } table[] = {
        { WEBHOOK_SECRET, NULL },
        { " \t\r\n" WEBHOOK_SECRET "\r\n\n \t", NULL },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
          "secret has 23 bytes, 24 to 64 are needed" },
        { "whsec_AAAA", "secret has 3 bytes, 24 to 64 are needed" },
        { "whsec_AA==", "secret has 1 bytes, 24 to 64 are needed" },
        { "whsec_" LONG "0123456789abcdefghijkA==", NULL },
        { "whsec_" LONG "0123456789abcdefghijkAA=",
          "secret has 65 bytes, 24 to 64 are needed" },
        { "whsec_" LONG "0123456789abcdefghijklmn",
          "secret has 66 bytes, 24 to 64 are needed" },
        { "whsec_" LONG "0123456789abcdefghijklmn0123",
          "secret has more than 64 bytes" },
        { "whsec_" LONG "0123456789abcdefghijkB==", base64 },
        { "whsec_", base64 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", base64 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAA===", base64 },
        { "whsec_AAAAAAAAAAAAAAAA=AAAAAAAAAAAAAAA", base64 },
        { "whsec_AAAAAAAAAAAAAAAA AAAAAAAAAAAAAAA", base64 },
        { "whsec_ AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", base64 },
        { "whsec_    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", base64 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-", base64 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_A", base64 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAA----", base64 },
        { "whsec_AAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAA", base64 },
        { "whsec_\377AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", base64 },
        { "", prefix },
        { "\n", prefix },
        { "whsec", prefix },
        { "WHSEC_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", prefix },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", prefix }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        copy = fixture_copy(table[i].text, strlen(table[i].text));

        err[0] = '\0';
        mac = ngx_enroll_webhook_secret(copy.data, copy.len, err);

        if (!tap_ok((mac != NULL) == (table[i].err == NULL)
                    && (mac != NULL || strcmp(err, table[i].err) == 0),
                    "secret %lu: %s", (unsigned long) i,
                    table[i].err ? table[i].err : "accepted"))
        {
            printf("# %s\n", err);
        }

        EVP_MAC_CTX_free(mac);
        free(copy.data);
    }
}


int
main(void)
{
    test_specification();
    test_verify();
    test_tolerance();
    test_secrets();
    test_every_bit();
    test_secret();

    return tap_done();
}
