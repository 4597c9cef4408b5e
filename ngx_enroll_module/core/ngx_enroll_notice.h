
/*
 * Events out: what of an audit event is said to others, as the claims of a
 * Security Event Token (RFC 8417).
 *
 * An enrollment is CAEP's credential-change (OpenID CAEP 1.0, 3.3), all else
 * is ours: urn:enroll:event:… with the event as it stands in enroll_log.
 */

#ifndef _NGX_ENROLL_NOTICE_H_INCLUDED_
#define _NGX_ENROLL_NOTICE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_ENROLL_NOTICE_TYP   "secevent+jwt"
#define NGX_ENROLL_NOTICE_CAEP                                                \
    "https://schemas.openid.net/secevent/caep/event-type/credential-change"
#define NGX_ENROLL_NOTICE_URN   "urn:enroll:event:"


/* What the event itself does not say. */
typedef struct {
    ngx_str_t    iss;
    ngx_str_t    aud;
    ngx_uint_t   partition;
    ngx_str_t    id;               /* the stream's, unique in a partition */
    time_t       now;
} ngx_enroll_notice_t;


/*
 * The claims of the SET that tells of event, which is the JSON object that a
 * line of enroll_log is, and stays the caller's. NGX_OK, with claims that the
 * caller releases; NGX_DECLINED: it is not one that others are told of;
 * NGX_ERROR: no memory. What an event lacks is left out.
 */
ngx_int_t ngx_enroll_notice(const ngx_enroll_notice_t *notice, json_t *event,
    json_t **claims);


#endif /* _NGX_ENROLL_NOTICE_H_INCLUDED_ */
