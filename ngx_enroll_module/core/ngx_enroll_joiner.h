
/*
 * The JSON bodies that issuers send: the joiner event (enroll_issue), the
 * order to revoke (enroll_revoke) and the approval (enroll_approve).
 *
 *     { "subject": "u-1042", "class": "standard", "ttl": 3600,
 *       "channel": "email", "attributes": { "email": "ada@example.org" } }
 *
 *     { "id": "…32 hex digits…" }  or  { "subject": "u-1042" },
 *     both with an optional "reason"
 *
 *     { "id": "…32 hex digits…", "approver": "m-7" }
 *
 * A joiner event may name its "requester", the person on whose wish it was
 * sent; classes that ask for approvals need it.
 *
 * Everything is checked here, at the edge: unknown and duplicate members,
 * types and bounds are refused, because a misspelt "ttl" must not become a
 * longer life.
 */

#ifndef _NGX_ENROLL_JOINER_H_INCLUDED_
#define _NGX_ENROLL_JOINER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>

#include "ngx_enroll_keys.h"


#define NGX_ENROLL_SUBJECT_MAX      255  /* bytes of UTF-8, no controls */
#define NGX_ENROLL_PERSON_MAX       64   /* requester, approver: ASCII */
#define NGX_ENROLL_WORD_MAX         32   /* class, channel: [a-z0-9_-] */
#define NGX_ENROLL_ATTRIBUTES_MAX   16   /* members of attributes */
#define NGX_ENROLL_ATTRIBUTE_MAX    256  /* bytes of one's value */
#define NGX_ENROLL_REASON_MAX       128  /* bytes of UTF-8, no controls */


typedef struct {
    ngx_str_t  name;                     /* [a-z0-9_-], 1 to 32 */
    ngx_str_t  value;                    /* UTF-8, no controls */
} ngx_enroll_attribute_t;


/* The strings point into json, which the caller releases with the struct. */
typedef struct {
    json_t                 *json;
    ngx_str_t               event;       /* empty: the member is not there */
    ngx_str_t               subject;
    ngx_str_t               class;       /* empty: not there */
    ngx_str_t               channel;     /* empty: not there */
    ngx_str_t               requester;   /* empty: not there */
    time_t                  ttl;         /* seconds, > 0; 0: not there */
    ngx_uint_t              nattributes;
    ngx_enroll_attribute_t  attributes[NGX_ENROLL_ATTRIBUTES_MAX];
} ngx_enroll_joiner_t;


typedef struct {
    json_t                 *json;
    ngx_str_t               id;          /* 32 lower-case hex digits, or */
    ngx_str_t               subject;     /* … this one; the other is empty */
    ngx_str_t               reason;      /* empty: not there */
} ngx_enroll_leaver_t;


typedef struct {
    json_t                 *json;
    ngx_str_t               id;          /* 32 lower-case hex digits */
    ngx_str_t               approver;    /* 1 to NGX_ENROLL_PERSON_MAX */
} ngx_enroll_approval_t;


/*
 * NGX_OK, or NGX_DECLINED with what is wrong in err (a sentence for the
 * issuer, which names the member and the bound, and holds nothing of the
 * body but member names of [a-z0-9_-]). On NGX_DECLINED nothing is left to
 * free.
 */
ngx_int_t ngx_enroll_joiner_read(ngx_enroll_joiner_t *joiner,
    const ngx_str_t *body, char err[NGX_ENROLL_ERR_LEN]);
void ngx_enroll_joiner_free(ngx_enroll_joiner_t *joiner);

ngx_int_t ngx_enroll_leaver_read(ngx_enroll_leaver_t *leaver,
    const ngx_str_t *body, char err[NGX_ENROLL_ERR_LEN]);
void ngx_enroll_leaver_free(ngx_enroll_leaver_t *leaver);

ngx_int_t ngx_enroll_approval_read(ngx_enroll_approval_t *approval,
    const ngx_str_t *body, char err[NGX_ENROLL_ERR_LEN]);
void ngx_enroll_approval_free(ngx_enroll_approval_t *approval);


#endif /* _NGX_ENROLL_JOINER_H_INCLUDED_ */
