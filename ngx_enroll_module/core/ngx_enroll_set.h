
/*
 * Security Event Tokens (RFC 8417) with SCIM provisioning events (RFC 9967):
 * what a verified SET's claims order.
 *
 *     prov:create:*, prov:activate      issue
 *     prov:deactivate, prov:delete      revoke
 *
 * Other event types order nothing: they are acknowledged and logged.
 */

#ifndef _NGX_ENROLL_SET_H_INCLUDED_
#define _NGX_ENROLL_SET_H_INCLUDED_


#include "ngx_enroll_joiner.h"


typedef enum {
    NGX_ENROLL_SET_NOTHING = 0,    /* no event that orders anything */
    NGX_ENROLL_SET_ISSUE,
    NGX_ENROLL_SET_REVOKE
} ngx_enroll_set_e;


/* What of a SCIM subject (sub_id, format scim) is the subject. */
typedef enum {
    NGX_ENROLL_SET_ID = 0,         /* the last segment of its uri */
    NGX_ENROLL_SET_EXTERNAL_ID     /* its externalId */
} ngx_enroll_set_subject_e;


/* Strings point into the claims, or into text. */
typedef struct {
    ngx_enroll_set_e        order;
    ngx_str_t               jti;         /* 1 to 255 printable, no space */
    ngx_str_t               type;        /* the event's URI */
    ngx_str_t               subject;
    ngx_uint_t              nattributes;
    ngx_enroll_attribute_t  attributes[NGX_ENROLL_ATTRIBUTES_MAX];
} ngx_enroll_set_t;


/*
 * Reads the claims of a SET that was verified. NGX_OK; NGX_DECLINED with a
 * text in err: no jti, no events, no subject, two events that order
 * different things, bounds.
 *
 * Attributes come of the SCIM user in the event's "data" (RFC 7643):
 * user_name, display_name, given_name, family_name, email (the primary, or
 * the first), phone (likewise), title, employee_id, department, organization,
 * cost_center, manager (the enterprise extension's). What is longer than its
 * bound, or not a string, is left out: a class that requires it will say so.
 */
ngx_int_t ngx_enroll_set_read(ngx_enroll_set_t *set, json_t *claims,
    ngx_enroll_set_subject_e subject, char err[NGX_ENROLL_ERR_LEN]);


#endif /* _NGX_ENROLL_SET_H_INCLUDED_ */
