
/*
 * A question that any of several servers can answer: where the master is, who
 * has which slots. They are asked in turn, each by a connection of its own,
 * until one says something that is of use.
 */

#ifndef _NGX_ENROLL_REDIS_INQUIRY_H_INCLUDED_
#define _NGX_ENROLL_REDIS_INQUIRY_H_INCLUDED_


#include "ngx_enroll_redis_connection.h"


typedef struct ngx_enroll_redis_inquiry_s  ngx_enroll_redis_inquiry_t;

/* None of these is called from within ngx_enroll_redis_inquiry_start(). */
typedef struct {

    /* The nth server to ask, from 0; NULL: there are no more. */
    const ngx_enroll_redis_conf_t  *(*server)(
        ngx_enroll_redis_inquiry_t *inquiry, ngx_uint_t n);

    /* NGX_OK: that is it; NGX_DECLINED, with a detail: ask the next. */
    ngx_int_t                       (*answer)(
        ngx_enroll_redis_inquiry_t *inquiry, const ngx_enroll_resp_t *reply);

    /*
     * NGX_OK, after an answer that was of use; NGX_ERROR: nobody gave one,
     * inquiry->detail tells of the last; NGX_ABORT: the worker leaves.
     */
    void                            (*end)(
        ngx_enroll_redis_inquiry_t *inquiry, ngx_int_t rc);

    /* Operations depend on it, though the worker leaves. */
    ngx_uint_t                      (*wanted)(
        ngx_enroll_redis_inquiry_t *inquiry);
} ngx_enroll_redis_asker_t;


struct ngx_enroll_redis_inquiry_s {
    const ngx_enroll_redis_asker_t  *asker;
    void                            *data;       /* the asker's */
    ngx_uint_t                       argc;
    const ngx_str_t                 *argv;       /* the question */

    /* the rest is the inquiry's own, but for reading */
    const ngx_enroll_redis_conf_t   *conf;       /* of who is being asked */
    ngx_enroll_redis_server_t        server;
    ngx_enroll_redis_connection_t    connection;
    ngx_event_t                      timer;      /* of one server */
    ngx_event_t                      next;       /* posted */
    ngx_uint_t                       n;
    u_char                           detail[256];

    unsigned                         active:1;
    unsigned                         answered:1;
    unsigned                         muted:1;    /* nobody answered, so far */
};


/* inquiry is zeroed but for asker, data, argc, argv. */
void ngx_enroll_redis_inquiry_init(ngx_enroll_redis_inquiry_t *inquiry);

/* Only where it is not active. */
void ngx_enroll_redis_inquiry_start(ngx_enroll_redis_inquiry_t *inquiry);

/* It will not end. */
void ngx_enroll_redis_inquiry_cancel(ngx_enroll_redis_inquiry_t *inquiry);

/* Why an answer is of no use. */
void ngx_cdecl ngx_enroll_redis_inquiry_detail(
    ngx_enroll_redis_inquiry_t *inquiry, const char *fmt, ...);


#endif /* _NGX_ENROLL_REDIS_INQUIRY_H_INCLUDED_ */
