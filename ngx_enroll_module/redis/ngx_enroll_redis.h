
/*
 * Redis as the ledger sees it: operations go in, replies come out, and which
 * server or connection served them is known below only. Everything here runs
 * in a worker's event loop and never blocks.
 *
 * A worker has one ngx_enroll_redis_t for each distinct Redis configuration,
 * created on first use.
 */

#ifndef _NGX_ENROLL_REDIS_H_INCLUDED_
#define _NGX_ENROLL_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_enroll_resp.h"


/*
 * What the directives said. addrs are known where the address is an IP
 * address or a unix socket, or was resolved when the configuration was read;
 * otherwise naddrs is 0 and host is asked of the resolver at each connect.
 */
typedef enum {
    NGX_ENROLL_REDIS_SINGLE = 0,
    NGX_ENROLL_REDIS_SENTINEL,
    NGX_ENROLL_REDIS_CLUSTER
} ngx_enroll_redis_topology_e;


typedef struct ngx_enroll_redis_conf_s  ngx_enroll_redis_conf_t;

struct ngx_enroll_redis_conf_s {
    ngx_str_t            address;        /* as configured, for messages */
    ngx_addr_t          *addrs;
    ngx_uint_t           naddrs;
    ngx_str_t            host;
    in_port_t            port;
    ngx_resolver_t      *resolver;
    ngx_msec_t           resolver_timeout;

    ngx_str_t            user;           /* empty: the default user */
    ngx_str_t            password;       /* empty: no AUTH */
    ngx_uint_t           database;

    ngx_ssl_t           *ssl;            /* NULL: no TLS */
    ngx_str_t            ssl_name;       /* for SNI and verification */
    ngx_flag_t           ssl_verify;

    ngx_msec_t           timeout;        /* the time budget of one operation:
                                            connecting, waiting, a repeat */
    ngx_uint_t           queue;          /* operations that wait, at most */
    ngx_uint_t           failures;       /* consecutive ones that open the
                                            circuit */
    ngx_msec_t           retry;          /* between two connection attempts
                                            while the circuit is open */

    ngx_uint_t           replicas;       /* that have to have what a durable
                                            operation wrote; 0: none */
    ngx_msec_t           wait;           /* … within this time */

    /*
     * Where the server is told by others, who are asked first: addrs and host
     * are empty then.
     */
    ngx_enroll_redis_topology_e       topology;
    ngx_str_t                         master;   /* what sentinels know it by */
    ngx_uint_t                        nservers;
    const ngx_enroll_redis_conf_t    *servers;  /* those who are asked */

    /*
     * A script that names what the server lacks, in an array; run before a
     * connection is used. Empty: none.
     */
    ngx_str_t            probe;

    unsigned             asked:1;        /* it is one of them: its role does
                                            not matter */
};


typedef struct ngx_enroll_redis_s     ngx_enroll_redis_t;
typedef struct ngx_enroll_redis_op_s  ngx_enroll_redis_op_t;

/*
 * The operation's end. Called exactly once, never from within
 * ngx_enroll_redis_send(). rc is
 *
 *     NGX_OK        reply is Redis' reply; it may be of type ERROR
 *     NGX_DECLINED  certainly not executed: never written, or the server
 *                   said that it does not serve (LOADING, READONLY,
 *                   MASTERDOWN, CLUSTERDOWN, TRYAGAIN, MOVED, ASK)
 *     NGX_ERROR     written, and no reply: it may have been executed
 *
 * and op->failure says why in a word where rc is not NGX_OK. reply is in
 * op->pool, which is destroyed when the handler returns, unless it was kept.
 * Of a durable operation op->replicated says whether enough replicas have what
 * it wrote; where rc is NGX_OK and it is 0, it was executed and may be
 * forgotten, and op->failure says what is missing.
 */
typedef void (*ngx_enroll_redis_handler_pt)(ngx_enroll_redis_op_t *op,
    ngx_int_t rc, ngx_enroll_resp_t *reply);

struct ngx_enroll_redis_op_s {
    ngx_pool_t                   *pool;  /* the operation's own */
    ngx_str_t                     command;
    ngx_enroll_redis_handler_pt   handler;
    void                         *data;
    const char                   *failure;  /* "timeout", "circuit open" … */

    /*
     * It may be asked once more when its reply was lost, because it bears an
     * operation id or changes nothing.
     */
    unsigned                      repeat:1;

    /*
     * Somebody acts upon it, so it must not be forgotten. Each run of it has
     * to write something: what only reads waits for nothing.
     */
    unsigned                      durable:1;
    unsigned                      replicated:1;

    /* of its keys, in a cluster; SLOT_ANY, the default, where it has none */
    ngx_uint_t                    slot;

    /* the rest is redis/' own */
    unsigned                      repeated:1;
    unsigned                      kept:1;    /* the pool is another's now */
    unsigned                      written:1; /* whole, at least once */
    unsigned                      asking:1;  /* command begins with ASKING */
    unsigned                      asked:1;   /* whose reply has come */
    ngx_uint_t                    redirects;
    size_t                        sent;      /* on this connection */
    ngx_msec_t                    held;      /* since when */
    ngx_int_t                     rc;
    ngx_enroll_resp_t             reply;
    ngx_queue_t                   queue;
    ngx_event_t                   timer;
    void                         *connection;
    void                         *node;
};


/*
 * The worker's client for conf, which must live as long as the worker.
 * Nothing is connected yet. NULL: no memory.
 */
ngx_enroll_redis_t *ngx_enroll_redis_create(
    const ngx_enroll_redis_conf_t *conf, ngx_log_t *log);

/*
 * A new operation with a pool of its own, its command formatted (the argv
 * is copied). handler and data are the caller's to set. NULL: no memory.
 */
ngx_enroll_redis_op_t *ngx_enroll_redis_op(ngx_uint_t argc,
    const ngx_str_t *argv, ngx_log_t *log);

/*
 * Hands over an operation: from now on it is redis/' and its handler will be
 * called. It never fails here: a full queue or an open circuit is told to
 * the handler, from a posted event. Where a connection is ready the command
 * is written at once, so that it is in the socket before the caller's next
 * step. A caller who loses interest replaces op->handler (and op->data);
 * it must not free the operation: its reply's slot is still to be consumed.
 */
void ngx_enroll_redis_send(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_op_t *op);

/*
 * In its handler: the reply is needed longer than that. Returns the pool that
 * it is in, which is the caller's to destroy, once the handler has returned.
 */
ngx_pool_t *ngx_enroll_redis_op_keep(ngx_enroll_redis_op_t *op);

/*
 * A durable operation has ended with NGX_OK, and has written something: the
 * log tells once that replicas are missing, and that they no longer are.
 */
void ngx_enroll_redis_replicated(ngx_enroll_redis_t *redis,
    const ngx_enroll_redis_op_t *op);


/*
 * For the status page: of all servers together, or of one. A server is at
 * address, and says that its role is "master", "replica" or "sentinel"; role
 * is NULL where it has not been asked.
 */
typedef struct {
    const ngx_str_t  *address;
    const char       *role;
    ngx_uint_t        connected;         /* connections that are ready */
    ngx_uint_t        waiting;           /* operations not yet written */
    ngx_uint_t        pending;           /* written, not answered */
    ngx_uint_t        circuit_open;      /* 0 or 1 */
    const char       *failure;           /* the last one, or NULL */
} ngx_enroll_redis_stat_t;

/* address and role are not filled. */
void ngx_enroll_redis_stat(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_stat_t *stat);

/*
 * Of the nth server that operations go to, from 0. NGX_OK; NGX_DONE: there
 * are no more.
 */
ngx_int_t ngx_enroll_redis_stat_node(ngx_enroll_redis_t *redis, ngx_uint_t n,
    ngx_enroll_redis_stat_t *stat);


#endif /* _NGX_ENROLL_REDIS_H_INCLUDED_ */
