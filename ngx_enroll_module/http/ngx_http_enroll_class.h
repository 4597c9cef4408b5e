
/* Between the files that read a class: its block, its parent's part in it. */

#ifndef _NGX_HTTP_ENROLL_CLASS_H_INCLUDED_
#define _NGX_HTTP_ENROLL_CLASS_H_INCLUDED_


#include "ngx_http_enroll_module.h"


#define NGX_HTTP_ENROLL_DAY     (24 * 60 * 60 * 1000LL)
#define NGX_HTTP_ENROLL_MINUTE  (60 * 1000)


typedef struct ngx_http_enroll_draft_s  ngx_http_enroll_draft_t;

/*
 * A class as its block says it: a number that is not said is unset, a list or
 * a text empty. It is where emcf->classes point to: class is the first member.
 */
struct ngx_http_enroll_draft_s {
    ngx_http_enroll_class_t     class;
    ngx_uint_t                  proof;
    ngx_uint_t                  authenticators;
    ngx_http_enroll_draft_t    *root;          /* NULL: not resolved yet */
    ngx_uint_t                  entered;       /* … but its parent is */
};


/* By value; ended by an empty name. */
extern ngx_conf_enum_t  ngx_http_enroll_authenticators[];


/* aaguid: the directive of that name, of a draft's class */

char *ngx_http_enroll_aaguid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_HTTP_ENROLL_CLASS_H_INCLUDED_ */
