
/* How often an issuer may call, on this host. */

#ifndef _NGX_HTTP_ENROLL_RATE_H_INCLUDED_
#define _NGX_HTTP_ENROLL_RATE_H_INCLUDED_


#include "ngx_http_enroll_module.h"


/*
 * Counts a call of the issuer, which has proved to be his. NGX_OK, or
 * NGX_BUSY: he is above his rate, and the call is not counted.
 */
ngx_int_t ngx_http_enroll_rate(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_issuer_t *issuer);

/* Adds Retry-After: in how many seconds he may make one. NGX_OK, NGX_ERROR. */
ngx_int_t ngx_http_enroll_rate_header(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer);


#endif /* _NGX_HTTP_ENROLL_RATE_H_INCLUDED_ */
