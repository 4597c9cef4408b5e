
/*
 * What must not pass for a token, and not for a session cookie: the same
 * tables for both, given the function that reads one.
 */

#ifndef _MANGLE_H_INCLUDED_
#define _MANGLE_H_INCLUDED_


#include "fixture.h"

#include <ctype.h>
#include <jose/b64.h>


#define MANGLE_MAX  128

typedef ngx_int_t (*mangle_read_pt)(const ngx_str_t *text);


static inline ngx_int_t
mangle_read(mangle_read_pt read, const void *text, size_t len)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = fixture_copy(text, len);
    rc = read(&copy);
    free(copy.data);

    return rc;
}


static inline void
mangle_bits(mangle_read_pt read, const char *what, const char *text)
{
    char    changed[MANGLE_MAX];
    int     passed;
    size_t  i, bit, len, raw_len;
    u_char  raw[MANGLE_MAX];

    passed = 0;
    len = strlen(text);

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(changed, text, len);
            changed[i] ^= (char) (1 << bit);
            passed += mangle_read(read, changed, len) != NGX_DECLINED;
        }
    }

    tap_ok(passed == 0, "I5 %s with any bit of its text flipped is refused",
           what);

    passed = 0;
    raw_len = jose_b64_dec_buf(text + 4, len - 4, raw, sizeof(raw));
    memcpy(changed, text, len);

    for (i = 0; i < raw_len; i++) {
        for (bit = 0; bit < 8; bit++) {
            raw[i] ^= (u_char) (1 << bit);
            jose_b64_enc_buf(raw, raw_len, changed + 4, len - 4);
            passed += mangle_read(read, changed, len) != NGX_DECLINED;
            raw[i] ^= (u_char) (1 << bit);
        }
    }

    tap_ok(passed == 0, "I5 %s with any of its %zu bits flipped is refused",
           what, raw_len * 8);
}


static inline void
mangle_lengths(mangle_read_pt read, const char *what, const char *text)
{
    int     passed;
    char    longer[MANGLE_MAX + 2];
    size_t  n, len;

    len = strlen(text);
    passed = 0;

    for (n = 0; n < len; n++) {
        passed += mangle_read(read, text, n) != NGX_DECLINED;
        passed += mangle_read(read, text + len - n, n) != NGX_DECLINED;
    }

    tap_ok(passed == 0, "%s truncated anywhere is refused", what);

    passed = 0;

    for (n = 0; n < 256; n++) {
        memcpy(longer, text, len);
        longer[len] = (char) n;
        passed += mangle_read(read, longer, len + 1) != NGX_DECLINED;

        longer[0] = (char) n;
        memcpy(longer + 1, text, len);
        passed += mangle_read(read, longer, len + 1) != NGX_DECLINED;
    }

    memcpy(longer + len, text, 4);
    passed += mangle_read(read, longer, len + 4) != NGX_DECLINED;

    tap_ok(passed == 0, "%s extended by any byte is refused", what);
}


static inline void
mangle_characters(mangle_read_pt read, const char *what, const char *text)
{
    int          passed;
    char         changed[MANGLE_MAX];
    size_t       i, k, len;
    const char  *p;

    static const char  foreign[] = "=+/ \t\r\n.,;%~*\0\177\200\377";

    len = strlen(text);
    passed = 0;

    for (i = 0; i < len; i++) {
        for (k = 0; k < sizeof(foreign) - 1; k++) {
            memcpy(changed, text, len);
            changed[i] = foreign[k];
            passed += mangle_read(read, changed, len) != NGX_DECLINED;
        }
    }

    tap_ok(passed == 0, "%s with a foreign character anywhere is refused",
           what);

    passed = 0;

    for (i = 0; i < len; i++) {
        if (isalpha((u_char) text[i])) {
            memcpy(changed, text, len);
            changed[i] ^= 0x20;
            passed += mangle_read(read, changed, len) != NGX_DECLINED;
        }
    }

    tap_ok(passed == 0, "%s with a letter in the other case is refused", what);

    /* the last character has spare bits: its neighbours decode alike */

    passed = 0;
    p = strchr(JOSE_B64_MAP, text[len - 1]);
    memcpy(changed, text, len);

    for (i = 0; i < 64; i++) {
        if (JOSE_B64_MAP[i] != *p) {
            changed[len - 1] = JOSE_B64_MAP[i];
            passed += mangle_read(read, changed, len) != NGX_DECLINED;
        }
    }

    tap_ok(passed == 0, "%s with another last character is refused, "
           "the non-canonical ones too", what);
}


static inline void
mangle(mangle_read_pt read, const char *what, const char *text)
{
    tap_ok(mangle_read(read, text, strlen(text)) == NGX_OK,
           "%s is accepted as it is", what);

    mangle_bits(read, what, text);
    mangle_lengths(read, what, text);
    mangle_characters(read, what, text);
}


#endif /* _MANGLE_H_INCLUDED_ */
