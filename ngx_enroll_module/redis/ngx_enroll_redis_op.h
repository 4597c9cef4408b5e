
/*
 * The end of an operation. Whoever knows its outcome says so here, from
 * whatever depth of the call stack; its handler runs later, from a posted
 * event, when no connection is in the middle of anything.
 */

#ifndef _NGX_ENROLL_REDIS_OP_H_INCLUDED_
#define _NGX_ENROLL_REDIS_OP_H_INCLUDED_


#include "ngx_enroll_redis.h"


/* Answered: op->reply is filled. */
void ngx_enroll_redis_op_done(ngx_enroll_redis_op_t *op);

/* No answer: NGX_DECLINED or NGX_ERROR, as it was never or once written. */
void ngx_enroll_redis_op_fail(ngx_enroll_redis_op_t *op,
    const char *failure);

/* The server said that it did not execute it. */
void ngx_enroll_redis_op_refuse(ngx_enroll_redis_op_t *op,
    const char *failure);


#endif /* _NGX_ENROLL_REDIS_OP_H_INCLUDED_ */
