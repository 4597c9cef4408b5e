
/*
 * One run of a ledger script: its arguments, its reply, its repeats.
 *
 * A call has its own pool and outlives the request that made it: a reply
 * that comes after the client has gone still has to be acted upon.
 */

#ifndef _NGX_ENROLL_CALL_H_INCLUDED_
#define _NGX_ENROLL_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_enroll_reason.h"
#include "ngx_enroll_redis.h"
#include "ngx_enroll_script.h"
#include "ngx_enroll_token.h"


#define NGX_ENROLL_HEX_LEN    (2 * NGX_ENROLL_DIGEST_LEN)
#define NGX_ENROLL_AGAIN_MAX  16           /* steps of one call */


typedef struct ngx_enroll_ledger_s  ngx_enroll_ledger_t;
typedef struct ngx_enroll_call_s    ngx_enroll_call_t;


/*
 * What a class asks of this request. The record's class is not known before
 * the ledger is asked, so the rules of all classes go along, and the script
 * takes the record's.
 */
typedef struct {
    ngx_str_t            class;
    ngx_uint_t           proof;            /* ngx_enroll_proof_level_e */
    ngx_uint_t           approvals;
    ngx_uint_t           replay_revokes;   /* 1: a replay ends the session */
    ngx_enroll_reason_e  reason;           /* OK, or why this request, were
                                              it of that class, may not */
    const char          *why;              /* in a word; "": reason says it */
} ngx_enroll_rule_t;


/*
 * What a script said. All strings are gone when the handler returns; a field
 * that the record lacks is empty or 0. Times are milliseconds since the
 * epoch, by Redis' clock.
 */
typedef struct {
    ngx_enroll_reason_e   verdict;
    ngx_uint_t            lost;            /* no reply, but perhaps executed */
    ngx_uint_t            unreplicated;    /* executed, but too few replicas
                                              have it: unavailable */
    int64_t               now;

    ngx_str_t             token;           /* again, repeat: the id */
    ngx_str_t             incarnation;     /* again: the server's */
    ngx_str_t             state;
    ngx_str_t             subject;
    ngx_str_t             class;
    ngx_str_t             issuer;
    ngx_str_t             event;
    ngx_str_t             channel;
    ngx_str_t             proof;
    ngx_str_t             session;         /* hex */
    ngx_str_t             outcome;
    ngx_str_t             expires_at;
    ngx_str_t             session_ends_at;
    ngx_str_t             window;
    ngx_str_t             attempts_allowed;
    ngx_str_t             mac;
    ngx_str_t             op;
    ngx_str_t             exception;       /* the class's parent, or empty */
    ngx_str_t             requester;
    ngx_str_t             proof_prover;
    ngx_str_t             proof_method;
    ngx_str_t             proof_at;
    ngx_str_t             proof_evidence;
    ngx_str_t             proof_jti;
    ngx_str_t             proof_mac;

    ngx_enroll_resp_t    *record;          /* all of it: a flat field list */

    /* what the script told the stream: flat field lists */
    ngx_uint_t            nevents;
    ngx_enroll_resp_t    *events;
} ngx_enroll_result_t;


typedef void (*ngx_enroll_call_handler_pt)(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);

/*
 * What was told is written down before anybody acts upon it.
 * NGX_OK; NGX_ERROR: it could not be; NGX_AGAIN: not yet, and
 * ngx_enroll_call_go_on() follows, later and never from within. It is of no
 * use to let a call wait whose handler is NULL.
 */
typedef ngx_int_t (*ngx_enroll_call_journal_pt)(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);

/*
 * A verb's own way with a reply, before anybody else sees it.
 * NGX_OK: the result is final; NGX_AGAIN: the call was sent anew.
 */
typedef ngx_int_t (*ngx_enroll_call_step_pt)(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


struct ngx_enroll_call_s {
    ngx_pool_t                  *pool;
    ngx_enroll_ledger_t         *ledger;
    ngx_enroll_script_e          script;

    ngx_uint_t                   partition;
    u_char                       id[NGX_ENROLL_HEX_LEN];
    u_char                       op[NGX_ENROLL_HEX_LEN];
    ngx_str_t                    client;
    ngx_array_t                  keys;     /* ngx_str_t, after the common */
    ngx_array_t                  args;     /* likewise */
    ngx_uint_t                   nrules;
    ngx_enroll_rule_t           *rules;    /* those that went along */

    ngx_enroll_call_handler_pt   handler;  /* NULL: nobody waits (any more) */
    void                        *data;

    ngx_enroll_call_step_pt      step;     /* may be NULL */
    void                        *context;  /* the step's */
    ngx_uint_t                   tries;
    ngx_msec_t                   until;    /* if lost, again until then */
    ngx_event_t                  timer;

    ngx_enroll_result_t          result;   /* of the last reply */
    ngx_pool_t                  *reply;    /* … where it is, while that is
                                              being written down */

    u_char                       text[NGX_ENROLL_TOKEN_LEN];

    unsigned                     durable:1;  /* what it grants is acted upon
                                                once replicas have it */
    unsigned                     eval:1;   /* the server lacks the script */
    unsigned                     lost:1;   /* a reply was, once */
};


/* A call with a fresh operation id, or NULL. */
ngx_enroll_call_t *ngx_enroll_call_create(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, ngx_uint_t partition, const ngx_str_t *client);

/* Names the token; raw is NGX_ENROLL_DIGEST_LEN bytes. */
void ngx_enroll_call_id(ngx_enroll_call_t *call, const u_char *raw);

/*
 * The way back, of an id or digest in hex, into NGX_ENROLL_DIGEST_LEN bytes.
 * NGX_OK or NGX_ERROR (not 32 hex digits).
 */
ngx_int_t ngx_enroll_call_raw(const u_char *hex, size_t len, u_char *raw);

/* Adds a copy of an argument; a key gets the partition's prefix. */
ngx_int_t ngx_enroll_call_arg(ngx_enroll_call_t *call, const ngx_str_t *arg);
ngx_int_t ngx_enroll_call_number(ngx_enroll_call_t *call, uint64_t n);
ngx_int_t ngx_enroll_call_key(ngx_enroll_call_t *call, const char *fmt, ...);

/* A constant word; how many arguments follow, and key, value, … of them. */
ngx_int_t ngx_enroll_call_word(ngx_enroll_call_t *call, const char *word);
ngx_int_t ngx_enroll_call_pairs(ngx_enroll_call_t *call,
    const ngx_keyval_t *pairs, ngx_uint_t n);

/* The key of a subject's own record. */
ngx_int_t ngx_enroll_call_subject(ngx_enroll_call_t *call,
    const u_char *digest);

/*
 * Names the token by an id in hex, as Redis or an issuer has it. NGX_ERROR:
 * it has another length.
 */
ngx_int_t ngx_enroll_call_hex(ngx_enroll_call_t *call, const ngx_str_t *id);

/* Adds the rules of all classes, of which it keeps a copy, as arguments. */
ngx_int_t ngx_enroll_call_rules(ngx_enroll_call_t *call,
    const ngx_enroll_rule_t *rules, ngx_uint_t n);

/* The value of a record's field, empty where there is none. */
ngx_str_t ngx_enroll_call_field(const ngx_enroll_resp_t *flat,
    const char *name);

/*
 * Sends it. NGX_OK: the call will end by itself; NGX_ERROR (no memory):
 * nothing was sent and the call is still the caller's.
 */
ngx_int_t ngx_enroll_call_send(ngx_enroll_call_t *call);

/*
 * Sends it where rc, of what went before, is NGX_OK: the call, or NULL (then
 * it is freed). call may be NULL.
 */
ngx_enroll_call_t *ngx_enroll_call_start(ngx_enroll_call_t *call,
    ngx_int_t rc);

/*
 * The call goes on as one that shows the record of that id to whoever asks.
 * NGX_OK: it was sent; NGX_ERROR.
 */
ngx_int_t ngx_enroll_call_show(ngx_enroll_call_t *call, const ngx_str_t *id);

/*
 * A call that waited for its journal goes on: rc is NGX_OK, or NGX_ERROR
 * where what was told is not written down. Then nobody may act upon it: the
 * verdict is NGX_ENROLL_UNAVAILABLE, and what was claimed is released.
 */
void ngx_enroll_call_go_on(ngx_enroll_call_t *call, ngx_int_t rc);

/* The handler will not be called; the call goes on to its end. */
void ngx_enroll_call_detach(ngx_enroll_call_t *call);

/* Frees a call that was not sent, or that waits for its journal. */
void ngx_enroll_call_free(ngx_enroll_call_t *call);


#endif /* _NGX_ENROLL_CALL_H_INCLUDED_ */
