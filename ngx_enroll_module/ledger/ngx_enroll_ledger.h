
/*
 * The ledger's verbs over the token records in Redis. Each verb is one Lua
 * script, run atomically; what a script takes and answers stands at its top.
 */

#ifndef _NGX_ENROLL_LEDGER_H_INCLUDED_
#define _NGX_ENROLL_LEDGER_H_INCLUDED_


#include "ngx_enroll_call.h"


typedef enum {
    NGX_ENROLL_OUTCOME_UNDECIDED = 0,
    NGX_ENROLL_OUTCOME_ENROLLED,
    NGX_ENROLL_OUTCOME_REFUSED,
    NGX_ENROLL_OUTCOME_UNKNOWN,
    NGX_ENROLL_OUTCOME_RELEASED
} ngx_enroll_outcome_e;


/* The highest that was seen: a ledger that knows less has lost it. */
typedef struct {
    ngx_atomic_t    epoch;
    ngx_atomic_t    seq;
} ngx_enroll_seen_t;


struct ngx_enroll_ledger_s {
    ngx_enroll_redis_t          *redis;
    ngx_enroll_keys_t           *keys;
    ngx_uint_t                   partitions;
    ngx_msec_t                   retain;
    ngx_msec_t                   events_retain;

    /*
     * The fence (I10). seen: of each partition, in shared memory; NULL: none.
     */
    ngx_uint_t                   sequence;   /* 1: enroll_fence sequence */
    ngx_enroll_seen_t           *seen;

    /*
     * Called for each reply, before the verb's own step and the call's
     * handler; NULL: there is none.
     */
    ngx_enroll_call_journal_pt   journal;

    /*
     * Called for each result before the call's handler, and also where
     * nobody waits for it any more: for logs, counters and tombstones.
     */
    ngx_enroll_call_handler_pt   observe;
    void                        *data;       /* observe's */

    ngx_uint_t                   late;       /* calls that are to be sent
                                                again */
};


/* A token's record, as one who bears it asks for it. */
typedef struct {
    ngx_uint_t      partition;
    const u_char   *id;                    /* NGX_ENROLL_DIGEST_LEN bytes */
    const u_char   *session;               /* likewise; NULL: none */
    unsigned        direct:1;              /* the token is the session */
    ngx_str_t       client;                /* its address */

    ngx_uint_t                nrules;
    const ngx_enroll_rule_t  *rules;       /* of all classes */
} ngx_enroll_bearer_t;


/* What a joiner event orders. Times in milliseconds. */
typedef struct {
    ngx_str_t       subject;
    ngx_str_t       class;
    ngx_str_t       exception;             /* the class's parent, or empty */
    ngx_str_t       recovers;              /* classes whose enrollments it
                                              may recover, with spaces
                                              between; empty: for first use */
    ngx_uint_t      deliver;               /* 1: by the proxy; see below */
    ngx_str_t       issuer;
    ngx_str_t       event;
    ngx_str_t       requester;             /* may be empty */
    ngx_str_t       channel;
    ngx_msec_t      ttl;
    ngx_msec_t      window;
    ngx_uint_t      attempts;
    ngx_uint_t      nattributes;
    ngx_keyval_t   *attributes;
    ngx_str_t       client;
} ngx_enroll_order_t;


/* What an issuer wants revoked: id (hex) where not empty, else subject. */
typedef struct {
    ngx_str_t       id;
    ngx_str_t       subject;
    ngx_str_t       why;
    ngx_str_t       by;                    /* the issuer */
    ngx_str_t       event;                 /* its event: obeyed once */
    ngx_str_t       client;
} ngx_enroll_revocation_t;


/* A proof: of id (hex) where not empty, and of subject where not empty. */
typedef struct {
    ngx_str_t       id;
    ngx_str_t       subject;
    ngx_uint_t      level;                 /* ngx_enroll_proof_level_e */
    ngx_str_t       prover;                /* its name here */
    ngx_str_t       iss;                   /* … and to others */
    ngx_str_t       method;
    ngx_str_t       evidence;
    ngx_str_t       jti;
    int64_t         proofed_at;            /* ms since the epoch */
    ngx_msec_t      keep;                  /* how long jti is remembered */
    ngx_str_t       client;
    ngx_uint_t                nrules;
    const ngx_enroll_rule_t  *rules;
} ngx_enroll_proofing_t;


typedef struct {
    ngx_str_t       id;                    /* hex */
    ngx_str_t       approver;
    ngx_str_t       issuer;
    ngx_str_t       event;
    ngx_str_t       client;
    ngx_uint_t                nrules;
    const ngx_enroll_rule_t  *rules;
} ngx_enroll_approving_t;


/*
 * Each verb starts a call and returns it, or NULL (no memory, OpenSSL):
 * nothing was sent then. The handler is never called from within.
 * Arguments are copied. A verdict of NGX_ENROLL_UNAVAILABLE says that Redis
 * did not answer, or that too few replicas have what it wrote: whatever was
 * asked for, it must not be acted upon.
 */
ngx_enroll_call_t *ngx_enroll_redeem(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data);
ngx_enroll_call_t *ngx_enroll_begin(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data);

/*
 * ordered: a begin must have come before. The call's op is the claim's id,
 * which the settlement names. A claim whose caller detached, whose reply never
 * came, or which too few replicas have, is released as soon as the ledger
 * answers: it was not forwarded. facts go to the record as they are: what is
 * known of the authenticator.
 */
ngx_enroll_call_t *ngx_enroll_claim(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_uint_t ordered,
    const ngx_keyval_t *facts, ngx_uint_t nfacts,
    ngx_enroll_call_handler_pt handler, void *data);

/*
 * Sends the outcome of a claim (NGX_ENROLL_HEX_LEN digits); nobody waits for
 * it. It is tried again for a day, while the worker lives and not too many
 * wait; until it lands the token is claimed, that is, closed. status is the
 * IdP's, or 0. subject may be empty where the outcome is not enrolled.
 */
void ngx_enroll_settle(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, const ngx_str_t *subject,
    const u_char *claim, ngx_enroll_outcome_e outcome, ngx_uint_t status);

/*
 * Makes a token. In the handler, where the verdict is ok, call->text is the
 * token; it is cleansed when the handler returns. Where it is repeat, the
 * result is that of the token which this joiner event got before.
 */
ngx_enroll_call_t *ngx_enroll_issue(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_order_t *order, ngx_enroll_call_handler_pt handler,
    void *data);

ngx_enroll_call_t *ngx_enroll_revoke(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_revocation_t *revocation,
    ngx_enroll_call_handler_pt handler, void *data);

/*
 * Takes back what was issued: revokes the token, and forgets that the joiner
 * event was answered, so that it can be repeated. Tried for a day, like a
 * settlement; nobody waits for it. id is NGX_ENROLL_HEX_LEN digits.
 */
void ngx_enroll_undo(ngx_enroll_ledger_t *ledger, ngx_uint_t partition,
    const u_char *id, const ngx_str_t *issuer, const ngx_str_t *event,
    const char *why, const ngx_str_t *client);

/*
 * Says that a token which the proxy was to deliver has been. Likewise tried
 * for a day. Until then its record says delivery=pending, and a repeated
 * joiner event should not be answered as if all were well.
 */
void ngx_enroll_delivered(ngx_enroll_ledger_t *ledger, ngx_uint_t partition,
    const u_char *id, const ngx_str_t *client);

/*
 * Tells that a joiner event was refused before the ledger was asked; nobody
 * waits for it. why: what is missing, in words.
 */
void ngx_enroll_refuse_order(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_order_t *order, ngx_enroll_reason_e reason,
    const ngx_str_t *why);

/*
 * Tells that a token which this host knows to be spent was presented again;
 * nobody waits for it. It never redeems.
 */
void ngx_enroll_replay(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer);

/*
 * Writes a proof on the record of an id or of a subject's token (I4).
 * Verdicts: ok, repeat (by this attestation, before), subject, level, seen,
 * and those of a token that has ended.
 */
ngx_enroll_call_t *ngx_enroll_prove(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_proofing_t *proofing,
    ngx_enroll_call_handler_pt handler, void *data);

/*
 * Writes an approval on the record. Verdicts: ok, repeat (the event was
 * obeyed before), approver, class (it asks for none), and those of a token
 * that has ended or is spent.
 */
ngx_enroll_call_t *ngx_enroll_approve(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_approving_t *approving,
    ngx_enroll_call_handler_pt handler, void *data);

/* Reads the record: may this bearer's session go on? */
ngx_enroll_call_t *ngx_enroll_show(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data);


#endif /* _NGX_ENROLL_LEDGER_H_INCLUDED_ */
