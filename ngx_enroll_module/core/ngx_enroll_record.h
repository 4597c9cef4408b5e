
/*
 * The MACs over what never changes in a token's record, over its proof, and
 * over each approval. With them, somebody who
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
    ngx_str_t  exception;                           /* may be empty */
    ngx_str_t  requester;                           /* may be empty */
} ngx_enroll_record_t;


/*
 * What a prover attested (I4), as it stands in the record. The id says whose
 * it is: the record's own mac binds the subject to that.
 */
typedef struct {
    ngx_str_t  id;                                  /* 32 hex digits */
    ngx_str_t  subject;                             /* named by it, or empty */
    ngx_str_t  level;                               /* "ial1" … */
    ngx_str_t  prover;
    ngx_str_t  method;
    ngx_str_t  at;                                  /* decimal ms */
    ngx_str_t  evidence;                            /* may be empty */
    ngx_str_t  jti;                                 /* digest, hex */
} ngx_enroll_proof_record_t;


/* That somebody approved, likewise. */
typedef struct {
    ngx_str_t  id;
    ngx_str_t  approver;
    ngx_str_t  issuer;
} ngx_enroll_approval_record_t;


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

/* The same for a proof (proof_mac) and an approval (approval.N.mac). */
ngx_int_t ngx_enroll_proof_seal(ngx_enroll_keys_t *keys,
    const ngx_enroll_proof_record_t *proof,
    u_char mac[NGX_ENROLL_RECORD_MAC_LEN]);
ngx_int_t ngx_enroll_proof_verify(ngx_enroll_keys_t *keys,
    const ngx_enroll_proof_record_t *proof, const ngx_str_t *mac);

ngx_int_t ngx_enroll_approval_seal(ngx_enroll_keys_t *keys,
    const ngx_enroll_approval_record_t *approval,
    u_char mac[NGX_ENROLL_RECORD_MAC_LEN]);
ngx_int_t ngx_enroll_approval_verify(ngx_enroll_keys_t *keys,
    const ngx_enroll_approval_record_t *approval, const ngx_str_t *mac);


#endif /* _NGX_ENROLL_RECORD_H_INCLUDED_ */
