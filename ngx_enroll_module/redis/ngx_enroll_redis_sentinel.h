
/*
 * Where the master is, by the word of the sentinels: they are asked before
 * each connection, and whoever is named must still say itself that it is the
 * master.
 */

#ifndef _NGX_ENROLL_REDIS_SENTINEL_H_INCLUDED_
#define _NGX_ENROLL_REDIS_SENTINEL_H_INCLUDED_


#include "ngx_enroll_redis_address.h"
#include "ngx_enroll_redis_inquiry.h"
#include "ngx_enroll_redis_node.h"


typedef struct {
    ngx_enroll_redis_node_t         *node;
    const ngx_enroll_redis_conf_t   *given;
    ngx_enroll_redis_place_t         place;    /* the master's, last named */
    ngx_uint_t                       current;  /* the sentinel to ask first */
    ngx_str_t                        argv[3];
    ngx_enroll_redis_inquiry_t       inquiry;
    ngx_enroll_redis_connection_t   *waiting;  /* that wants to know */
    ngx_msec_t                       asked;    /* when they last were */

    unsigned                         named:1;  /* the master was, once */
    unsigned                         moved:1;  /* and is elsewhere now */
} ngx_enroll_redis_sentinel_t;


/* sentinel is zeroed; node is initialised here, too. */
void ngx_enroll_redis_sentinel_init(ngx_enroll_redis_sentinel_t *sentinel,
    ngx_enroll_redis_node_t *node, const ngx_enroll_redis_conf_t *conf);

/*
 * The node is about to be used: now and then the sentinels are asked whether
 * it still is the master. An old one believes so for seconds after a
 * failover, and what is written to it is lost.
 */
void ngx_enroll_redis_sentinel_check(ngx_enroll_redis_sentinel_t *sentinel);

/* After the node was destroyed. */
void ngx_enroll_redis_sentinel_destroy(
    ngx_enroll_redis_sentinel_t *sentinel);


#endif /* _NGX_ENROLL_REDIS_SENTINEL_H_INCLUDED_ */
