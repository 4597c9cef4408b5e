
#include "ngx_enroll_reason.h"

#include "fixture.h"

#include <ctype.h>


static void
test_names(void)
{
    size_t            k;
    ngx_str_t         copy;
    ngx_uint_t        i, j, found, words, same;
    const ngx_str_t  *name;

    found = 0;
    words = 0;
    same = 0;

    for (i = 0; i < NGX_ENROLL_REASONS; i++) {
        name = ngx_enroll_reason_name(i);

        copy = fixture_copy(name->data, name->len);
        found += ngx_enroll_reason_find(&copy) == i;
        free(copy.data);

        for (k = 0; k < name->len; k++) {
            words += !(islower(name->data[k]) || name->data[k] == '_');
        }

        words += name->len == 0 || name->data[name->len] != '\0';

        for (j = 0; j < i; j++) {
            same += ngx_strcmp(ngx_enroll_reason_name(j)->data, name->data)
                    == 0;
        }
    }

    tap_ok(found == NGX_ENROLL_REASONS, "each is found by its name");
    tap_ok(words == 0, "they are words");
    tap_ok(same == 0, "each of its own");
}


static void
test_others(void)
{
    size_t            len;
    u_char            text[64];
    ngx_str_t         copy;
    ngx_uint_t        i, wrong;
    const ngx_str_t  *name;

    wrong = 0;

    for (i = 0; i < NGX_ENROLL_REASONS; i++) {
        name = ngx_enroll_reason_name(i);
        memcpy(text, name->data, name->len);
        text[name->len] = 'x';

        for (len = 0; len <= name->len + 1; len++) {
            copy = fixture_copy(text, len);
            wrong += len != name->len
                     && ngx_enroll_reason_find(&copy) != NGX_ENROLL_REASONS;
            free(copy.data);
        }

        text[0] = (u_char) toupper(text[0]);
        copy = fixture_copy(text, name->len);
        wrong += ngx_enroll_reason_find(&copy) != NGX_ENROLL_REASONS;
        free(copy.data);

        memcpy(text, name->data, name->len);
        text[name->len] = '\0';
        copy = fixture_copy(text, name->len + 1);
        wrong += ngx_enroll_reason_find(&copy) != NGX_ENROLL_REASONS;
        free(copy.data);
    }

    tap_ok(wrong == 0, "shorter, longer, upper-cased, with a NUL: none");
}


static void
test_states(void)
{
    ngx_str_t   word;
    ngx_uint_t  i, wrong;

    /* a state that is no reason must not become one by accident */

    static const char  *states[] = { "issued", "none", "" };

    static const char  *ends[] = {
        "redeemed", "claimed", "enrolled", "expired", "revoked", "locked",
        "void"
    };

    wrong = 0;

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        word = fixture_str(states[i]);
        wrong += ngx_enroll_reason_find(&word) != NGX_ENROLL_REASONS;
    }

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        word = fixture_str(ends[i]);
        wrong += ngx_enroll_reason_find(&word) == NGX_ENROLL_REASONS;
    }

    tap_ok(wrong == 0, "the states that refuse are reasons, the others not");
}


int
main(void)
{
    test_names();
    test_others();
    test_states();

    return tap_done();
}
