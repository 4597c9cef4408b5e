
/*
 * Why something was refused: one vocabulary for the scripts' verdicts, the
 * answers' "reason", the events, the counters and the docs.
 */

#ifndef _NGX_ENROLL_REASON_H_INCLUDED_
#define _NGX_ENROLL_REASON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_ENROLL_OK = 0,

    /* said by the ledger's scripts */
    NGX_ENROLL_UNKNOWN,          /* no record of that id */
    NGX_ENROLL_REDEEMED,         /* spent, and not by this session */
    NGX_ENROLL_CLAIMED,          /* a finish is in flight, or ended unknown */
    NGX_ENROLL_ENROLLED,
    NGX_ENROLL_EXPIRED,
    NGX_ENROLL_REVOKED,
    NGX_ENROLL_LOCKED,           /* its attempts are spent */
    NGX_ENROLL_VOID,             /* the store rolled back */
    NGX_ENROLL_ORDER,            /* finish before begin */
    NGX_ENROLL_CLASS,            /* a class that is not (or not his) */
    NGX_ENROLL_UNPROOFED,        /* the class asks for proofing (I4) */
    NGX_ENROLL_UNAPPROVED,       /* … for approvals */
    NGX_ENROLL_DENIED,           /* deny_if */
    NGX_ENROLL_AUTHENTICATOR,    /* not one that the class allows */
    NGX_ENROLL_FIRST_USE,        /* the subject has enrolled already (I9) */
    NGX_ENROLL_NEVER_ENROLLED,   /* recovery, of nothing */
    NGX_ENROLL_SAME_ISSUER,      /* … by who issued the original */
    NGX_ENROLL_SAME_CHANNEL,     /* … on the way the original went */
    NGX_ENROLL_SUBJECT,          /* of another subject */
    NGX_ENROLL_LEVEL,            /* a proof below what the class asks for */
    NGX_ENROLL_SEEN,             /* an attestation that served already */
    NGX_ENROLL_APPROVER,         /* the requester, the subject, or twice */

    /* said by the proxy */
    NGX_ENROLL_MISSING,          /* no credential where one is needed */
    NGX_ENROLL_FORGED,           /* not a credential of ours */
    NGX_ENROLL_DUPLICATE,        /* two credentials in one request */
    NGX_ENROLL_SCOPE,            /* a bearer outside the endpoints */
    NGX_ENROLL_METHOD,
    NGX_ENROLL_URI,              /* not canonical */
    NGX_ENROLL_SUBREQUEST,       /* an endpoint reached by a subrequest */
    NGX_ENROLL_CROSS_SITE,
    NGX_ENROLL_EARLY,            /* TLS early data */
    NGX_ENROLL_BODY,             /* too long, no length, not understood */
    NGX_ENROLL_SIGNATURE,        /* an issuer's call that is not his */
    NGX_ENROLL_CHANNEL,          /* one that the class or issuer lacks */
    NGX_ENROLL_ATTRIBUTES,       /* that the class requires are missing */
    NGX_ENROLL_ATTESTATION,      /* of a prover, that is not his */
    NGX_ENROLL_THROTTLED,        /* an issuer above his rate */
    NGX_ENROLL_UNDELIVERED,      /* the token did not reach its way out */
    NGX_ENROLL_NOTHING,          /* no such token, says revoke */
    NGX_ENROLL_ENDED,            /* it has ended otherwise, says revoke */
    NGX_ENROLL_TAMPERED,         /* the record's mac is not ours */
    NGX_ENROLL_UNAVAILABLE,      /* the ledger does not answer */

    /* between the scripts and the ledger's C side only */
    NGX_ENROLL_AGAIN,
    NGX_ENROLL_REPEAT,
    NGX_ENROLL_STALE,

    NGX_ENROLL_REASONS
} ngx_enroll_reason_e;


/* The reason's word, a constant string. */
const ngx_str_t *ngx_enroll_reason_name(ngx_enroll_reason_e reason);

/* The reason of that word, or NGX_ENROLL_REASONS. */
ngx_enroll_reason_e ngx_enroll_reason_find(const ngx_str_t *name);


#endif /* _NGX_ENROLL_REASON_H_INCLUDED_ */
