
/*
 * One connection to one server: how it comes about (connect.c), how it is
 * greeted (hello.c), the operations written to it and not yet answered
 * (connection.c), and those that are answered and wait for replicas (wait.c).
 * Which server, how many connections, and what becomes of
 * the operations of a lost one is for its owner to say.
 */

#ifndef _NGX_ENROLL_REDIS_CONNECTION_H_INCLUDED_
#define _NGX_ENROLL_REDIS_CONNECTION_H_INCLUDED_


#include "ngx_enroll_redis.h"

#include <ngx_event_connect.h>


/* AUTH, SELECT, CLIENT SETNAME, ROLE, the probe, WAITAOF, WAIT, PING */
#define NGX_ENROLL_REDIS_HELLO_MAX  8


typedef enum {
    NGX_ENROLL_REDIS_CLOSED = 0,
    NGX_ENROLL_REDIS_CONNECTING,
    NGX_ENROLL_REDIS_HELLO,
    NGX_ENROLL_REDIS_READY
} ngx_enroll_redis_state_e;


typedef struct ngx_enroll_redis_connection_s  ngx_enroll_redis_connection_t;


/* Who knows where the server is, where that has to be asked each time. */
typedef struct {

    /*
     * Its end is ngx_enroll_redis_connection_located(), after which
     * server->conf says where, or ngx_enroll_redis_connection_close();
     * neither is called from within.
     */
    void        (*locate)(void *data, ngx_enroll_redis_connection_t *conn);
    void        (*cancel)(void *data);

    /* what it said last has led to no connection that could be used */
    void        (*failed)(void *data);
} ngx_enroll_redis_locator_t;


/* Where a server is, shared by its connections. */
typedef struct {
    const ngx_enroll_redis_conf_t      *conf;
    ngx_pool_t                         *pool;   /* of resolved addresses */
    ngx_addr_t                         *addrs;
    ngx_uint_t                          naddrs;
    ngx_uint_t                          current;
    const char                         *role;   /* by its own word, when it
                                                   was asked last; or NULL */

    const ngx_enroll_redis_locator_t   *locator;     /* may be NULL */
    void                               *locator_data;
} ngx_enroll_redis_server_t;


/*
 * None of these may call ngx_enroll_redis_connection_open(): the connection
 * may be in the middle of its own handler.
 */
typedef struct {
    void        (*ready)(ngx_enroll_redis_connection_t *conn);

    /* op is no longer the connection's, op->reply is filled */
    void        (*reply)(ngx_enroll_redis_connection_t *conn,
                    ngx_enroll_redis_op_t *op);

    /*
     * It is closed, state is what it was in before; what is in conn->fifo is
     * the owner's to take. failure is NULL where nothing failed.
     */
    void        (*closed)(ngx_enroll_redis_connection_t *conn,
                    ngx_enroll_redis_state_e state, const char *failure);

    /* operations depend on it, though the worker leaves */
    ngx_uint_t  (*wanted)(ngx_enroll_redis_connection_t *conn);
} ngx_enroll_redis_owner_t;


struct ngx_enroll_redis_connection_s {
    ngx_enroll_redis_state_e         state;

    const ngx_enroll_redis_conf_t   *conf;
    ngx_enroll_redis_server_t       *server;
    const ngx_enroll_redis_owner_t  *owner;
    void                            *data;

    ngx_log_t                        log;
    ngx_uint_t                       log_level;

    ngx_connection_t                *c;
    ngx_peer_connection_t            peer;
    ngx_resolver_ctx_t              *resolving;
    ngx_uint_t                       locating;
    ngx_event_t                      timer;      /* until it is ready */
    ngx_msec_t                       since;      /* when it became ready */

    ngx_enroll_resp_reader_t        *reader;

    ngx_str_t                        hello;      /* not yet written */
    const char                      *greetings[NGX_ENROLL_REDIS_HELLO_MAX];
    ngx_uint_t                       ngreetings;
    ngx_uint_t                       greeted;    /* replies to them */

    ngx_queue_t                      fifo;
    ngx_queue_t                     *unsent;     /* the first not yet sent */
    ngx_uint_t                       nfifo;      /* and held */

    ngx_uint_t                       ndurable;   /* in the fifo */
    ngx_queue_t                      held;       /* answered, and waits */
    ngx_enroll_redis_op_t           *wait;       /* WAIT, in the fifo */
    ngx_event_t                      waits;      /* posted: writes one */
    ngx_msec_t                       until;      /* it is answered */
    ngx_uint_t                       nwaits;     /* in a row, for the same */
    ngx_uint_t                       aof;        /* it is WAITAOF */

    const char                      *retired;    /* close it when drained */
    u_char                           detail[160];
};


/* connection.c */

/* conn is zeroed but for conf, server, owner, data. */
void ngx_enroll_redis_connection_init(ngx_enroll_redis_connection_t *conn);

/* Only where it is ready. */
void ngx_enroll_redis_connection_send(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op);

/* Takes op out; the connection is useless then, and to be closed. */
void ngx_enroll_redis_connection_take(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op);

/* Its owner hears of it before this returns. */
void ngx_enroll_redis_connection_close(ngx_enroll_redis_connection_t *conn,
    const char *failure);

/* What nginx itself logs of the connection is muted: it was said before. */
void ngx_enroll_redis_connection_mute(ngx_enroll_redis_connection_t *conn,
    ngx_uint_t mute);

/* The words that go with the next failure. */
void ngx_cdecl ngx_enroll_redis_connection_detail(
    ngx_enroll_redis_connection_t *conn, const char *fmt, ...);

/* c->close: the worker leaves. NGX_DONE: closed. */
ngx_int_t ngx_enroll_redis_connection_leave(
    ngx_enroll_redis_connection_t *conn);

/* The socket stands, greet. */
void ngx_enroll_redis_connection_start(ngx_enroll_redis_connection_t *conn);


/* connect.c */

void ngx_enroll_redis_connection_open(ngx_enroll_redis_connection_t *conn);

/* The locator has said where. */
void ngx_enroll_redis_connection_located(
    ngx_enroll_redis_connection_t *conn);


/* hello.c */

ngx_int_t ngx_enroll_redis_hello_create(ngx_enroll_redis_connection_t *conn);

/* *failure is set where the server will not do. */
void ngx_enroll_redis_hello_reply(ngx_enroll_redis_connection_t *conn,
    const ngx_enroll_resp_t *reply, const char **failure);


/* wait.c */

void ngx_enroll_redis_wait_init(ngx_enroll_redis_connection_t *conn);

/* op has just been put into the fifo. */
void ngx_enroll_redis_wait_follow(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op);

/* op, answered, is not to end yet: it is held. */
ngx_uint_t ngx_enroll_redis_wait_hold(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op);

/* conn->wait is answered. NGX_OK, or NGX_DONE: the connection is closed. */
ngx_int_t ngx_enroll_redis_wait_reply(ngx_enroll_redis_connection_t *conn);

/* What is written to it now has to wait for others. */
ngx_uint_t ngx_enroll_redis_wait_pending(
    const ngx_enroll_redis_connection_t *conn);

/* It is being closed: what was held is first in the fifo. */
void ngx_enroll_redis_wait_close(ngx_enroll_redis_connection_t *conn);


/* worker_shutdown_timeout: nothing more is to be tried */
extern const char  ngx_enroll_redis_shutdown[];


#endif /* _NGX_ENROLL_REDIS_CONNECTION_H_INCLUDED_ */
