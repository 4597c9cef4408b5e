
#include "ngx_enroll_redact.h"
#include "ngx_enroll_session.h"
#include "ngx_enroll_token.h"


#define NGX_ENROLL_REDACT_PREFIX_LEN  4     /* "enr_", "ens_" */
#define NGX_ENROLL_REDACT_MIN         8
#define NGX_ENROLL_REDACT_WORD_MIN    32


static size_t ngx_enroll_redact_prefix(const u_char *p, const u_char *end);
static ngx_uint_t ngx_enroll_redact_long_enough(size_t len,
    ngx_enroll_redact_e how);
static ngx_uint_t ngx_enroll_redact_begins(const u_char *text,
    const u_char *p);
static ngx_uint_t ngx_enroll_redact_is_base64url(u_char c);


ngx_uint_t
ngx_enroll_redact(u_char *text, size_t len, ngx_enroll_redact_e how)
{
    size_t       prefix;
    u_char      *p, *end, *run;
    ngx_uint_t   n;

    n = 0;
    p = text;
    end = text + len;

    while (p < end) {

        prefix = ngx_enroll_redact_prefix(p, end);

        if (prefix == 0
            || (how != NGX_ENROLL_REDACT_LOG
                && !ngx_enroll_redact_begins(text, p)))
        {
            p++;
            continue;
        }

        p += prefix;

        for (run = p; run < end; run++) {
            if (!ngx_enroll_redact_is_base64url(*run)) {
                break;
            }
        }

        /* a run too short is searched on: "enr_ens_…" */

        if (ngx_enroll_redact_long_enough(run - p, how)) {
            ngx_memset(p, '*', run - p);
            p = run;
            n++;
        }
    }

    return n;
}


/* the length of a prefix, its underscore perhaps percent-encoded, or 0 */

static size_t
ngx_enroll_redact_prefix(const u_char *p, const u_char *end)
{
    if (end - p < NGX_ENROLL_REDACT_PREFIX_LEN
        || (p[0] | 0x20) != 'e'
        || (p[1] | 0x20) != 'n'
        || ((p[2] | 0x20) != 'r' && (p[2] | 0x20) != 's'))
    {
        return 0;
    }

    if (p[3] == '_') {
        return NGX_ENROLL_REDACT_PREFIX_LEN;
    }

    if (end - p >= NGX_ENROLL_REDACT_PREFIX_LEN + 2
        && p[3] == '%' && p[4] == '5' && (p[5] | 0x20) == 'f')
    {
        return NGX_ENROLL_REDACT_PREFIX_LEN + 2;
    }

    return 0;
}


static ngx_uint_t
ngx_enroll_redact_long_enough(size_t len, ngx_enroll_redact_e how)
{
    switch (how) {

    case NGX_ENROLL_REDACT_LOG:
        return len >= NGX_ENROLL_REDACT_MIN;

    case NGX_ENROLL_REDACT_WORDS:
        return len >= NGX_ENROLL_REDACT_WORD_MIN;

    default:
        return len == NGX_ENROLL_TOKEN_LEN - NGX_ENROLL_REDACT_PREFIX_LEN
               || len == NGX_ENROLL_SESSION_LEN
                         - NGX_ENROLL_REDACT_PREFIX_LEN;
    }
}


/* does a word begin at p? after "%23", too */

static ngx_uint_t
ngx_enroll_redact_begins(const u_char *text, const u_char *p)
{
    return p == text
           || !ngx_enroll_redact_is_base64url(p[-1])
           || (p - text >= 3 && p[-3] == '%');
}


static ngx_uint_t
ngx_enroll_redact_is_base64url(u_char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '-' || c == '_';
}
