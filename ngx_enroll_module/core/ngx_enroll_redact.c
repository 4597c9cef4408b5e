
#include "ngx_enroll_redact.h"


#define NGX_ENROLL_REDACT_PREFIX_LEN  4     /* "enr_", "ens_" */
#define NGX_ENROLL_REDACT_MIN         8
#define NGX_ENROLL_REDACT_WORD_MIN    32


static ngx_uint_t ngx_enroll_redact_is_prefix(const u_char *p);
static ngx_uint_t ngx_enroll_redact_is_base64url(u_char c);


ngx_uint_t
ngx_enroll_redact(u_char *text, size_t len, ngx_uint_t words)
{
    u_char      *p, *end, *run;
    ngx_uint_t   n, min;

    min = words ? NGX_ENROLL_REDACT_WORD_MIN : NGX_ENROLL_REDACT_MIN;
    n = 0;
    p = text;
    end = text + len;

    while (end - p >= NGX_ENROLL_REDACT_PREFIX_LEN) {

        if (!ngx_enroll_redact_is_prefix(p)
            || (words && p > text
                && ngx_enroll_redact_is_base64url(p[-1])))
        {
            p++;
            continue;
        }

        p += NGX_ENROLL_REDACT_PREFIX_LEN;

        for (run = p; run < end; run++) {
            if (!ngx_enroll_redact_is_base64url(*run)) {
                break;
            }
        }

        /* a run too short is searched on: "enr_ens_…" */

        if ((ngx_uint_t) (run - p) >= min) {
            ngx_memset(p, '*', run - p);
            p = run;
            n++;
        }
    }

    return n;
}


static ngx_uint_t
ngx_enroll_redact_is_prefix(const u_char *p)
{
    return (p[0] | 0x20) == 'e'
           && (p[1] | 0x20) == 'n'
           && ((p[2] | 0x20) == 'r' || (p[2] | 0x20) == 's')
           && p[3] == '_';
}


static ngx_uint_t
ngx_enroll_redact_is_base64url(u_char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '-' || c == '_';
}
