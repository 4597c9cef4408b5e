
/*
 * What the files of http/ share: configuration, the request's context, and
 * each file's way in. Read ngx_http_enroll_guard.c first: it is the policy.
 */

#ifndef _NGX_HTTP_ENROLL_MODULE_H_INCLUDED_
#define _NGX_HTTP_ENROLL_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <jansson.h>

#include "ngx_enroll_authenticator.h"
#include "ngx_enroll_class.h"
#include "ngx_enroll_joiner.h"
#include "ngx_enroll_jwks.h"
#include "ngx_enroll_ledger.h"
#include "ngx_enroll_session.h"
#include "ngx_enroll_set.h"
#include "ngx_http_enroll_redis.h"
#include "ngx_http_enroll_zone.h"


#define NGX_HTTP_ENROLL_COOKIE        "__Host-enroll"
#define NGX_HTTP_ENROLL_STATUSES_MAX  16
#define NGX_HTTP_ENROLL_BODY_MAX      16384   /* of our own handlers */

/* endpoints: what a location of the IdP is to a session */
#define NGX_HTTP_ENROLL_NONE          0x0000
#define NGX_HTTP_ENROLL_OPEN          0x0001
#define NGX_HTTP_ENROLL_PAGE          0x0002
#define NGX_HTTP_ENROLL_BEGIN         0x0004
#define NGX_HTTP_ENROLL_FINISH        0x0008

/* what ends an epoch of the ledger (I10) */
#define NGX_HTTP_ENROLL_FENCE_INCARNATION  0
#define NGX_HTTP_ENROLL_FENCE_SEQUENCE     1

/* those that nobody reaches without a session */
#define NGX_HTTP_ENROLL_CLOSED        (NGX_HTTP_ENROLL_PAGE                   \
                                       |NGX_HTTP_ENROLL_BEGIN                 \
                                       |NGX_HTTP_ENROLL_FINISH)


/* Where a directive stood, for errors that are found later. */
typedef struct {
    u_char                     *file;
    ngx_uint_t                  line;
} ngx_http_enroll_where_t;


typedef struct {
    ngx_enroll_class_t          policy;        /* what can be compared */
    ngx_array_t                 deny;          /* ngx_http_complex_value_t */
    ngx_uint_t                  recovery;      /* of those who have enrolled */
    ngx_str_t                   recovers;      /* … by these classes */
    ngx_str_t                   deliver;       /* an internal location's uri */
    ngx_http_enroll_where_t     where;
} ngx_http_enroll_class_t;


/* It has either secrets (Standard Webhooks) or jwks (SET push). */
typedef struct {
    ngx_str_t                   name;
    ngx_array_t                 secrets;       /* of EVP_MAC_CTX * */
    ngx_enroll_jwks_t          *jwks;
    ngx_str_t                   iss;
    ngx_str_t                   aud;
    ngx_uint_t                  subject;       /* ngx_enroll_set_subject_e */
    ngx_array_t                *classes;       /* of ngx_str_t; a SET's is the
                                                  first */
    ngx_array_t                *channels;      /* likewise; NULL: any */
    ngx_uint_t                  approve;       /* 1: it may approve */
    ngx_uint_t                  rate;          /* calls in 1000 s; 0: any */
    ngx_uint_t                  burst;         /* calls */
    ngx_http_enroll_where_t     where;
} ngx_http_enroll_issuer_t;


typedef struct {
    ngx_str_t                   name;
    ngx_enroll_jwks_t          *jwks;
    ngx_str_t                   iss;
    ngx_str_t                   aud;
    ngx_str_t                   subject;       /* a claim's name; empty: the
                                                  usual ones */
    time_t                      max_age;       /* seconds */
    ngx_http_enroll_where_t     where;
} ngx_http_enroll_prover_t;


typedef struct ngx_http_enroll_notify_s   ngx_http_enroll_notify_t;
typedef struct ngx_http_enroll_journal_s  ngx_http_enroll_journal_t;

typedef struct {
    ngx_enroll_keys_t          *keys;
    ngx_uint_t                  partitions;
    ngx_http_enroll_zone_t     *zone;
    ngx_array_t                 classes;       /* ngx_http_enroll_class_t * */
    ngx_array_t                 issuers;       /* ngx_http_enroll_issuer_t * */
    ngx_array_t                 provers;       /* ngx_http_enroll_prover_t * */
    ngx_array_t                 logs;          /* those that are redacted */
    ngx_array_t                 slices;        /* ngx_http_enroll_slice_t */
    ngx_str_t                   landing;       /* pages' security policies */
    ngx_str_t                   refusal;
    ngx_http_enroll_notify_t   *notify;        /* NULL: events stay here */
    ngx_http_enroll_journal_t  *journal;       /* NULL: there is none */
} ngx_http_enroll_main_conf_t;


/* What the slice module is told in an endpoint; its own first member. */
typedef struct {
    size_t                     *size;
    ngx_http_enroll_where_t    *where;
} ngx_http_enroll_slice_t;


/* A closed endpoint's or a handler's; loose: as the IdP may read it. */
typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   loose;
    ngx_uint_t                  exact;
    ngx_uint_t                  folder;        /* a prefix that ends in '/' */
#if (NGX_PCRE)
    ngx_regex_t                *regex;         /* NULL: it is a prefix */
    ngx_regex_t                *caseless;
#endif
} ngx_http_enroll_place_t;


typedef struct {
    ngx_uint_t                  begins;        /* begin endpoints declared */
    ngx_uint_t                  guarded;       /* "enroll on" somewhere */
    ngx_array_t                 closed;        /* ngx_http_enroll_place_t */
    ngx_array_t                 ours;          /* the same, of handlers */
} ngx_http_enroll_srv_conf_t;


typedef struct {
    ngx_uint_t                  set;
    ngx_uint_t                  nstatuses;
    ngx_uint_t                  statuses[NGX_HTTP_ENROLL_STATUSES_MAX];
    ngx_http_complex_value_t   *variable;
    ngx_str_t                   member;        /* of the JSON body */
    ngx_str_t                   value;
} ngx_http_enroll_success_t;


typedef struct {
    ngx_flag_t                  enable;        /* enroll */
    ngx_uint_t                  endpoint;
    ngx_flag_t                  optional;
    ngx_http_enroll_success_t   success;

    ngx_http_enroll_redis_conf_t  redis;
    ngx_msec_t                  retain;
    ngx_msec_t                  events_retain;
    ngx_msec_t                  session_cache;
    ngx_uint_t                  fence;         /* enroll_fence */
    ngx_open_file_t            *log;           /* NULL: the error log */

    ngx_http_handler_pt         handler;       /* ours, that serves it */
    ngx_array_t                *issuers;       /* ngx_http_enroll_issuer_t * */
    ngx_array_t                *issuer_names;  /* ngx_str_t, of this place */
    ngx_array_t                *provers;       /* ngx_http_enroll_prover_t * */
    ngx_array_t                *prover_names;  /* ngx_str_t, of this place */
    ngx_http_complex_value_t   *url;
    ngx_http_complex_value_t   *prove_at;      /* where to be proofed */
    ngx_str_t                   target;        /* where a browser is led */
    ngx_str_t                   authenticator; /* its place in the body */
    ngx_str_t                   assertion_iss;
    ngx_str_t                   assertion_aud;
    ngx_http_enroll_where_t     assertion_where;

    ngx_http_enroll_where_t     where;         /* endpoint or handler */
    ngx_enroll_ledger_t         ledger;        /* the worker's, once asked */
} ngx_http_enroll_loc_conf_t;


typedef enum {
    NGX_HTTP_ENROLL_BEARER_NONE = 0,
    NGX_HTTP_ENROLL_BEARER_TOKEN,              /* Authorization: Bearer */
    NGX_HTTP_ENROLL_BEARER_SESSION,            /* the cookie */
    NGX_HTTP_ENROLL_BEARER_FORGED,
    NGX_HTTP_ENROLL_BEARER_DUPLICATE
} ngx_http_enroll_bearer_e;


typedef void (*ngx_http_enroll_body_pt)(ngx_http_request_t *r,
    ngx_str_t *body);

typedef struct ngx_http_enroll_order_s     ngx_http_enroll_order_t;
typedef struct ngx_http_enroll_delivery_s  ngx_http_enroll_delivery_t;

/*
 * What has become of an order. reason is OK (a token was made), REPEAT (it
 * was before, by the same event), or why not; then detail may say more than
 * its usual text. Strings are gone when it returns.
 */
typedef struct {
    ngx_enroll_reason_e           reason;
    const char                   *detail;      /* may be NULL */
    ngx_str_t                     id;          /* hex; OK, REPEAT */
    ngx_str_t                     state;       /* OK, REPEAT */
    ngx_str_t                     token;       /* OK; empty: delivered */
    ngx_str_t                     url;         /* OK; empty: delivered */
    int64_t                       expires_at;  /* OK; ms since the epoch */
} ngx_http_enroll_ordered_t;

/* Sends the answer in the caller's form; a code to finalize with. */
typedef ngx_int_t (*ngx_http_enroll_order_pt)(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered);


/*
 * The request's context. It survives internal redirects, which wipe r->ctx:
 * it is found again in the pool's cleanup list.
 */
typedef struct {
    ngx_http_request_t           *request;

    /* the credential, as it came; it is not in the headers any more */
    ngx_http_enroll_bearer_e      bearer;
    ngx_uint_t                    partition;
    u_char                        id[NGX_ENROLL_DIGEST_LEN];
    u_char                        session[NGX_ENROLL_DIGEST_LEN];
    time_t                        expires;     /* of the cookie */

    /* what is known of the token, for variables */
    u_char                        hex[NGX_ENROLL_HEX_LEN];
    ngx_str_t                     subject;
    ngx_str_t                     class;
    ngx_str_t                     state;
    ngx_str_t                     proof;
    ngx_str_t                     exception;   /* the class's parent, if any */
    ngx_enroll_reason_e           reason;      /* of the refusal, or OK */

    ngx_enroll_authenticator_t   *authenticator;   /* that finish brings */

    /* the ledger is being asked, or has answered, for asked */
    ngx_enroll_call_t            *call;
    ngx_uint_t                    asked;       /* endpoint */
    ngx_uint_t                    granted;     /* endpoints */

    /* the claim, and what becomes of it */
    ngx_http_enroll_loc_conf_t   *conf;        /* where it was claimed */
    u_char                        claim[NGX_ENROLL_HEX_LEN];
    ngx_uint_t                    nstates;     /* upstream tries before it */
    ngx_http_upstream_t          *upstream;    /* the one before it */
    ngx_enroll_outcome_e          outcome;
    ngx_uint_t                    status;      /* the IdP's */
    ngx_buf_t                    *body;        /* its JSON, collected */

    /* the proxy's word to the IdP, and the location it was made for */
    ngx_str_t                     assertion;
    ngx_http_enroll_loc_conf_t   *asserted;

    /* of our own handlers */
    ngx_http_enroll_body_pt       body_handler;
    const char                   *step;
    ngx_http_enroll_order_t      *order;
    ngx_http_enroll_delivery_t   *delivery;

    unsigned                      parsed:1;
    unsigned                      cleaned:1;   /* of reserved headers */
    unsigned                      cookie:1;    /* there was one of ours */
    unsigned                      ended:1;     /* it is known to be over */
    unsigned                      leaked:1;    /* a token is in the URI */
    unsigned                      passed:1;    /* the guard has let it */
    unsigned                      entered:1;   /* a closed endpoint */
    unsigned                      left:1;      /* … after its finish */
    unsigned                      read:1;      /* its body is there */
    unsigned                      refused:1;   /* by us, and told so */
    unsigned                      told:1;      /* the ledger told the event */
    unsigned                      claimed:1;
    unsigned                      reading:1;   /* body is collected */
    unsigned                      ruling:1;    /* deny_if is being asked */
    unsigned                      misruled:1;  /* … for a variable of ours */
} ngx_http_enroll_ctx_t;


extern ngx_module_t  ngx_http_enroll_module;


/* context */

/* The request's context, made where there is none; NULL: no memory. */
ngx_http_enroll_ctx_t *ngx_http_enroll_ctx(ngx_http_request_t *r);

/* The same, or NULL where there is none. */
ngx_http_enroll_ctx_t *ngx_http_enroll_ctx_find(ngx_http_request_t *r);


/* The request is over (data is its context): no answer must reach it. */
void ngx_http_enroll_ctx_detach(void *data);

/* The ledger has answered: the request goes on. */
void ngx_http_enroll_ctx_answered(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_result_t *result);


/* bearer: finds the credential, and takes it out of the request (I5) */

/* Of the post-read and rewrite phases: before any subrequest or proxy. */
ngx_int_t ngx_http_enroll_bearer_handler(ngx_http_request_t *r);

/* Of the log phase, the first one: for what never came so far. */
ngx_int_t ngx_http_enroll_bearer_log_handler(ngx_http_request_t *r);

/* What the ledger takes to know the request's bearer. */
void ngx_http_enroll_bearer(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_bearer_t *bearer);


/* headers */

/* Removes the headers that match returns 1 for. */
typedef ngx_uint_t (*ngx_http_enroll_header_match_pt)(ngx_table_elt_t *h);
void ngx_http_enroll_headers_remove(ngx_http_request_t *r,
    ngx_http_enroll_header_match_pt match);

/* Adds a response header; key is constant, value in r->pool. */
ngx_int_t ngx_http_enroll_header_add(ngx_http_request_t *r, const char *key,
    ngx_str_t *value);

/* Does its name begin so, whatever stands in a dash's place? */
ngx_uint_t ngx_http_enroll_header_alike(ngx_table_elt_t *h,
    const char *lowcase, size_t len);

/* How many request headers have that name, in any such spelling. */
ngx_uint_t ngx_http_enroll_header_count(ngx_http_request_t *r,
    const char *lowcase);

/* The first request header of that name, or NULL; *n: how many there are. */
ngx_table_elt_t *ngx_http_enroll_header_find(ngx_http_request_t *r,
    const char *lowcase, ngx_uint_t *n);

/* Is the request's body of that type, whatever its parameters? */
ngx_uint_t ngx_http_enroll_is_type(ngx_http_request_t *r, const char *type);


/* path: what it may be taken for */

/* Are there control characters in what nginx has decoded? */
ngx_uint_t ngx_http_enroll_path_controls(ngx_http_request_t *r);

/* Does it lead out of the location, by ".." right behind its name? */
ngx_uint_t ngx_http_enroll_path_climbs(ngx_http_request_t *r);

/*
 * Is it a closed endpoint in a spelling that nginx took for something else,
 * and that the IdP may not: "/register/Finish", "/register/finish;x"? 1, too,
 * without memory.
 */
ngx_uint_t ngx_http_enroll_path_disguised(ngx_http_request_t *r);

/* Is it, as it is, one of these (ngx_http_enroll_place_t)? */
ngx_uint_t ngx_http_enroll_path_is(ngx_http_request_t *r,
    ngx_array_t *places);

/* Makes it "/", without arguments. */
void ngx_http_enroll_path_forget(ngx_http_request_t *r);


/* guard: a handler of the precontent phase */

ngx_int_t ngx_http_enroll_guard_handler(ngx_http_request_t *r);


/* outcome: what became of a claim */

ngx_int_t ngx_http_enroll_outcome_init(ngx_conf_t *cf);

/* The claim was granted: from here on it will be settled. */
void ngx_http_enroll_outcome_begin(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);

/*
 * The request enters another location: whatever the IdP has said so far is
 * the outcome, if it has heard anything.
 */
void ngx_http_enroll_outcome_redirect(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);

/* The request is refused by the proxy itself: releases what was not sent. */
void ngx_http_enroll_outcome_withheld(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);

/* The request ends; settles what is not settled yet. */
void ngx_http_enroll_outcome_end(ngx_http_enroll_ctx_t *ctx);


/* refuse: tells why */

/*
 * Counts, tells and sends a refusal. step is a word for the event; detail,
 * where not NULL, replaces the reason's usual text. Returns a code to
 * finalize the request with.
 */
ngx_int_t ngx_http_enroll_refuse(ngx_http_request_t *r,
    ngx_enroll_reason_e reason, const char *step, const char *detail);


/* observe: what a result of the ledger means for logs, counters, zone */

/* ms for which a token of which nothing else is known is remembered */
#define NGX_HTTP_ENROLL_KEEP_UNKNOWN  (24 * 60 * 60 * 1000)

void ngx_http_enroll_observe(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);

/*
 * What a token in that state is to a tombstone: NGX_ENROLL_REDEEMED, while
 * its session may be open; how it has ended; or NGX_ENROLL_OK, nothing.
 */
ngx_enroll_reason_e ngx_http_enroll_observe_spent(ngx_str_t *state);

/*
 * For how many ms the token of that record could come back to life if Redis
 * forgot what became of it: until it and its session expire.
 */
ngx_msec_t ngx_http_enroll_observe_keep(ngx_enroll_result_t *result);


/* journal: what happened, before it is acted upon; the rest is in its .h */

/* The directive enroll_journal, and what it needs. */
char *ngx_http_enroll_journal(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_enroll_journal_init(ngx_conf_t *cf);

/* nginx starts or reloads; a worker does. NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_enroll_journal_module(ngx_cycle_t *cycle);
ngx_int_t ngx_http_enroll_journal_process(ngx_cycle_t *cycle);


/* event: one JSON line for each */

/* The event that a script told, as JSON; NULL: no memory. */
json_t *ngx_http_enroll_event_json(ngx_enroll_resp_t *event,
    ngx_uint_t partition);

/* Writes it to enroll_log, or at level to the error log; releases it. */
void ngx_http_enroll_event_write(ngx_http_enroll_loc_conf_t *elcf,
    ngx_uint_t level, json_t *event);

/* Counts a refusal, and tells it unless the ledger has. */
void ngx_http_enroll_event_refused(ngx_http_request_t *r,
    ngx_enroll_reason_e reason, const char *step, ngx_uint_t status);


/* body: of our own handlers' requests, bounded and in memory */

/*
 * Reads a body of at most max bytes and calls handler, which finalizes the
 * request. A return code for a content handler; a refusal was sent where the
 * body is too long, or of no declared length.
 */
ngx_int_t ngx_http_enroll_body_read(ngx_http_request_t *r, size_t max,
    const char *step, ngx_http_enroll_body_pt handler);

/* Overwrites the body: it is gone from memory, $request_body, error pages. */
void ngx_http_enroll_body_cleanse(ngx_http_request_t *r, ngx_str_t *body);

/* The request goes on without its body, read or not. NGX_OK, NGX_ERROR. */
ngx_int_t ngx_http_enroll_body_drop(ngx_http_request_t *r);

/* Is it TLS early data, which somebody may have sent again? */
ngx_uint_t ngx_http_enroll_body_early(ngx_http_request_t *r);

/* Overwrites a string member: jansson frees its memory as it is. */
void ngx_http_enroll_json_cleanse(json_t *json, const char *member);


/* issuer: authenticated calls by issuers */

/* A content handler's return code: POST only, then body_read(). */
ngx_int_t ngx_http_enroll_issuer_read(ngx_http_request_t *r, size_t max,
    const char *step, ngx_http_enroll_body_pt handler);

/*
 * The issuer of this call, of those that the location names, or NULL: a
 * refusal was sent, and the request is to be finalized with *rc.
 */
ngx_http_enroll_issuer_t *ngx_http_enroll_issuer_find(ngx_http_request_t *r,
    ngx_str_t *body, const char *step, ngx_str_t *event, ngx_int_t *rc);


/* authenticator: what a finish brings */

/*
 * Reads the registration response of a finish whose body is there
 * (ctx->read), once; ctx->authenticator is set, or NULL where it cannot be
 * read. NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_enroll_authenticator(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);

/*
 * What goes to the record, in r->pool; *n of them, 0 where it could not be
 * read. NULL: no memory.
 */
ngx_keyval_t *ngx_http_enroll_authenticator_facts(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_uint_t *n);

/* The directive enroll_authenticator. */
char *ngx_http_enroll_authenticator_place(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


/* set: security event tokens that issuers push */

/* Of the handlers of issue and revoke; a content handler's return code. */
ngx_int_t ngx_http_enroll_set_read(ngx_http_request_t *r, const char *step);


/* order: the path behind all joiner events */

/*
 * Orders a token: the class, channel, ttl and attributes are checked, the
 * ledger is asked, and where the class says so the token is delivered.
 * NGX_AGAIN: answer will be called, and the request finalized, later;
 * otherwise a code to finalize with, from answer or an error. joiner may be
 * freed then. Where the joiner names no class it is the issuer's first one.
 */
ngx_int_t ngx_http_enroll_order(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, const ngx_str_t *event,
    const ngx_enroll_joiner_t *joiner, ngx_http_enroll_order_pt answer);


/* deliver: the token's way out that passes no issuer */

typedef void (*ngx_http_enroll_delivered_pt)(ngx_http_request_t *r,
    ngx_uint_t delivered);

/*
 * Sends body (in r->pool, cleansed afterwards) by POST to an internal
 * location, in a subrequest; calls handler when it is over: delivered is 1
 * after a 2xx. NGX_OK or NGX_ERROR: nothing was sent.
 */
ngx_int_t ngx_http_enroll_deliver(ngx_http_request_t *r, ngx_str_t *uri,
    ngx_str_t *body, ngx_http_enroll_delivered_pt handler);

/* Is it the subrequest that delivers? */
ngx_uint_t ngx_http_enroll_deliver_is(ngx_http_enroll_ctx_t *ctx,
    ngx_http_request_t *r);


/* replay: a spent token, again */

/* Tells the ledger, the first time that it happens on this host. */
void ngx_http_enroll_replay(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_uint_t partition, const u_char *id,
    const u_char *session);

/*
 * Is it the browser that has the token's session, where a link was opened
 * twice? That is nobody else.
 */
ngx_uint_t ngx_http_enroll_replay_own(ngx_http_enroll_ctx_t *ctx,
    const u_char *id);


/* rules: what each class asks of this request */

/*
 * The rules of all classes, *n of them, in r->pool, for an endpoint (which
 * policies are asked depends on it) or NGX_HTTP_ENROLL_NONE. With `redeems`
 * deny_if is asked as at an endpoint. NULL: no memory.
 */
ngx_enroll_rule_t *ngx_http_enroll_rules(ngx_http_request_t *r,
    ngx_uint_t endpoint, ngx_uint_t redeems, ngx_uint_t *n);


/* assertion: the proxy's signed word to the IdP */

/* Gets $enroll_assertion. */
ngx_int_t ngx_http_enroll_assertion_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* The directive enroll_assertion, and what it needs. */
char *ngx_http_enroll_assertion(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_assertion_merge(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *prev,
    ngx_http_enroll_loc_conf_t *conf);


/* the content handlers */

ngx_int_t ngx_http_enroll_issue_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_enroll_redeem_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_enroll_revoke_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_enroll_prove_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_enroll_approve_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_enroll_jwks_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_enroll_status_handler(ngx_http_request_t *r);


/* respond: what all of them need to answer */

/* Sends a whole response; value is copied. A code to finalize with. */
ngx_int_t ngx_http_enroll_respond(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const u_char *data, size_t len);

/* Serializes and sends json (which it releases). */
ngx_int_t ngx_http_enroll_respond_json(ngx_http_request_t *r,
    ngx_uint_t status, const char *type, json_t *json);

/* Serializes json into pool, leaving no copies. NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_enroll_json_text(ngx_pool_t *pool, json_t *json,
    ngx_str_t *text);

/* Does the client prefer HTML to JSON? */
ngx_uint_t ngx_http_enroll_wants_html(ngx_http_request_t *r);

/* Set-Cookie with the session, or (session NULL) its end. */
ngx_int_t ngx_http_enroll_cookie_set(ngx_http_request_t *r,
    const u_char *session, ngx_uint_t seconds);

/* Resumes a request after an event that is not its own. */
void ngx_http_enroll_finalize(ngx_http_request_t *r, ngx_int_t rc);


/* pages: the HTML, and the content security policy that fits it */

ngx_int_t ngx_http_enroll_pages_init(ngx_conf_t *cf);
ngx_int_t ngx_http_enroll_page_landing(ngx_http_request_t *r);
ngx_int_t ngx_http_enroll_page_refusal(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *reason, const char *title,
    const char *detail);


/* class: the block enroll_class, and what exceptions owe to their parents */

char *ngx_http_enroll_class_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_http_enroll_class_t *ngx_http_enroll_class_find(
    ngx_http_enroll_main_conf_t *emcf, const ngx_str_t *name);

/* All classes are read: exceptions get what they inherit, and are compared. */
char *ngx_http_enroll_classes_init(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf);


/* issuers: the blocks enroll_issuer and enroll_prover */

char *ngx_http_enroll_issuer_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_http_enroll_issuer_t *ngx_http_enroll_issuer_named(
    ngx_http_enroll_main_conf_t *emcf, const ngx_str_t *name);

/* Do the issuers' classes exist? */
char *ngx_http_enroll_issuers_init(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf);

char *ngx_http_enroll_prover_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_http_enroll_prover_t *ngx_http_enroll_prover_named(
    ngx_http_enroll_main_conf_t *emcf, const ngx_str_t *name);


/* conf: what the blocks and several directives need */

/*
 * Parses a block of commands that set members of conf. Of their types only
 * NGX_CONF_TAKE1 and NGX_CONF_1MORE are understood.
 */
char *ngx_http_enroll_block(ngx_conf_t *cf, ngx_command_t *commands,
    void *conf);

/*
 * A name that becomes part of keys and events: 1 to 32 characters of
 * [a-z0-9_-]. NGX_OK, or NGX_ERROR, and it was said what is wrong.
 */
ngx_int_t ngx_http_enroll_word(ngx_conf_t *cf, ngx_str_t *word);

char *ngx_http_enroll_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Remembers where the directive at hand stands. */
void ngx_http_enroll_where(ngx_conf_t *cf, ngx_http_enroll_where_t *where);

/* Logs a configuration error as of that place. Returns NGX_CONF_ERROR. */
char *ngx_http_enroll_conf_error(ngx_conf_t *cf,
    ngx_http_enroll_where_t *where, const char *fmt, ...);


/* directives: what the flat ones take */

char *ngx_http_enroll_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_success(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The statuses that mean enrolled where nothing else is said. */
void ngx_http_enroll_success_default(ngx_http_enroll_success_t *success);

char *ngx_http_enroll_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_issue(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_redeem(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_revoke(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_approve(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_prove(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_serve_jwks(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* check: what a location needs that is said elsewhere */

char *ngx_http_enroll_check(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf);

/* Of the postconfiguration: what others have merged by then. */
ngx_int_t ngx_http_enroll_check_slices(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf);


/* redact: the error log's writer */

/* Masks what is written to this log and those that hang on it. */
ngx_int_t ngx_http_enroll_redact_log(ngx_conf_t *cf, ngx_log_t *log);

/* The process leaves: its logs get their own writers back. */
void ngx_http_enroll_redact_exit(ngx_cycle_t *cycle);


/* variables */

ngx_int_t ngx_http_enroll_variables_init(ngx_conf_t *cf);


/* The worker's ledger for this location; NULL: no memory. */
ngx_enroll_ledger_t *ngx_http_enroll_ledger(ngx_http_request_t *r);

/* The same; and ctx->call is detached when the request ends before it. */
ngx_enroll_ledger_t *ngx_http_enroll_ledger_attended(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);


#endif /* _NGX_HTTP_ENROLL_MODULE_H_INCLUDED_ */
