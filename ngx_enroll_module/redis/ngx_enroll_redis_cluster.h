
/*
 * A cluster: who has which slot, a node for each master that is used, and the
 * operations that wait to learn where they belong.
 */

#ifndef _NGX_ENROLL_REDIS_CLUSTER_H_INCLUDED_
#define _NGX_ENROLL_REDIS_CLUSTER_H_INCLUDED_


#include "ngx_enroll_redis_address.h"
#include "ngx_enroll_redis_inquiry.h"
#include "ngx_enroll_redis_node.h"
#include "ngx_enroll_slot.h"


#define NGX_ENROLL_REDIS_MEMBERS  128    /* masters, at most */


typedef struct {
    ngx_enroll_redis_node_t     node;    /* first: it is found by it */
    ngx_enroll_redis_place_t    place;
    ngx_enroll_redis_conf_t     asked;   /* the same server, to ask */
    ngx_uint_t                  used;    /* it has slots */
} ngx_enroll_redis_member_t;


typedef struct {
    const ngx_enroll_redis_conf_t   *conf;

    ngx_enroll_redis_member_t       *members[NGX_ENROLL_REDIS_MEMBERS];
    u_char                           slots[NGX_ENROLL_SLOTS];  /* who, + 1 */

    ngx_queue_t                      waiting;
    ngx_uint_t                       nwaiting;
    ngx_event_t                      again;      /* sends what waits */

    ngx_str_t                        argv[2];
    ngx_enroll_redis_inquiry_t       inquiry;
    ngx_event_t                      refresh;
    ngx_msec_t                       refreshed;  /* when it last ended */
    ngx_uint_t                       current;    /* who is asked first */

    ngx_event_t                      sweep;
    const char                      *failure;

    unsigned                         mapped:1;
    unsigned                         down:1;     /* nobody to ask */
    unsigned                         leaving:1;
} ngx_enroll_redis_cluster_t;


/* cluster is zeroed. */
void ngx_enroll_redis_cluster_init(ngx_enroll_redis_cluster_t *cluster,
    const ngx_enroll_redis_conf_t *conf);

void ngx_enroll_redis_cluster_send(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op);

void ngx_enroll_redis_cluster_stat(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_stat_t *stat);

/* The worker's memory goes: no operation hears of it. */
void ngx_enroll_redis_cluster_destroy(ngx_enroll_redis_cluster_t *cluster);


#endif /* _NGX_ENROLL_REDIS_CLUSTER_H_INCLUDED_ */
