
/*
 * The enrollment session's cookie value: "ens_" and the base64url of
 *
 *     version(1) key(1) partition(2) id(16) secret(24) expires(8) tag(16)
 *
 * expires is in seconds since the epoch, big-endian; tag is HMAC-SHA-256 of
 * all that precedes it, "ens_" included, under the session key, cut to 16
 * bytes. It authenticates itself, so a forged one costs Redis nothing; the
 * record holds the digest of the one secret that redeemed it.
 */

#ifndef _NGX_ENROLL_SESSION_H_INCLUDED_
#define _NGX_ENROLL_SESSION_H_INCLUDED_


#include "ngx_enroll_keys.h"


#define NGX_ENROLL_SESSION_PREFIX      "ens_"
#define NGX_ENROLL_SESSION_SECRET_LEN  24
#define NGX_ENROLL_SESSION_RAW_LEN     68
#define NGX_ENROLL_SESSION_LEN         95    /* "ens_" and 91 characters */


typedef struct {
    u_char      key;                                /* its key's number */
    ngx_uint_t  partition;
    u_char      id[NGX_ENROLL_DIGEST_LEN];
    u_char      secret[NGX_ENROLL_SESSION_SECRET_LEN];
    u_char      digest[NGX_ENROLL_DIGEST_LEN];
    time_t      expires;
} ngx_enroll_session_t;


/*
 * Draws the secret of a new session for the token id, under the first key,
 * and computes its digest. expires is set later, by the caller, when the
 * ledger has said it. NGX_OK or NGX_ERROR (no randomness, OpenSSL).
 */
ngx_int_t ngx_enroll_session_make(ngx_enroll_keys_t *keys,
    ngx_uint_t partition, const u_char id[NGX_ENROLL_DIGEST_LEN],
    ngx_enroll_session_t *session);

/* Writes the cookie's value (no NUL at its end). NGX_OK or NGX_ERROR. */
ngx_int_t ngx_enroll_session_write(ngx_enroll_keys_t *keys,
    const ngx_enroll_session_t *session, u_char text[NGX_ENROLL_SESSION_LEN]);

/*
 * Reads and authenticates a cookie's value. Whether it has expired is for
 * the caller to see; session->secret should be cleansed when done with.
 * NGX_OK; NGX_DECLINED: not one of ours; NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_enroll_session_read(ngx_enroll_keys_t *keys,
    const ngx_str_t *text, ngx_enroll_session_t *session);


#endif /* _NGX_ENROLL_SESSION_H_INCLUDED_ */
