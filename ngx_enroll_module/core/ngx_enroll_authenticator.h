
/*
 * What a WebAuthn registration response says of the authenticator that was
 * bound (WebAuthn Level 3: RegistrationResponseJSON 5.1, attestation object
 * 6.5, authenticator data 6.1). Read, never verified: the IdP verifies
 * signatures, the proxy keeps the record and the policy.
 */

#ifndef _NGX_ENROLL_AUTHENTICATOR_H_INCLUDED_
#define _NGX_ENROLL_AUTHENTICATOR_H_INCLUDED_


#include <jansson.h>

#include "ngx_enroll_class.h"


#define NGX_ENROLL_RESPONSE_MAX         65536  /* bytes of a body */
#define NGX_ENROLL_CREDENTIAL_MAX       1023   /* bytes of a credential id */
#define NGX_ENROLL_ORIGIN_MAX           255
#define NGX_ENROLL_TRANSPORTS_MAX       64


/* All text is NUL-terminated, printable ASCII. */
typedef struct {
    char        credential[65];    /* SHA-256 of the credential id, hex */
    char        aaguid[37];        /* 8-4-4-4-12, lower case */
    char        attestation[33];   /* fmt: "none", "packed" … */
    char        transports[NGX_ENROLL_TRANSPORTS_MAX + 1];  /* "usb,nfc" */
    char        origin[NGX_ENROLL_ORIGIN_MAX + 1];
    unsigned    user_present:1;
    unsigned    user_verified:1;
    unsigned    backup_eligible:1;
    unsigned    backed_up:1;
} ngx_enroll_authenticator_t;


/*
 * Reads a body. place names where the RegistrationResponseJSON is: member
 * names separated by dots ("data.credential"), or empty: the body itself.
 *
 * NGX_OK; NGX_DECLINED, with a short constant text in *wrong: another shape,
 * too large, malformed, or inconsistent (the id of the JSON is not that of
 * the authenticator data; type not public-key; clientDataJSON's type not
 * webauthn.create; no attested credential data; backed up, but not
 * backup-eligible; authenticatorData that are not those of the attestation
 * object; trailing bytes), or such that another parser may read it otherwise
 * (a member is there twice, or again in other letters; base64url that is not
 * canonical). NGX_ERROR, with a text likewise: no memory. All is
 * zero then.
 */
ngx_int_t ngx_enroll_authenticator_read(
    ngx_enroll_authenticator_t *authenticator, const ngx_str_t *body,
    const ngx_str_t *place, const char **wrong);

/*
 * In what a class does not allow it: NULL, or one of the constant words
 * "unread", "backup_eligible", "attestation", "aaguid", "user_verification",
 * "origin". What could not be read (authenticator is NULL) passes only where
 * the class says so and demands nothing else: it meets no demand.
 */
const char *ngx_enroll_authenticator_refused(const ngx_enroll_class_t *class,
    const ngx_enroll_authenticator_t *authenticator);


#endif /* _NGX_ENROLL_AUTHENTICATOR_H_INCLUDED_ */
