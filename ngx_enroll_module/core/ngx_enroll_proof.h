
/*
 * An attestation: what a prover's verified JWS says of a subject's proofing
 * (SP 800-63A-4).
 *
 *     { "iss": …, "aud": …, "iat": …, "exp": …, "jti": …,
 *       "subject": "u-1042" | "id": "<token id>" | "nonce": "<token id>",
 *       "ial": "ial2", "method": "document", "proofed_at": 1790000000,
 *       "evidence": "case-77" }
 *
 * What an OpenID provider sends serves as well: nonce is the token's id, acr
 * ("ial2", "…/ial/2" or a trailing ":ial:2") the level, the first of amr the
 * method, auth_time the time.
 */

#ifndef _NGX_ENROLL_PROOF_H_INCLUDED_
#define _NGX_ENROLL_PROOF_H_INCLUDED_


#include "ngx_enroll_class.h"
#include "ngx_enroll_joiner.h"


#define NGX_ENROLL_EVIDENCE_MAX  64      /* bytes of the reference */
#define NGX_ENROLL_JTI_MAX       255


/* Strings point into the claims, or are constant. */
typedef struct {
    ngx_str_t                 jti;
    ngx_str_t                 subject;   /* empty: not named */
    ngx_str_t                 id;        /* 32 hex digits, or empty */
    ngx_uint_t                nonce;     /* 1: id was named by a nonce */
    ngx_enroll_proof_level_e  level;     /* ial1 at least */
    ngx_str_t                 method;    /* [a-z0-9_-], or "unspecified" */
    ngx_str_t                 evidence;  /* may be empty */
    int64_t                   proofed_at;        /* ms since the epoch */
} ngx_enroll_proof_t;


/*
 * Reads the claims of an attestation that was verified. claim is the name of
 * the one that says who was proofed; NULL: "subject", or where that is not
 * there, "sub". NGX_OK; NGX_DECLINED with a text in err: no jti; neither a
 * subject nor an id; a nonce without a subject; id and nonce that differ; no
 * level, or both ial and acr that differ; a proofed_at in the future (by more
 * than NGX_ENROLL_JWT_SKEW) or not an integer; events; bounds.
 *
 * A nonce is what the bearer's browser took to the prover: it says which
 * token was meant, and nothing of who stood there. So the subject has to be
 * said beside it. An id is the prover's own word that he knows whose token it
 * is, and needs none, unless claim is named; then sub is not looked at.
 */
ngx_int_t ngx_enroll_proof_read(ngx_enroll_proof_t *proof, json_t *claims,
    const char *claim, time_t now, char err[NGX_ENROLL_ERR_LEN]);


#endif /* _NGX_ENROLL_PROOF_H_INCLUDED_ */
