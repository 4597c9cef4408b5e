
/*
 * The token's wire form: "enr_" and the base64url (RFC 4648, section 5, no
 * padding) of
 *
 *     version(1) key(1) partition(2) secret(24) tag(16)
 *
 * where tag is HMAC-SHA-256 of all that precedes it, "enr_" included, under
 * the tag key, cut to 16 bytes. Whoever holds no key can neither forge one
 * nor learn from an id or a digest in Redis what the token is (I5).
 *
 * The id is HMAC-SHA-256(id key, secret), cut to 16 bytes, of which the first
 * two give way to the partition (big-endian): whoever has an id alone, to
 * revoke it or to prove or approve something of it, finds the record by it.
 */

#ifndef _NGX_ENROLL_TOKEN_H_INCLUDED_
#define _NGX_ENROLL_TOKEN_H_INCLUDED_


#include "ngx_enroll_keys.h"


#define NGX_ENROLL_TOKEN_PREFIX      "enr_"
#define NGX_ENROLL_TOKEN_SECRET_LEN  24
#define NGX_ENROLL_TOKEN_RAW_LEN     44
#define NGX_ENROLL_TOKEN_LEN         63      /* "enr_" and 59 characters */

#define NGX_ENROLL_TOKEN_PARTITION_LEN  2    /* of the id's first bytes */


typedef struct {
    u_char      key;                                /* its key's number */
    ngx_uint_t  partition;
    u_char      id[NGX_ENROLL_DIGEST_LEN];
    u_char      session[NGX_ENROLL_DIGEST_LEN];     /* see below */
} ngx_enroll_token_t;


/*
 * Makes a fresh token under the first key: its text (no NUL at its end) and
 * what it says. The caller cleanses text when done with it.
 * NGX_OK or NGX_ERROR (no randomness, OpenSSL).
 */
ngx_int_t ngx_enroll_token_make(ngx_enroll_keys_t *keys, ngx_uint_t partition,
    ngx_enroll_token_t *token, u_char text[NGX_ENROLL_TOKEN_LEN]);

/*
 * Reads and authenticates a token. token->session is the digest under which
 * a bearer who has no browser (Authorization: Bearer) holds the session: the
 * token is its own session secret then.
 *
 * NGX_OK; NGX_DECLINED: it is not one of ours (length, alphabet, a
 * non-canonical last character, version, unknown key, tag: one answer for
 * all, tag compared in constant time); NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_enroll_token_read(ngx_enroll_keys_t *keys,
    const ngx_str_t *text, ngx_enroll_token_t *token);


#endif /* _NGX_ENROLL_TOKEN_H_INCLUDED_ */
