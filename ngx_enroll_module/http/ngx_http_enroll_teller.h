
/*
 * Tells others of a partition's events: holds it, while it can, and sends
 * them one by one. Its words in Redis are told at the top of notify.lua.
 */

#ifndef _NGX_HTTP_ENROLL_TELLER_H_INCLUDED_
#define _NGX_HTTP_ENROLL_TELLER_H_INCLUDED_


#include "ngx_enroll_notify.h"
#include "ngx_http_enroll_notify.h"
#include "ngx_http_enroll_send.h"


#define NGX_HTTP_ENROLL_TELLER_BATCH  32       /* events in memory */


typedef struct {
    ngx_str_t                       value;
    u_char                          text[NGX_ENROLL_NOTIFY_ID_LEN];
} ngx_http_enroll_teller_word_t;


typedef struct {
    ngx_http_enroll_teller_word_t   id;
    json_t                         *json;      /* NULL: it is too large */
} ngx_http_enroll_teller_event_t;


typedef struct {

    /* said by the caller; all else is zeroed */
    ngx_http_enroll_notify_t       *conf;
    ngx_http_enroll_main_conf_t    *emcf;
    ngx_enroll_redis_t             *redis;
    ngx_str_t                       name;      /* of the worker, in Redis */
    ngx_uint_t                      partition;

    ngx_event_t                     timer;
    ngx_http_enroll_send_t          send;

    ngx_http_enroll_teller_word_t   last;      /* where Redis says it stands */
    ngx_http_enroll_teller_word_t   done;      /* where it stands: not said */
    ngx_http_enroll_teller_word_t   seq;       /* … and its number */
    ngx_http_enroll_teller_word_t   said;      /* done, in the last call */
    ngx_uint_t                      failures;  /* of the next, in a row */
    ngx_msec_t                      pause;     /* after the last of them */

    ngx_msec_t                      until;     /* the lease, by our clock */
    ngx_msec_t                      asked;     /* when */
    ngx_uint_t                      wanted;    /* events, in the last call */
    ngx_uint_t                      unanswered;  /* calls in a row */

    ngx_uint_t                      next;
    ngx_uint_t                      nevents;
    ngx_http_enroll_teller_event_t  events[NGX_HTTP_ENROLL_TELLER_BATCH];

    unsigned                        held:1;
    unsigned                        asking:1;
    unsigned                        returning:1;  /* … to give it back */
    unsigned                        sending:1;
    unsigned                        moved:1;   /* meanwhile: it is void */
    unsigned                        note:1;    /* done, before the next */
    unsigned                        failed:1;  /* to be given back */
    unsigned                        leaving:1;
} ngx_http_enroll_teller_t;


void ngx_http_enroll_teller_start(ngx_http_enroll_teller_t *teller);

/* The worker leaves: what is being sent may end, and no more is begun. */
void ngx_http_enroll_teller_leave(ngx_http_enroll_teller_t *teller);

/* Forgets what is in memory: it may be another's by now. */
void ngx_http_enroll_teller_drop(ngx_http_enroll_teller_t *teller);


#endif /* _NGX_HTTP_ENROLL_TELLER_H_INCLUDED_ */
