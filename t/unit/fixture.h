
/* Key sets and strings for the unit tests. */

#ifndef _FIXTURE_H_INCLUDED_
#define _FIXTURE_H_INCLUDED_


#include "ngx_enroll_keys.h"

#include <stdlib.h>

#include "tap.h"
#include "vectors.h"


#define OCT(kid, k)                                                          \
    "{\"kty\":\"oct\",\"kid\":\"" kid "\",\"k\":\"" k "\"}"

#define SUBJECT_KEY  OCT("subject", K_SUBJECT)

#define KEYS_A       "{\"keys\":[" OCT("a", K_A) "," SUBJECT_KEY "]}"
#define KEYS_B       "{\"keys\":[" OCT("b", K_B) "," SUBJECT_KEY "]}"
#define KEYS_BA      "{\"keys\":[" OCT("b", K_B) "," OCT("a", K_A) ","        \
                     SUBJECT_KEY "]}"


static inline void
fixture_keys(ngx_enroll_keys_t *keys, const char *json)
{
    char  err[NGX_ENROLL_ERR_LEN];

    if (ngx_enroll_keys_read(keys, (const u_char *) json, strlen(json), err)
        != NGX_OK)
    {
        printf("Bail out! keys: %s\n", err);
        exit(1);
    }
}


/* In memory of its exact size, so that reading past it is noticed. */

static inline ngx_str_t
fixture_copy(const void *data, size_t len)
{
    ngx_str_t  s;

    s.len = len;
    s.data = malloc(len ? len : 1);
    memcpy(s.data, data, len);

    return s;
}


static inline ngx_str_t
fixture_str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static inline int
fixture_is_hex(const u_char *data, size_t len, const char *hex)
{
    char    two[3];
    size_t  i;

    if (strlen(hex) != 2 * len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        snprintf(two, sizeof(two), "%02x", data[i]);

        if (memcmp(two, hex + 2 * i, 2) != 0) {
            return 0;
        }
    }

    return 1;
}


#endif /* _FIXTURE_H_INCLUDED_ */
