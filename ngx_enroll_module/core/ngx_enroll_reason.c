
#include "ngx_enroll_reason.h"


static const ngx_str_t  ngx_enroll_reasons[NGX_ENROLL_REASONS] = {
    ngx_string("ok"),

    ngx_string("unknown"),
    ngx_string("redeemed"),
    ngx_string("claimed"),
    ngx_string("enrolled"),
    ngx_string("expired"),
    ngx_string("revoked"),
    ngx_string("locked"),
    ngx_string("void"),
    ngx_string("order"),
    ngx_string("class"),
    ngx_string("unproofed"),
    ngx_string("unapproved"),
    ngx_string("denied"),
    ngx_string("authenticator"),
    ngx_string("first_use"),
    ngx_string("never_enrolled"),
    ngx_string("same_issuer"),
    ngx_string("same_channel"),
    ngx_string("subject"),
    ngx_string("level"),
    ngx_string("seen"),
    ngx_string("approver"),

    ngx_string("missing"),
    ngx_string("forged"),
    ngx_string("duplicate"),
    ngx_string("scope"),
    ngx_string("method"),
    ngx_string("uri"),
    ngx_string("subrequest"),
    ngx_string("cross_site"),
    ngx_string("early"),
    ngx_string("body"),
    ngx_string("signature"),
    ngx_string("channel"),
    ngx_string("attributes"),
    ngx_string("attestation"),
    ngx_string("throttled"),
    ngx_string("undelivered"),
    ngx_string("nothing"),
    ngx_string("ended"),
    ngx_string("tampered"),
    ngx_string("unavailable"),

    ngx_string("again"),
    ngx_string("repeat"),
    ngx_string("stale")
};


const ngx_str_t *
ngx_enroll_reason_name(ngx_enroll_reason_e reason)
{
    return &ngx_enroll_reasons[reason];
}


ngx_enroll_reason_e
ngx_enroll_reason_find(const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_ENROLL_REASONS; i++) {
        if (name->len == ngx_enroll_reasons[i].len
            && ngx_memcmp(name->data, ngx_enroll_reasons[i].data,
                          name->len) == 0)
        {
            break;
        }
    }

    return i;
}
