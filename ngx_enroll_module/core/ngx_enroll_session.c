
#include "ngx_enroll_session.h"
#include "ngx_enroll_wire.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


#define NGX_ENROLL_SESSION_EXPIRES_LEN  8


static ngx_int_t ngx_enroll_session_digest(ngx_enroll_key_t *key,
    ngx_enroll_session_t *session);
static ngx_int_t ngx_enroll_session_expires(ngx_enroll_session_t *session,
    const u_char *p);


static const ngx_enroll_wire_t  ngx_enroll_session_wire = {
    NGX_ENROLL_SESSION_PREFIX,
    NGX_ENROLL_KEY_SESSION,
    NGX_ENROLL_SESSION_RAW_LEN,
    NGX_ENROLL_SESSION_LEN
};


ngx_int_t
ngx_enroll_session_make(ngx_enroll_keys_t *keys, ngx_uint_t partition,
    const u_char id[NGX_ENROLL_DIGEST_LEN], ngx_enroll_session_t *session)
{
    ngx_enroll_key_t  *key;

    key = &keys->keys[0];

    ngx_memzero(session, sizeof(ngx_enroll_session_t));

    session->key = key->number;
    session->partition = partition;
    ngx_memcpy(session->id, id, NGX_ENROLL_DIGEST_LEN);

    if (RAND_bytes(session->secret, NGX_ENROLL_SESSION_SECRET_LEN) != 1) {
        return NGX_ERROR;
    }

    return ngx_enroll_session_digest(key, session);
}


ngx_int_t
ngx_enroll_session_write(ngx_enroll_keys_t *keys,
    const ngx_enroll_session_t *session, u_char text[NGX_ENROLL_SESSION_LEN])
{
    u_char             raw[NGX_ENROLL_SESSION_RAW_LEN], *p;
    int64_t            expires;
    ngx_int_t          rc, shift;
    ngx_enroll_key_t  *key;

    /* the key of its digest, not the first: it is what the record knows */

    key = ngx_enroll_key_find(keys, session->key);

    if (key == NULL || session->expires < 0) {
        return NGX_ERROR;
    }

    p = raw + NGX_ENROLL_WIRE_HEAD_LEN;
    p = ngx_cpymem(p, session->id, NGX_ENROLL_DIGEST_LEN);
    p = ngx_cpymem(p, session->secret, NGX_ENROLL_SESSION_SECRET_LEN);

    expires = session->expires;

    for (shift = 56; shift >= 0; shift -= 8) {
        *p++ = (u_char) (expires >> shift);
    }

    rc = ngx_enroll_wire_seal(&ngx_enroll_session_wire, key,
                              session->partition, raw, text);

    OPENSSL_cleanse(raw, sizeof(raw));

    return rc;
}


ngx_int_t
ngx_enroll_session_read(ngx_enroll_keys_t *keys, const ngx_str_t *text,
    ngx_enroll_session_t *session)
{
    u_char             raw[NGX_ENROLL_SESSION_RAW_LEN], *p;
    ngx_int_t          rc;
    ngx_enroll_key_t  *key;

    ngx_memzero(session, sizeof(ngx_enroll_session_t));

    rc = ngx_enroll_wire_open(&ngx_enroll_session_wire, keys, text, raw, &key);

    if (rc == NGX_OK) {
        p = raw + NGX_ENROLL_WIRE_HEAD_LEN;

        session->key = key->number;
        session->partition = ngx_enroll_wire_partition(raw);

        ngx_memcpy(session->id, p, NGX_ENROLL_DIGEST_LEN);
        p += NGX_ENROLL_DIGEST_LEN;

        ngx_memcpy(session->secret, p, NGX_ENROLL_SESSION_SECRET_LEN);
        p += NGX_ENROLL_SESSION_SECRET_LEN;

        rc = ngx_enroll_session_expires(session, p);
    }

    if (rc == NGX_OK) {
        rc = ngx_enroll_session_digest(key, session);
    }

    OPENSSL_cleanse(raw, sizeof(raw));

    return rc;
}


static ngx_int_t
ngx_enroll_session_digest(ngx_enroll_key_t *key,
    ngx_enroll_session_t *session)
{
    return ngx_enroll_wire_digest(key->mac[NGX_ENROLL_KEY_SESSION], "session",
                                  session->secret,
                                  NGX_ENROLL_SESSION_SECRET_LEN,
                                  session->digest);
}


static ngx_int_t
ngx_enroll_session_expires(ngx_enroll_session_t *session, const u_char *p)
{
    uint64_t    expires;
    ngx_uint_t  i;

    expires = 0;

    for (i = 0; i < NGX_ENROLL_SESSION_EXPIRES_LEN; i++) {
        expires = (expires << 8) | p[i];
    }

    if (expires > NGX_MAX_TIME_T_VALUE) {
        return NGX_DECLINED;
    }

    session->expires = (time_t) expires;

    return NGX_OK;
}
