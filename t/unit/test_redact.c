
#include "ngx_enroll_redact.h"

#include "fixture.h"


#define STARS_8   "********"
#define STARS_59  STARS_8 STARS_8 STARS_8 STARS_8 STARS_8 STARS_8 STARS_8 "***"
#define STARS_91  STARS_59 STARS_8 STARS_8 STARS_8 STARS_8


static void
test_table(void)
{
    ngx_str_t   copy;
    ngx_uint_t  i, n;

    static const struct {
        const char  *text;
        const char  *masked;
        ngx_uint_t   n;
        const char  *name;
    } table[] = {
        { "", "", 0, "nothing" },
        { "enr", "enr", 0, "half a prefix" },
        { "enr_", "enr_", 0, "a prefix" },
        { "enr_1234567", "enr_1234567", 0, "seven characters" },
        { "enr_12345678", "enr_" STARS_8, 1, "eight characters" },
        { "ens_abcdEF-_", "ens_" STARS_8, 1, "a cookie" },
        { TOKEN_A, "enr_" STARS_59, 1, "a whole token" },
        { SESSION_A, "ens_" STARS_91, 1, "a whole cookie" },
        { "GET /e#" TOKEN_A " HTTP/1.1", "GET /e#enr_" STARS_59 " HTTP/1.1",
          1, "in a request line" },
        { "?t=" TOKEN_A "&u=" TOKEN_B "&v=" SESSION_A,
          "?t=enr_" STARS_59 "&u=enr_" STARS_59 "&v=ens_" STARS_91, 3,
          "three" },
        { "ENR_12345678 Enr_12345678 eNS_12345678",
          "ENR_" STARS_8 " Enr_" STARS_8 " eNS_" STARS_8, 3, "in any case" },
        { "enr_1234567=enr_12345678", "enr_1234567=enr_" STARS_8, 1,
          "a short one before a long one" },
        { "enr_enr_12345678", "enr_" STARS_8 "****", 1,
          "a prefix in front of another" },
        { "enr_ens_", "enr_ens_", 0, "two prefixes" },
        { "enr_abcdefgh=", "enr_" STARS_8 "=", 1, "padding stays" },
        { "enr_abcdefgh+abc", "enr_" STARS_8 "+abc", 1,
          "up to another character" },
        { "xenr_12345678", "xenr_" STARS_8, 1, "behind a letter" },
        { "eenr_12345678", "eenr_" STARS_8, 1, "behind its first letter" },
        { "enrenr_12345678", "enrenr_" STARS_8, 1, "behind half of it" },
        { "ent_12345678 en_12345678 enr-12345678 nr_12345678",
          "ent_12345678 en_12345678 enr-12345678 nr_12345678", 0,
          "other words" },
        { "enr_****************", "enr_****************", 0,
          "what is masked already" },
        { "\377enr_12345678\377\200", "\377enr_" STARS_8 "\377\200", 1,
          "among bytes" }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        copy = fixture_copy(table[i].text, strlen(table[i].text));

        n = ngx_enroll_redact(copy.data, copy.len, NGX_ENROLL_REDACT_LOG);

        if (!tap_ok(n == table[i].n
                    && copy.len == strlen(table[i].masked)
                    && memcmp(copy.data, table[i].masked, copy.len) == 0,
                    "I5 %s", table[i].name))
        {
            printf("# %lu: %.*s\n", (unsigned long) n, (int) copy.len,
                   copy.data);
        }

        free(copy.data);
    }
}


static void
test_everywhere(void)
{
    u_char      text[256];
    size_t      at, len;
    ngx_uint_t  wrong;

    /* wherever it stands, and wherever the log cut the line */

    wrong = 0;

    for (at = 0; at < 100; at++) {
        for (len = at; len <= at + sizeof(TOKEN_A) - 1; len++) {
            memset(text, ' ', sizeof(text));
            memcpy(text + at, TOKEN_A, sizeof(TOKEN_A) - 1);

            wrong += ngx_enroll_redact(text, len, NGX_ENROLL_REDACT_LOG)
                     != (len >= at + 12);

            if (len >= at + 12) {
                wrong += memchr(text + at + 4, '*', 1) == NULL;
                wrong += text[len - 1] != '*';
            }

            wrong += memcmp(text + len, &TOKEN_A[len - at],
                            at + sizeof(TOKEN_A) - 1 - len)
                     != 0;
        }
    }

    tap_ok(wrong == 0, "I5 anywhere, cut anywhere, nothing written past the "
           "end");
}


static void
test_words(void)
{
    size_t                i;
    ngx_str_t             copy;
    ngx_uint_t            n;

    static const struct {
        const char   *text;
        ngx_uint_t    n;
        const char   *name;
    } table[] = {
        { TOKEN_A, 1, "a token" },
        { "/x?token=" TOKEN_A, 1, "in a query" },
        { "/x/" TOKEN_A "/y", 1, "in a path" },
        { "a=" TOKEN_A "; b=" TOKEN_A, 2, "twice" },
        { "/enroll%23" TOKEN_A, 1, "behind an encoded #" },
        { "/x?r=%2Fenroll%2523" TOKEN_A, 0, "encoded twice it is not seen" },
        { "/enr%5f012345678901234567890123456789012", 1, "an encoded _" },
        { "x" TOKEN_A, 0, "within a word it is somebody else's" },
        { "eyJh." "x-" TOKEN_A, 0, "after a dash, too" },
        { "enr_preferences", 0, "a short word is somebody else's" },
        { "enr_0123456789012345678901234567890", 0, "31 characters" },
        { "enr_01234567890123456789012345678901", 1, "32 characters" }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        copy = fixture_copy(table[i].text, strlen(table[i].text));
        n = ngx_enroll_redact(copy.data, copy.len, NGX_ENROLL_REDACT_WORDS);

        tap_ok(n == table[i].n
               && (n > 0) == (memchr(copy.data, '*', copy.len) != NULL),
               "I5 words: %s", table[i].name);

        free(copy.data);
    }
}


static void
test_whole(void)
{
    char       text[sizeof(TOKEN_A)];
    ngx_uint_t  n;

    strcpy(text, TOKEN_A);
    n = ngx_enroll_redact((u_char *) text, strlen(text),
                          NGX_ENROLL_REDACT_WHOLE);
    tap_ok(n == 1 && strchr(text, '*') != NULL, "I5 whole: a token");

    strcpy(text, TOKEN_A);
    n = ngx_enroll_redact((u_char *) text, strlen(text) - 1,
                          NGX_ENROLL_REDACT_WHOLE);
    tap_ok(n == 0 && strcmp(text, TOKEN_A) == 0,
           "whole: what is shorter is somebody else's");
}


static void
test_characters(void)
{
    u_char      text[13];
    ngx_uint_t  c, wrong, ours;

    wrong = 0;

    for (c = 0; c < 256; c++) {
        memcpy(text, "enr_1234567", 11);
        text[11] = (u_char) c;
        text[12] = '!';

        ours = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
                           "yz0123456789-_", (int) c) != NULL;

        wrong += ngx_enroll_redact(text, sizeof(text),
                                   NGX_ENROLL_REDACT_LOG) != ours;
        wrong += text[12] != '!';
    }

    tap_ok(wrong == 0, "the characters of base64url and no others");
}


int
main(void)
{
    test_table();
    test_everywhere();
    test_words();
    test_whole();
    test_characters();

    return tap_done();
}
