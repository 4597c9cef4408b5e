
/*
 * Standard Webhooks (https://www.standardwebhooks.com, specification 1.0):
 * webhook-id, webhook-timestamp and webhook-signature over
 * "id.timestamp.body" with HMAC-SHA-256.
 */

#ifndef _NGX_ENROLL_WEBHOOK_H_INCLUDED_
#define _NGX_ENROLL_WEBHOOK_H_INCLUDED_


#include "ngx_enroll_keys.h"


#define NGX_ENROLL_WEBHOOK_TOLERANCE   300   /* seconds, to both sides */
#define NGX_ENROLL_WEBHOOK_ID_MAX      255
#define NGX_ENROLL_WEBHOOK_SIGS_MAX    16    /* signatures in one header */


typedef struct {
    ngx_str_t  id;
    ngx_str_t  timestamp;
    ngx_str_t  signature;
} ngx_enroll_webhook_t;


/*
 * Reads a secret, "whsec_" and the base64 of 24 to 64 bytes, white space
 * around it allowed, into a kept HMAC context that the caller frees with
 * EVP_MAC_CTX_free(). NULL with a text in err.
 */
EVP_MAC_CTX *ngx_enroll_webhook_secret(const u_char *text, size_t len,
    char err[NGX_ENROLL_ERR_LEN]);

/*
 * NULL when one of the signatures ("v1,<base64>", space-separated; other
 * versions are passed over) is that of one of the n secrets and the
 * timestamp is within the tolerance of now; otherwise a short, constant
 * text that says what is wrong, for the error log and the answer: "no
 * webhook-id", "webhook-timestamp is too old" … All secrets and signatures
 * are compared whichever matches, in constant time.
 *
 * The id is 1 to 255 printable ASCII characters with neither space nor dot:
 * a dot would make "id.timestamp.body" ambiguous.
 */
const char *ngx_enroll_webhook_verify(EVP_MAC_CTX *const *secrets,
    ngx_uint_t n, const ngx_enroll_webhook_t *webhook, const ngx_str_t *body,
    time_t now);


#endif /* _NGX_ENROLL_WEBHOOK_H_INCLUDED_ */
