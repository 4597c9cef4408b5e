
/*
 * What an exception has of its parent, and that it is nowhere laxer (I8).
 * Parents may stand behind their exceptions, so this is done when all classes
 * have been read.
 */

#include "ngx_http_enroll_class.h"


static char *ngx_http_enroll_exception_recovers(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_draft_t *draft);
static char *ngx_http_enroll_exception_resolve(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_draft_t *draft);
static char *ngx_http_enroll_exception_finish(ngx_conf_t *cf,
    ngx_http_enroll_draft_t *draft, ngx_http_enroll_draft_t *parent);
static void ngx_http_enroll_exception_inherit(ngx_http_enroll_draft_t *draft,
    ngx_http_enroll_draft_t *parent);
static void ngx_http_enroll_exception_inherit_list(ngx_uint_t *n,
    ngx_str_t **list, ngx_uint_t nparent, ngx_str_t *parent);
static char *ngx_http_enroll_exception_authenticators(ngx_conf_t *cf,
    ngx_http_enroll_draft_t *draft, ngx_http_enroll_draft_t *parent);
static char *ngx_http_enroll_exception_laxer(ngx_conf_t *cf,
    ngx_http_enroll_class_t *class, ngx_http_enroll_class_t *parent);
static u_char *ngx_http_enroll_exception_values(u_char *p, u_char *last,
    const char *name, ngx_enroll_class_t *class, ngx_enroll_class_t *parent);
static u_char *ngx_http_enroll_exception_lists(u_char *p, u_char *last,
    const char *name, ngx_enroll_class_t *class, ngx_enroll_class_t *parent);
static ngx_str_t *ngx_http_enroll_exception_odd(ngx_str_t *words,
    ngx_uint_t n, ngx_str_t *list, ngx_uint_t nlist);
static char *ngx_http_enroll_exception_recovery(ngx_conf_t *cf,
    ngx_http_enroll_class_t *class, ngx_http_enroll_class_t *root);
static char *ngx_http_enroll_exception_ceilings(ngx_conf_t *cf,
    ngx_http_enroll_class_t *class);


char *
ngx_http_enroll_classes_init(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf)
{
    ngx_uint_t                 i;
    ngx_http_enroll_draft_t  **drafts;

    drafts = emcf->classes.elts;

    for (i = 0; i < emcf->classes.nelts; i++) {
        if (ngx_http_enroll_exception_resolve(cf, emcf, drafts[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < emcf->classes.nelts; i++) {
        if (drafts[i]->class.recovery
            && ngx_http_enroll_exception_recovers(cf, emcf, drafts[i])
               != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* what was enrolled by one root's policy is not recovered by another's */

static char *
ngx_http_enroll_exception_recovers(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_draft_t *draft)
{
    size_t                     len;
    u_char                    *p;
    ngx_uint_t                 i;
    ngx_http_enroll_draft_t  **drafts;

    drafts = emcf->classes.elts;
    len = 0;

    for (i = 0; i < emcf->classes.nelts; i++) {
        len += drafts[i]->class.policy.name.len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    draft->class.recovers.data = p;

    for (i = 0; i < emcf->classes.nelts; i++) {
        if (drafts[i]->root == draft->root) {
            p = ngx_sprintf(p, "%V ", &drafts[i]->class.policy.name);
        }
    }

    draft->class.recovers.len = p - draft->class.recovers.data - 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_exception_resolve(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_draft_t *draft)
{
    ngx_http_enroll_class_t  *class;
    ngx_http_enroll_draft_t  *parent;

    class = &draft->class;

    if (draft->root) {
        return NGX_CONF_OK;
    }

    if (class->policy.parent.len == 0) {
        draft->root = draft;
        return ngx_http_enroll_exception_finish(cf, draft, draft);
    }

    if (draft->entered) {
        return ngx_http_enroll_conf_error(cf, &class->where,
                   "enroll_class \"%V\" is, by \"exception_of\", an exception "
                   "of itself", &class->policy.name);
    }

    draft->entered = 1;

    parent = (ngx_http_enroll_draft_t *)
                 ngx_http_enroll_class_find(emcf, &class->policy.parent);

    if (parent == NULL) {
        return ngx_http_enroll_conf_error(cf, &class->where,
                   "unknown class \"%V\" in \"exception_of\" of enroll_class "
                   "\"%V\": declare it with enroll_class",
                   &class->policy.parent, &class->policy.name);
    }

    if (ngx_http_enroll_exception_resolve(cf, emcf, parent) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    draft->root = parent->root;

    return ngx_http_enroll_exception_finish(cf, draft, parent);
}


/* the parent of a class that is no exception is the class itself */

static char *
ngx_http_enroll_exception_finish(ngx_conf_t *cf,
    ngx_http_enroll_draft_t *draft, ngx_http_enroll_draft_t *parent)
{
    ngx_http_enroll_class_t  *class;

    class = &draft->class;

    ngx_http_enroll_exception_inherit(draft, parent);

    if (ngx_http_enroll_exception_authenticators(cf, draft, parent)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    class->policy.proof = draft->proof;
    class->policy.authenticators = draft->authenticators;

    if (ngx_http_enroll_exception_laxer(cf, class, &parent->class)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (class->recovery
        && ngx_http_enroll_exception_recovery(cf, class, &draft->root->class)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_enroll_exception_ceilings(cf, class);
}


static void
ngx_http_enroll_exception_inherit(ngx_http_enroll_draft_t *draft,
    ngx_http_enroll_draft_t *parent)
{
    ngx_enroll_class_t       *conf, *prev;
    ngx_http_enroll_class_t  *class;

    class = &draft->class;
    conf = &class->policy;
    prev = &parent->class.policy;

    ngx_conf_merge_msec_value(conf->ttl, prev->ttl, NGX_HTTP_ENROLL_DAY);
    ngx_conf_merge_msec_value(conf->window, prev->window,
                              10 * NGX_HTTP_ENROLL_MINUTE);
    ngx_conf_merge_value(conf->attempts, prev->attempts, 5);
    ngx_conf_merge_uint_value(draft->proof, parent->proof,
                              NGX_ENROLL_PROOF_NONE);
    ngx_conf_merge_value(conf->approvals, prev->approvals, 0);
    ngx_conf_merge_uint_value(conf->user_verification,
                              prev->user_verification, 0);
    ngx_conf_merge_uint_value(conf->replay_revokes, prev->replay_revokes, 0);
    ngx_conf_merge_uint_value(class->recovery, parent->class.recovery, 0);
    ngx_conf_merge_str_value(class->deliver, parent->class.deliver, "");

    ngx_http_enroll_exception_inherit_list(&conf->nchannels, &conf->channels,
                                           prev->nchannels, prev->channels);
    ngx_http_enroll_exception_inherit_list(&conf->nrequire, &conf->require,
                                           prev->nrequire, prev->require);
    ngx_http_enroll_exception_inherit_list(&conf->naaguids, &conf->aaguids,
                                           prev->naaguids, prev->aaguids);
    ngx_http_enroll_exception_inherit_list(&conf->norigins, &conf->origins,
                                           prev->norigins, prev->origins);

    if (conf->ndeny == 0) {
        conf->ndeny = prev->ndeny;
        conf->deny = prev->deny;
        class->deny = parent->class.deny;
    }
}


static void
ngx_http_enroll_exception_inherit_list(ngx_uint_t *n, ngx_str_t **list,
    ngx_uint_t nparent, ngx_str_t *parent)
{
    if (*n == 0) {
        *n = nparent;
        *list = parent;
    }
}


/* what is said of authenticators is nothing where they may pass unread */

static char *
ngx_http_enroll_exception_authenticators(ngx_conf_t *cf,
    ngx_http_enroll_draft_t *draft, ngx_http_enroll_draft_t *parent)
{
    const char          *rule;
    ngx_enroll_class_t  *policy;

    policy = &draft->class.policy;

    rule = policy->naaguids ? "aaguid"
           : policy->user_verification ? "user_verification required"
           : policy->norigins ? "origin"
           : NULL;

    if (draft->authenticators == NGX_CONF_UNSET_UINT) {
        ngx_conf_merge_uint_value(draft->authenticators,
                                  parent->authenticators,
                                  NGX_ENROLL_AUTHENTICATORS_UNREAD);

        if (rule && draft->authenticators == NGX_ENROLL_AUTHENTICATORS_UNREAD)
        {
            draft->authenticators = NGX_ENROLL_AUTHENTICATORS_ANY;
        }

        return NGX_CONF_OK;
    }

    if (rule && draft->authenticators == NGX_ENROLL_AUTHENTICATORS_UNREAD) {
        return ngx_http_enroll_conf_error(cf, &draft->class.where,
                   "\"authenticators unread\" in enroll_class \"%V\" would "
                   "let pass what \"%s\" forbids: say \"authenticators any\"",
                   &policy->name, rule);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_exception_laxer(ngx_conf_t *cf,
    ngx_http_enroll_class_t *class, ngx_http_enroll_class_t *parent)
{
    u_char       text[NGX_MAX_CONF_ERRSTR], *p;
    const char  *name;

    name = ngx_enroll_class_laxer(&class->policy, &parent->policy);

    /* it is what binds a recovery to another issuer and another channel */

    if (name == NULL && class->recovery < parent->recovery) {
        name = "recovery";
    }

    if (name == NULL) {
        return NGX_CONF_OK;
    }

    p = ngx_http_enroll_exception_values(text, text + sizeof(text), name,
                                         &class->policy, &parent->policy);

    return ngx_http_enroll_conf_error(cf, &parent->where,
               "exception \"%V\" is laxer than \"%V\" in \"%s\": %*s "
               "in %s:%ui, its parent", &class->policy.name,
               &parent->policy.name, name, (size_t) (p - text), text,
               class->where.file, class->where.line);
}


static u_char *
ngx_http_enroll_exception_values(u_char *p, u_char *last, const char *name,
    ngx_enroll_class_t *class, ngx_enroll_class_t *parent)
{
    u_char  is[NGX_HTTP_ENROLL_TIME_LEN], bound[NGX_HTTP_ENROLL_TIME_LEN];

    if (ngx_strcmp(name, "ttl") == 0) {
        return ngx_slprintf(p, last, "%s instead of at most %s",
                            ngx_http_enroll_time(is, class->ttl),
                            ngx_http_enroll_time(bound, parent->ttl));
    }

    if (ngx_strcmp(name, "window") == 0) {
        return ngx_slprintf(p, last, "%s instead of at most %s",
                            ngx_http_enroll_time(is, class->window),
                            ngx_http_enroll_time(bound, parent->window));
    }

    if (ngx_strcmp(name, "attempts") == 0) {
        return ngx_slprintf(p, last, "%i instead of at most %i",
                            class->attempts, parent->attempts);
    }

    if (ngx_strcmp(name, "proof") == 0) {
        return ngx_slprintf(p, last, "%V instead of at least %V",
                            ngx_enroll_proof_name(class->proof),
                            ngx_enroll_proof_name(parent->proof));
    }

    if (ngx_strcmp(name, "approvals") == 0) {
        return ngx_slprintf(p, last, "%i instead of at least %i",
                            class->approvals, parent->approvals);
    }

    if (ngx_strcmp(name, "authenticators") == 0) {
        return ngx_slprintf(p, last, "%V instead of at least %V",
                   &ngx_http_enroll_authenticators[class->authenticators].name,
                   &ngx_http_enroll_authenticators[parent->authenticators]
                        .name);
    }

    if (ngx_strcmp(name, "user_verification") == 0) {
        return ngx_slprintf(p, last, "preferred instead of required");
    }

    if (ngx_strcmp(name, "on_replay") == 0) {
        return ngx_slprintf(p, last, "log instead of revoke");
    }

    if (ngx_strcmp(name, "recovery") == 0) {
        return ngx_slprintf(p, last, "off instead of on");
    }

    return ngx_http_enroll_exception_lists(p, last, name, class, parent);
}


static u_char *
ngx_http_enroll_exception_lists(u_char *p, u_char *last, const char *name,
    ngx_enroll_class_t *class, ngx_enroll_class_t *parent)
{
    ngx_str_t  *odd;

    if (ngx_strcmp(name, "require") == 0) {
        odd = ngx_http_enroll_exception_odd(parent->require, parent->nrequire,
                                            class->require, class->nrequire);
        return ngx_slprintf(p, last, "\"%V\" is missing", odd);
    }

    if (ngx_strcmp(name, "deny_if") == 0) {
        odd = ngx_http_enroll_exception_odd(parent->deny, parent->ndeny,
                                            class->deny, class->ndeny);
        return ngx_slprintf(p, last, "\"%V\" is missing", odd);
    }

    if (ngx_strcmp(name, "channel") == 0) {
        odd = ngx_http_enroll_exception_odd(class->channels, class->nchannels,
                                            parent->channels,
                                            parent->nchannels);

    } else if (ngx_strcmp(name, "aaguid") == 0) {
        odd = ngx_http_enroll_exception_odd(class->aaguids, class->naaguids,
                                            parent->aaguids,
                                            parent->naaguids);

    } else {
        odd = ngx_http_enroll_exception_odd(class->origins, class->norigins,
                                            parent->origins,
                                            parent->norigins);
    }

    return ngx_slprintf(p, last, "\"%V\" is none of its parent's", odd);
}


/* The first of the words that is not in the list. */

static ngx_str_t *
ngx_http_enroll_exception_odd(ngx_str_t *words, ngx_uint_t n,
    ngx_str_t *list, ngx_uint_t nlist)
{
    ngx_uint_t  i, j;

    for (i = 0; i < n; i++) {

        for (j = 0; j < nlist; j++) {
            if (words[i].len == list[j].len
                && ngx_memcmp(words[i].data, list[j].data, list[j].len) == 0)
            {
                break;
            }
        }

        if (j == nlist) {
            break;
        }
    }

    return &words[i];
}


/* an exception that does not say its channels has those of its root */

static char *
ngx_http_enroll_exception_recovery(ngx_conf_t *cf,
    ngx_http_enroll_class_t *class, ngx_http_enroll_class_t *root)
{
    if (class == root) {
        return ngx_http_enroll_conf_error(cf, &class->where,
                   "\"recovery\" of enroll_class \"%V\" needs "
                   "\"exception_of\"", &class->policy.name);
    }

    if (root->policy.nchannels == 0) {
        return ngx_http_enroll_conf_error(cf, &root->where,
                   "\"recovery\" of enroll_class \"%V\" needs \"channel\" in "
                   "enroll_class \"%V\": otherwise another channel than the "
                   "original could not be told", &class->policy.name,
                   &root->policy.name);
    }

    if (root->policy.nchannels == 1) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "enroll_class \"%V\" has the only channel of \"%V\": "
                      "who has enrolled by it can not recover in %s:%ui",
                      &class->policy.name, &root->policy.name,
                      class->where.file, class->where.line);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_exception_ceilings(ngx_conf_t *cf,
    ngx_http_enroll_class_t *class)
{
    u_char               is[NGX_HTTP_ENROLL_TIME_LEN],
                         bound[NGX_HTTP_ENROLL_TIME_LEN];
    ngx_uint_t           i;
    ngx_msec_t           ceiling;
    ngx_enroll_class_t  *policy;

    policy = &class->policy;

    for (i = 0; i < policy->nchannels; i++) {
        ceiling = ngx_enroll_channel_ceiling(&policy->channels[i]);

        if (ceiling && policy->ttl > ceiling) {
            return ngx_http_enroll_conf_error(cf, &class->where,
                       "\"ttl\" of enroll_class \"%V\" is %s, but "
                       "SP 800-63A-4 (3.8) allows at most %s where a code is "
                       "sent by \"%V\"", &policy->name,
                       ngx_http_enroll_time(is, policy->ttl),
                       ngx_http_enroll_time(bound, ceiling),
                       &policy->channels[i]);
        }
    }

    return NGX_CONF_OK;
}
