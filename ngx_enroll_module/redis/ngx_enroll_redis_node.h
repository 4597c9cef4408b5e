
/*
 * One server: a few connections to it, the operations that wait for one, and
 * the circuit, which is open while the server is known not to serve.
 */

#ifndef _NGX_ENROLL_REDIS_NODE_H_INCLUDED_
#define _NGX_ENROLL_REDIS_NODE_H_INCLUDED_


#include "ngx_enroll_redis_connection.h"


#define NGX_ENROLL_REDIS_CONNECTIONS  2


typedef struct ngx_enroll_redis_node_s  ngx_enroll_redis_node_t;

/* Who has several nodes, and knows others. */
typedef struct {

    /*
     * The server did not execute op, and says in op->reply why. NGX_OK: it is
     * taken over; NGX_DECLINED: it ends here.
     */
    ngx_int_t   (*refused)(ngx_enroll_redis_node_t *node,
                    ngx_enroll_redis_op_t *op, const char *failure);

    /* a connection was closed */
    void        (*closed)(ngx_enroll_redis_node_t *node,
                    ngx_uint_t harmless);
} ngx_enroll_redis_keeper_t;


struct ngx_enroll_redis_node_s {
    const ngx_enroll_redis_conf_t   *conf;
    ngx_log_t                       *log;
    ngx_enroll_redis_server_t        server;
    ngx_enroll_redis_connection_t    connections[
                                               NGX_ENROLL_REDIS_CONNECTIONS];

    ngx_queue_t                      waiting;
    ngx_uint_t                       nwaiting;

    ngx_event_t                      timer;     /* the next attempt */
    ngx_event_t                      leave;
    ngx_uint_t                       attempts;  /* failed ones in a row, from
                                                   which the delay follows */
    ngx_uint_t                       failures;  /* in a row */
    ngx_msec_t                       opened;    /* the circuit, when */
    const char                      *failure;   /* the last one */
    const char                      *logged;    /* NULL: all was well */
    ngx_msec_t                       muted;     /* when it was logged */

    unsigned                         circuit:1; /* open */
    unsigned                         short_of:1;  /* replicas; it was told */
    unsigned                         leaving:1;
    unsigned                         unused:1;  /* no connections any more,
                                                   but for what waits */

    const ngx_enroll_redis_keeper_t *keeper;    /* may be NULL */
    void                            *keeper_data;
};


/* node is zeroed. */
void ngx_enroll_redis_node_init(ngx_enroll_redis_node_t *node,
    const ngx_enroll_redis_conf_t *conf, ngx_log_t *log);

/* op's end comes by ngx_enroll_redis_op_done(), _fail() or _refuse(). */
void ngx_enroll_redis_node_send(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op);

/* As ngx_enroll_redis_replicated(). */
void ngx_enroll_redis_node_replicated(ngx_enroll_redis_node_t *node,
    const ngx_enroll_redis_op_t *op);

void ngx_enroll_redis_node_stat(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_stat_t *stat);

/* Its connections are used no more, and closed once they are drained. */
void ngx_enroll_redis_node_retire(ngx_enroll_redis_node_t *node,
    const char *failure);

/* It has no connection, and nothing waits for one. */
ngx_uint_t ngx_enroll_redis_node_idle(ngx_enroll_redis_node_t *node);

/* The worker's memory goes: no operation hears of it. */
void ngx_enroll_redis_node_destroy(ngx_enroll_redis_node_t *node);


#endif /* _NGX_ENROLL_REDIS_NODE_H_INCLUDED_ */
