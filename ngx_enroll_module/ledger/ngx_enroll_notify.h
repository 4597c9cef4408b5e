
/*
 * Where the telling of events to others stands, in Redis: who of all workers
 * does it, which event was the last, and those behind it. notify.lua says
 * what each field means.
 */

#ifndef _NGX_ENROLL_NOTIFY_H_INCLUDED_
#define _NGX_ENROLL_NOTIFY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_enroll_redis.h"


#define NGX_ENROLL_NOTIFY_ID_LEN  (2 * NGX_INT64_LEN + 1)


/* What a worker says, and asks. */
typedef struct {
    ngx_uint_t     partition;
    ngx_str_t      holder;         /* itself */
    ngx_msec_t     lease;          /* 0: it gives back */
    ngx_str_t      last;           /* as it knows it; may be empty */
    ngx_str_t      done;           /* what it is to become; may be empty */
    ngx_str_t      seq;            /* … and its number */
    ngx_uint_t     failures;
    ngx_msec_t     pause;          /* nobody may take what is given back */
    ngx_uint_t     want;           /* events, at most */
} ngx_enroll_notify_order_t;


/* What Redis says; strings are gone when the handler returns. */
typedef struct {
    ngx_uint_t           held;     /* 0: another's, or nobody's, until then */
    int64_t              left;     /* ms to until */
    ngx_str_t            last;
    ngx_str_t            seq;
    ngx_uint_t           failures;
    int64_t              gone;     /* events that were trimmed */
    ngx_uint_t           nevents;
    ngx_enroll_resp_t   *events;   /* each: id, and a flat field list */
} ngx_enroll_notify_place_t;


/* place is NULL where there was no answer, or none that is the script's. */
typedef void (*ngx_enroll_notify_pt)(void *data,
    const ngx_enroll_notify_place_t *place);


/*
 * Asks. NGX_OK: handler will be called, never from within; NGX_ERROR: nothing
 * was sent. What order points to is copied.
 */
ngx_int_t ngx_enroll_notify(ngx_enroll_redis_t *redis,
    const ngx_enroll_notify_order_t *order, ngx_enroll_notify_pt handler,
    void *data);


#endif /* _NGX_ENROLL_NOTIFY_H_INCLUDED_ */
