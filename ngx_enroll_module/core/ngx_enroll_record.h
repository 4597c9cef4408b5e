
/*
 * The MAC over what never changes in a token's record. With it, somebody who
 * writes Redis but has no key cannot mint a record that the proxy accepts,
 * move one to another subject, or give one a longer life (I5).
 */

#ifndef _NGX_ENROLL_RECORD_H_INCLUDED_
#define _NGX_ENROLL_RECORD_H_INCLUDED_


#include "ngx_enroll_keys.h"


/*
 * two hex digits of the key's number, and those of the MAC's first 16 bytes:
 * Redis keeps a hash compact, and in its order, while no value has more than
 * 64 bytes
 */
#define NGX_ENROLL_RECORD_MAC_LEN  34


/*
 * The strings as they stand in the record. Times are decimal milliseconds
 * since the epoch, window decimal milliseconds, attempts decimal.
 */
typedef struct {
    ngx_str_t  id;                                  /* 32 hex digits */
    ngx_str_t  subject;
    ngx_str_t  class;
    ngx_str_t  issuer;
    ngx_str_t  event;
    ngx_str_t  channel;
    ngx_str_t  expires_at;
    ngx_str_t  window;
    ngx_str_t  attempts_allowed;
} ngx_enroll_record_t;


/* Writes the record's mac field, under the first key. NGX_OK, NGX_ERROR. */
ngx_int_t ngx_enroll_record_seal(ngx_enroll_keys_t *keys,
    const ngx_enroll_record_t *record, u_char mac[NGX_ENROLL_RECORD_MAC_LEN]);

/*
 * Compares a record with its mac field, in constant time. NGX_OK;
 * NGX_DECLINED: malformed, of an unknown key, or of another record;
 * NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_enroll_record_verify(ngx_enroll_keys_t *keys,
    const ngx_enroll_record_t *record, const ngx_str_t *mac);


#endif /* _NGX_ENROLL_RECORD_H_INCLUDED_ */
