
/*
 * A server that another server named: an IP address or a host, and a port.
 */

#ifndef _NGX_ENROLL_REDIS_ADDRESS_H_INCLUDED_
#define _NGX_ENROLL_REDIS_ADDRESS_H_INCLUDED_


#include "ngx_enroll_redis.h"


#define NGX_ENROLL_REDIS_HOST_MAX  255


typedef struct {
    ngx_enroll_redis_conf_t   conf;      /* that of the server itself */
    ngx_addr_t                addr;
    ngx_sockaddr_t            sockaddr;
    u_char                    host[NGX_ENROLL_REDIS_HOST_MAX];
    u_char                    name[NGX_ENROLL_REDIS_HOST_MAX
                                   + sizeof("[]:65535") - 1];
} ngx_enroll_redis_place_t;


/*
 * Fills place, whose conf becomes a copy of given but for where it is.
 * NGX_OK; NGX_DECLINED: that is no address, and place is as it was.
 */
ngx_int_t ngx_enroll_redis_place(ngx_enroll_redis_place_t *place,
    const ngx_enroll_redis_conf_t *given, const ngx_str_t *host,
    ngx_uint_t port);

/* place is there. */
ngx_uint_t ngx_enroll_redis_placed(const ngx_enroll_redis_place_t *place,
    const ngx_str_t *host, ngx_uint_t port);


#endif /* _NGX_ENROLL_REDIS_ADDRESS_H_INCLUDED_ */
