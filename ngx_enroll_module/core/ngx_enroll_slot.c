
#include "ngx_enroll_slot.h"


#define NGX_ENROLL_PORT_MAX  65535


static ngx_uint_t ngx_enroll_slot_crc16(const u_char *p, const u_char *last);
static const u_char *ngx_enroll_redirect_number(const u_char *p,
    const u_char *last, ngx_uint_t max, ngx_uint_t *number);


ngx_uint_t
ngx_enroll_slot(const ngx_str_t *key)
{
    const u_char  *p, *last, *end;

    last = key->data + key->len;

    for (p = key->data; p < last && *p != '{'; p++) { /* void */ }

    if (p < last) {
        p++;

        for (end = p; end < last && *end != '}'; end++) { /* void */ }

        if (end < last && end > p) {
            return ngx_enroll_slot_crc16(p, end) % NGX_ENROLL_SLOTS;
        }
    }

    return ngx_enroll_slot_crc16(key->data, last) % NGX_ENROLL_SLOTS;
}


/* CRC-16/XMODEM: the polynomial 0x1021, from 0, not reflected */

static ngx_uint_t
ngx_enroll_slot_crc16(const u_char *p, const u_char *last)
{
    ngx_uint_t  crc, bit;

    crc = 0;

    for ( /* void */ ; p < last; p++) {
        crc ^= (ngx_uint_t) *p << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
        }

        crc &= 0xffff;
    }

    return crc;
}


ngx_int_t
ngx_enroll_redirect(const ngx_str_t *error, ngx_enroll_redirect_t *redirect)
{
    const u_char  *p, *last, *colon, *q;

    p = error->data;
    last = p + error->len;

    if (last - p > 6 && memcmp(p, "MOVED ", 6) == 0) {
        redirect->ask = 0;
        p += 6;

    } else if (last - p > 4 && memcmp(p, "ASK ", 4) == 0) {
        redirect->ask = 1;
        p += 4;

    } else {
        return NGX_DECLINED;
    }

    p = ngx_enroll_redirect_number(p, last, NGX_ENROLL_SLOTS - 1,
                                   &redirect->slot);

    if (p == NULL || p == last || *p++ != ' ') {
        return NGX_DECLINED;
    }

    /* an IPv6 address has colons of its own */

    colon = NULL;

    for (q = p; q < last; q++) {
        if (*q <= ' ' || *q >= 0x7f) {
            return NGX_DECLINED;
        }

        if (*q == ':') {
            colon = q;
        }
    }

    if (colon == NULL
        || ngx_enroll_redirect_number(colon + 1, last, NGX_ENROLL_PORT_MAX,
                                      &redirect->port)
           != last
        || redirect->port == 0)
    {
        return NGX_DECLINED;
    }

    redirect->host.data = (u_char *) p;
    redirect->host.len = colon - p;

    return NGX_OK;
}


/* What follows it, or NULL: there is none, or it is larger than max. */

static const u_char *
ngx_enroll_redirect_number(const u_char *p, const u_char *last,
    ngx_uint_t max, ngx_uint_t *number)
{
    ngx_uint_t     n;
    const u_char  *start;

    n = 0;
    start = p;

    for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (*p - '0');

        if (n > max) {
            return NULL;
        }
    }

    if (p == start) {
        return NULL;
    }

    *number = n;

    return p;
}
