
/*
 * JWK Sets and the keys in them that make or verify signatures (RFC 7517,
 * RFC 7518, 6.2 and 6.3). A key is made anew of those members that were
 * checked: nothing else that stands in it is ever seen by libjose.
 */

#ifndef _NGX_ENROLL_JWK_H_INCLUDED_
#define _NGX_ENROLL_JWK_H_INCLUDED_


#include "ngx_enroll_keys.h"


#define NGX_ENROLL_RSA_MIN  2048         /* bits of a modulus */
#define NGX_ENROLL_RSA_MAX  8192


/*
 * A JWK Set: a JSON object whose "keys" is an array, which the caller
 * releases. NULL with a text in err, which quotes nothing.
 */
json_t *ngx_enroll_jwk_set(const u_char *json, size_t len,
    char err[NGX_ENROLL_ERR_LEN]);

/*
 * The public part of a key for signatures: kty, crv, x, y or kty, n, e, with
 * kid (where it has one), use "sig" and alg: the one that it names, or
 * ES256, ES384 (by its curve), RS256. name is how errors call the key. The
 * caller releases it. NULL with a text in err: another kty or curve, an alg
 * that does not fit, another use, key_ops without "verify" and "sign", a
 * point that is not on the curve, a modulus out of bounds.
 */
json_t *ngx_enroll_jwk_public(const json_t *jwk, const char *name,
    char err[NGX_ENROLL_ERR_LEN]);

/*
 * The same with the private part d of an EC key, of which public is the
 * public part. Released by ngx_enroll_jwk_free(). NULL with a text in err: d
 * does not belong to it.
 */
json_t *ngx_enroll_jwk_private(const json_t *jwk, const json_t *public,
    const char *name, char err[NGX_ENROLL_ERR_LEN]);

/* Releases a key, after its private part was cleansed; NULL is allowed. */
void ngx_enroll_jwk_free(json_t *jwk);

/* The first private member of a JWK ("d", "k" …), or NULL. */
const char *ngx_enroll_jwk_secret(const json_t *jwk);

/* The member's string, or NULL. */
const char *ngx_enroll_jwk_member(const json_t *jwk, const char *name);


#endif /* _NGX_ENROLL_JWK_H_INCLUDED_ */
