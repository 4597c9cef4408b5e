
/* What each class asks of this request. */

#include "ngx_http_enroll_module.h"


static ngx_uint_t ngx_http_enroll_rules_denied(ngx_http_request_t *r,
    ngx_http_enroll_class_t *class);


ngx_enroll_rule_t *
ngx_http_enroll_rules(ngx_http_request_t *r, ngx_uint_t endpoint,
    ngx_uint_t redeems, ngx_uint_t *n)
{
    ngx_uint_t                     i;
    ngx_enroll_rule_t             *rule;
    ngx_http_enroll_ctx_t         *ctx;
    ngx_http_enroll_class_t      **classes;
    ngx_http_enroll_main_conf_t   *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    ctx = ngx_http_enroll_ctx_find(r);

    classes = emcf->classes.elts;
    *n = emcf->classes.nelts;

    rule = ngx_pcalloc(r->pool, (*n + 1) * sizeof(ngx_enroll_rule_t));
    if (rule == NULL) {
        return NULL;
    }

    redeems |= (endpoint & (NGX_HTTP_ENROLL_BEGIN|NGX_HTTP_ENROLL_FINISH));

    for (i = 0; i < *n; i++) {
        rule[i].class = classes[i]->policy.name;
        rule[i].proof = classes[i]->policy.proof;
        rule[i].approvals = classes[i]->policy.approvals;
        rule[i].replay_revokes = classes[i]->policy.replay_revokes;
        rule[i].reason = NGX_ENROLL_OK;
        rule[i].why = "";

        if (redeems && ngx_http_enroll_rules_denied(r, classes[i])) {
            rule[i].reason = NGX_ENROLL_DENIED;
            continue;
        }

        if (endpoint != NGX_HTTP_ENROLL_FINISH) {
            continue;
        }

        rule[i].why = ngx_enroll_authenticator_refused(&classes[i]->policy,
                                                       ctx->authenticator);
        if (rule[i].why) {
            rule[i].reason = NGX_ENROLL_AUTHENTICATOR;

        } else {
            rule[i].why = "";
        }
    }

    return rule;
}


static ngx_uint_t
ngx_http_enroll_rules_denied(ngx_http_request_t *r,
    ngx_http_enroll_class_t *class)
{
    ngx_int_t                  rc;
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_enroll_ctx_t     *ctx;
    ngx_http_complex_value_t  *deny;

    ctx = ngx_http_enroll_ctx_find(r);
    deny = class->deny.elts;

    for (i = 0; i < class->deny.nelts; i++) {

        ctx->ruling = 1;
        rc = ngx_http_complex_value(r, &deny[i], &value);
        ctx->ruling = 0;

        /*
         * A map of what is not known yet would allow everybody; and it keeps
         * its value, so whoever asks for it next is denied, too.
         */

        if (rc != NGX_OK || ctx->misruled) {
            return 1;
        }

        if (value.len && !(value.len == 1 && value.data[0] == '0')) {
            return 1;
        }
    }

    return 0;
}
