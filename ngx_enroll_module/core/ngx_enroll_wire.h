
/*
 * What tokens and session cookies have in common: a prefix of four characters
 * and the base64url (RFC 4648, section 5, no padding) of
 *
 *     version(1) key(1) partition(2) … tag(16)
 *
 * where tag is HMAC-SHA-256 of all that precedes it, the prefix included, cut
 * to 16 bytes.
 */

#ifndef _NGX_ENROLL_WIRE_H_INCLUDED_
#define _NGX_ENROLL_WIRE_H_INCLUDED_


#include "ngx_enroll_keys.h"


#define NGX_ENROLL_WIRE_VERSION     1
#define NGX_ENROLL_WIRE_PREFIX_LEN  4
#define NGX_ENROLL_WIRE_HEAD_LEN    4     /* version, key, partition */
#define NGX_ENROLL_WIRE_TAG_LEN     16
#define NGX_ENROLL_WIRE_TEXT_MAX    95    /* the longest form's text */


typedef struct {
    const char                *prefix;
    ngx_enroll_key_purpose_e   purpose;   /* whose key makes the tag */
    size_t                     raw_len;
    size_t                     text_len;
} ngx_enroll_wire_t;


/*
 * Completes raw, of which the caller has written what is between head and
 * tag, and writes its text. NGX_OK or NGX_ERROR (OpenSSL, a partition of more
 * than two bytes).
 */
ngx_int_t ngx_enroll_wire_seal(const ngx_enroll_wire_t *wire,
    ngx_enroll_key_t *key, ngx_uint_t partition, u_char *raw, u_char *text);

/*
 * The reverse: the text's raw bytes and the key they are under. NGX_OK;
 * NGX_DECLINED: length, prefix, alphabet, a non-canonical last character,
 * version, unknown key, tag; NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_enroll_wire_open(const ngx_enroll_wire_t *wire,
    ngx_enroll_keys_t *keys, const ngx_str_t *text, u_char *raw,
    ngx_enroll_key_t **key);

ngx_uint_t ngx_enroll_wire_partition(const u_char *raw);

/*
 * The first 16 bytes of HMAC(mac, label || secret). The labels under one key
 * differ from each other and from the prefix under it, and none begins
 * another, so one use of a key never yields what another use means.
 */
ngx_int_t ngx_enroll_wire_digest(EVP_MAC_CTX *mac, const char *label,
    const u_char *secret, size_t len, u_char digest[NGX_ENROLL_DIGEST_LEN]);


#endif /* _NGX_ENROLL_WIRE_H_INCLUDED_ */
