
/*
 * The key set: one JWK Set file (RFC 7517) with `oct` keys, from which the
 * purpose keys are derived with HKDF-SHA-256 (RFC 5869), one `oct` key whose
 * kid is "subject", and any number of EC P-256 keys for what others verify.
 *
 * The first `oct` key makes, all verify: rotation is adding a key in front.
 * The subject key is apart because what it digests (the subject's own record
 * and partition) has to be found again after every other key was rotated.
 *
 * core/ uses nginx' types, never its functions: it links without nginx.
 */

#ifndef _NGX_ENROLL_KEYS_H_INCLUDED_
#define _NGX_ENROLL_KEYS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>
#include <openssl/evp.h>


#define NGX_ENROLL_MAC_LEN     32      /* HMAC-SHA-256 */
#define NGX_ENROLL_DIGEST_LEN  16      /* what of it names things in Redis */
#define NGX_ENROLL_KEY_MIN     32      /* bytes of an `oct` key, at least */
#define NGX_ENROLL_KEYS_MAX    16      /* `oct` keys in a set, at most */
#define NGX_ENROLL_ERR_LEN     256     /* room for an error's text */


typedef enum {
    NGX_ENROLL_KEY_TAG = 0,            /* authenticates the token's bytes */
    NGX_ENROLL_KEY_ID,                 /* turns its secret into its id */
    NGX_ENROLL_KEY_SESSION,            /* session cookie and its digest */
    NGX_ENROLL_KEY_RECORD,             /* authenticates the Redis record */
    NGX_ENROLL_KEY_PURPOSES
} ngx_enroll_key_purpose_e;


/*
 * number is the byte by which tokens and cookies name the key. It is derived
 * from the key itself, so it stays the same wherever in the file the key is.
 * The contexts are kept, keyed HMAC-SHA-256 contexts.
 */
typedef struct {
    u_char        number;
    EVP_MAC_CTX  *mac[NGX_ENROLL_KEY_PURPOSES];
} ngx_enroll_key_t;


typedef struct {
    ngx_uint_t        nkeys;
    ngx_enroll_key_t  keys[NGX_ENROLL_KEYS_MAX];
    EVP_MAC_CTX      *subject;
    json_t           *signer;          /* the first EC key with a private
                                          part, its alg and kid set; or NULL */
    json_t           *jwks;            /* the set of the EC keys' public
                                          parts, each with alg, kid and use */
} ngx_enroll_keys_t;


/*
 * Reads a JWK Set of len bytes into *keys.
 *
 * NGX_OK, or NGX_ERROR with a text in err that says what is wrong and what
 * would be right: not JSON, not a JWK Set, no `oct` key, no key with the kid
 * "subject", a key shorter than 32 bytes, a curve other than P-256, a point
 * that is not on it, a private part that is not its own, another alg or use
 * than ES256 and "sig", two EC keys of one kid (its RFC 7638 thumbprint where
 * it has none), two keys of the same number, more than NGX_ENROLL_KEYS_MAX
 * keys, an unknown kty.
 * On error nothing is left to free. The key bytes are cleansed.
 */
ngx_int_t ngx_enroll_keys_read(ngx_enroll_keys_t *keys, const u_char *json,
    size_t len, char err[NGX_ENROLL_ERR_LEN]);

/* Frees contexts and keys, cleansed; *keys itself is the caller's. */
void ngx_enroll_keys_free(ngx_enroll_keys_t *keys);

/* The key of that number, or NULL. */
ngx_enroll_key_t *ngx_enroll_key_find(ngx_enroll_keys_t *keys, u_char number);

/*
 * A kept HMAC-SHA-256 context under that key, or NULL (OpenSSL). Freed with
 * EVP_MAC_CTX_free().
 */
EVP_MAC_CTX *ngx_enroll_hmac_context(const u_char *key, size_t len);

/*
 * HMAC-SHA-256 over the parts, one after the other, into out. It is the
 * caller who makes the parts unambiguous. NGX_OK or NGX_ERROR (OpenSSL).
 */
ngx_int_t ngx_enroll_hmac(EVP_MAC_CTX *mac, const ngx_str_t *parts,
    ngx_uint_t n, u_char out[NGX_ENROLL_MAC_LEN]);

/*
 * The subject's digest, which names its record, and its partition: a keyed
 * hash modulo their number (partitions >= 1). NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_enroll_subject_digest(ngx_enroll_keys_t *keys,
    const ngx_str_t *subject, ngx_uint_t partitions,
    u_char digest[NGX_ENROLL_DIGEST_LEN], ngx_uint_t *partition);


#endif /* _NGX_ENROLL_KEYS_H_INCLUDED_ */
