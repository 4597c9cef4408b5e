
/*
 * Compact JWS (RFC 7515) by others' keys: issuers that push SETs, provers.
 * All JOSE is libjose's. A key verifies one algorithm, the one it is pinned
 * to when the set is read, whatever a header asks for.
 */

#ifndef _NGX_ENROLL_JWKS_H_INCLUDED_
#define _NGX_ENROLL_JWKS_H_INCLUDED_


#include <jansson.h>

#include "ngx_enroll_keys.h"


#define NGX_ENROLL_JWKS_MAX     16       /* keys in a set, at most */
#define NGX_ENROLL_JWS_MAX      16384    /* bytes of a compact JWS */
#define NGX_ENROLL_JWT_SKEW     60       /* seconds that clocks may differ */


/* Public keys, each with its algorithm pinned. */
typedef struct {
    json_t      *keys[NGX_ENROLL_JWKS_MAX];
    ngx_uint_t   nkeys;
} ngx_enroll_jwks_t;


/* Why a JWS was not accepted: the classes that RFC 8935 has codes for. */
typedef enum {
    NGX_ENROLL_JWT_OK = 0,
    NGX_ENROLL_JWT_MALFORMED,      /* not a compact JWS, not JSON, claims */
    NGX_ENROLL_JWT_KEY,            /* kid unknown, alg not the key's, crit */
    NGX_ENROLL_JWT_SIGNATURE,
    NGX_ENROLL_JWT_ISSUER,
    NGX_ENROLL_JWT_AUDIENCE,
    NGX_ENROLL_JWT_TIME,           /* exp, nbf, iat */
    NGX_ENROLL_JWT_ERROR           /* no memory, OpenSSL */
} ngx_enroll_jwt_e;


/* What a JWS has to say. Times are seconds since the epoch. */
typedef struct {
    const char  *typ;              /* NULL: any, or none; compared without
                                      case and "application/" */
    ngx_str_t    iss;
    ngx_str_t    aud;
    time_t       max_age;          /* of iat, in seconds; iat is needed */
    ngx_uint_t   exp;              /* 1: exp is needed, too */
    time_t       now;
} ngx_enroll_jwt_rule_t;


/*
 * Reads a JWK Set (RFC 7517) of public keys: EC P-256 (ES256) and P-384
 * (ES384), RSA of 2048 to 8192 bits (alg RS256 or PS256 … as the key says;
 * RS256 where it says none). Refused: `oct` keys, private members, `use`
 * other than "sig", an alg that does not fit, a point not on its curve, two
 * keys of one kid, several keys of which one has no kid, more than
 * NGX_ENROLL_JWKS_MAX. NGX_OK; NGX_ERROR with a text in err, nothing to
 * free.
 */
ngx_int_t ngx_enroll_jwks_read(ngx_enroll_jwks_t *jwks, const u_char *json,
    size_t len, char err[NGX_ENROLL_ERR_LEN]);
void ngx_enroll_jwks_free(ngx_enroll_jwks_t *jwks);

/*
 * Verifies a compact JWS and its claims. On NGX_ENROLL_JWT_OK *claims is the
 * payload, a JSON object, which the caller releases; otherwise it is NULL and
 * *wrong a short constant text for the error log and the answer.
 *
 * A kid in the header names the key; without one a set of one key serves.
 * Duplicate members, invalid UTF-8, an unencoded payload, `crit`, embedded
 * keys (jwk, jku, x5c, x5u) and nesting beyond jansson's are refused. iss
 * must equal; aud is a string that equals or an array that holds it; exp,
 * nbf and iat are integers; iat is not in the future; all within
 * NGX_ENROLL_JWT_SKEW.
 */
ngx_enroll_jwt_e ngx_enroll_jwt_verify(const ngx_enroll_jwks_t *jwks,
    const ngx_str_t *jws, const ngx_enroll_jwt_rule_t *rule, json_t **claims,
    const char **wrong);

/*
 * The iss that a compact JWS claims, before anything is verified, to find
 * whose keys to try: *iss points into *payload, which the caller releases.
 * NGX_OK or NGX_DECLINED (malformed, no iss; *payload is NULL).
 */
ngx_int_t ngx_enroll_jwt_issuer(const ngx_str_t *jws, ngx_str_t *iss,
    json_t **payload);

/*
 * A compact JWS of claims (which stay the caller's) with typ, under the first
 * EC key of the key set that has a private part: ES256, kid. malloc()ed,
 * NUL-terminated; NULL: no such key, no memory, OpenSSL.
 */
char *ngx_enroll_jwt_sign(ngx_enroll_keys_t *keys, const char *typ,
    json_t *claims);


#endif /* _NGX_ENROLL_JWKS_H_INCLUDED_ */
