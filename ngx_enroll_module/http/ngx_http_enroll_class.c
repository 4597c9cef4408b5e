
/* The block enroll_class, and its directives. */

#include "ngx_http_enroll_class.h"
#include "ngx_enroll_uri.h"


#define NGX_HTTP_ENROLL_WORDS_MAX     16         /* in a list */


static char *ngx_http_enroll_class_choice(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_class_channel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_class_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_class_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_class_list(ngx_conf_t *cf, ngx_uint_t *n,
    ngx_str_t **list);
static ngx_uint_t ngx_http_enroll_class_is_origin(const ngx_str_t *text);
static ngx_uint_t ngx_http_enroll_class_is_host(u_char *p, u_char *last);
static char *ngx_http_enroll_class_exception_of(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_enroll_class_deny_if(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_class_deny(ngx_conf_t *cf,
    ngx_http_enroll_class_t *class, ngx_str_t *value);
static char *ngx_http_enroll_class_deliver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_http_enroll_bounds_t  ngx_http_enroll_ttl_bounds =
    { 1000, 30 * NGX_HTTP_ENROLL_DAY };

static ngx_http_enroll_bounds_t  ngx_http_enroll_window_bounds =
    { 1000, 60 * NGX_HTTP_ENROLL_MINUTE };

/* SP 800-63B-4, 3.2.2: no more than 100 consecutive failures */
static ngx_http_enroll_bounds_t  ngx_http_enroll_attempts_bounds =
    { 1, 100 };

static ngx_http_enroll_bounds_t  ngx_http_enroll_approvals_bounds =
    { 0, 8 };


ngx_conf_enum_t  ngx_http_enroll_authenticators[] = {
    { ngx_string("unread"), NGX_ENROLL_AUTHENTICATORS_UNREAD },
    { ngx_string("any"), NGX_ENROLL_AUTHENTICATORS_ANY },
    { ngx_string("device_bound"), NGX_ENROLL_AUTHENTICATORS_DEVICE_BOUND },
    { ngx_string("hardware"), NGX_ENROLL_AUTHENTICATORS_HARDWARE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_enroll_proofs[] = {
    { ngx_string("none"), NGX_ENROLL_PROOF_NONE },
    { ngx_string("ial1"), NGX_ENROLL_PROOF_IAL1 },
    { ngx_string("ial2"), NGX_ENROLL_PROOF_IAL2 },
    { ngx_string("ial3"), NGX_ENROLL_PROOF_IAL3 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_enroll_verifications[] = {
    { ngx_string("preferred"), 0 },
    { ngx_string("required"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_enroll_recoveries[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_enroll_replays[] = {
    { ngx_string("log"), 0 },
    { ngx_string("revoke"), 1 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_enroll_class_commands[] = {

    { ngx_string("ttl"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_set_time,
      0,
      offsetof(ngx_http_enroll_draft_t, class.policy.ttl),
      &ngx_http_enroll_ttl_bounds },

    { ngx_string("window"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_set_time,
      0,
      offsetof(ngx_http_enroll_draft_t, class.policy.window),
      &ngx_http_enroll_window_bounds },

    { ngx_string("attempts"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_set_number,
      0,
      offsetof(ngx_http_enroll_draft_t, class.policy.attempts),
      &ngx_http_enroll_attempts_bounds },

    { ngx_string("proof"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_class_choice,
      0,
      offsetof(ngx_http_enroll_draft_t, proof),
      ngx_http_enroll_proofs },

    { ngx_string("approvals"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_set_number,
      0,
      offsetof(ngx_http_enroll_draft_t, class.policy.approvals),
      &ngx_http_enroll_approvals_bounds },

    { ngx_string("channel"),
      NGX_CONF_1MORE,
      ngx_http_enroll_class_channel,
      0,
      0,
      NULL },

    { ngx_string("require"),
      NGX_CONF_1MORE,
      ngx_http_enroll_class_require,
      0,
      0,
      NULL },

    { ngx_string("authenticators"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_class_choice,
      0,
      offsetof(ngx_http_enroll_draft_t, authenticators),
      ngx_http_enroll_authenticators },

    { ngx_string("aaguid"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_aaguid,
      0,
      0,
      NULL },

    { ngx_string("user_verification"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_class_choice,
      0,
      offsetof(ngx_http_enroll_draft_t, class.policy.user_verification),
      ngx_http_enroll_verifications },

    { ngx_string("origin"),
      NGX_CONF_1MORE,
      ngx_http_enroll_class_origin,
      0,
      0,
      NULL },

    { ngx_string("exception_of"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_class_exception_of,
      0,
      0,
      NULL },

    { ngx_string("recovery"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_class_choice,
      0,
      offsetof(ngx_http_enroll_draft_t, class.recovery),
      ngx_http_enroll_recoveries },

    { ngx_string("deny_if"),
      NGX_CONF_1MORE,
      ngx_http_enroll_class_deny_if,
      0,
      0,
      NULL },

    { ngx_string("deliver"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_class_deliver,
      0,
      0,
      NULL },

    { ngx_string("on_replay"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_class_choice,
      0,
      offsetof(ngx_http_enroll_draft_t, class.policy.replay_revokes),
      ngx_http_enroll_replays },

      ngx_null_command
};


char *
ngx_http_enroll_class_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    ngx_str_t                *value;
    ngx_enroll_class_t       *policy;
    ngx_http_enroll_class_t **slot;
    ngx_http_enroll_draft_t  *draft;

    value = cf->args->elts;

    if (ngx_http_enroll_word(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_class_find(emcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate enroll_class \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    draft = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_draft_t));
    slot = ngx_array_push(&emcf->classes);
    if (draft == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = &draft->class;

    policy = &draft->class.policy;
    policy->name = value[1];
    policy->ttl = NGX_CONF_UNSET_MSEC;
    policy->window = NGX_CONF_UNSET_MSEC;
    policy->attempts = NGX_CONF_UNSET;
    policy->approvals = NGX_CONF_UNSET;
    policy->user_verification = NGX_CONF_UNSET_UINT;
    policy->replay_revokes = NGX_CONF_UNSET_UINT;

    draft->class.recovery = NGX_CONF_UNSET_UINT;
    draft->proof = NGX_CONF_UNSET_UINT;
    draft->authenticators = NGX_CONF_UNSET_UINT;

    ngx_http_enroll_where(cf, &draft->class.where);

    /* the rest follows when all classes are known */

    return ngx_http_enroll_block(cf, ngx_http_enroll_class_commands, draft);
}


ngx_http_enroll_class_t *
ngx_http_enroll_class_find(ngx_http_enroll_main_conf_t *emcf,
    const ngx_str_t *name)
{
    ngx_str_t                 *is;
    ngx_uint_t                 i;
    ngx_http_enroll_class_t  **classes;

    classes = emcf->classes.elts;

    for (i = 0; i < emcf->classes.nelts; i++) {
        is = &classes[i]->policy.name;

        if (is->len == name->len
            && ngx_memcmp(is->data, name->data, name->len) == 0)
        {
            return classes[i];
        }
    }

    return NULL;
}


/* ngx_conf_set_enum_slot() does not say which words there are */

static char *
ngx_http_enroll_class_choice(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char            text[NGX_MAX_CONF_ERRSTR], *p, *last;
    ngx_str_t        *value;
    ngx_uint_t       *np;
    ngx_conf_enum_t  *e;

    np = (ngx_uint_t *) ((u_char *) conf + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    p = text;
    last = text + sizeof(text);

    for (e = cmd->post; e->name.len; e++) {

        if (e->name.len == value[1].len
            && ngx_memcmp(e->name.data, value[1].data, value[1].len) == 0)
        {
            *np = e->value;
            return NGX_CONF_OK;
        }

        p = ngx_slprintf(p, last, "%s\"%V\"",
                         e == cmd->post ? "" : e[1].name.len ? ", " : " or ",
                         &e->name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\", it must be %*s",
                       &value[1], &value[0], (size_t) (p - text), text);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_enroll_class_channel(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_draft_t  *draft = conf;

    char                *rv;
    ngx_uint_t           i;
    ngx_enroll_class_t  *policy;

    policy = &draft->class.policy;

    rv = ngx_http_enroll_class_list(cf, &policy->nchannels,
                                    &policy->channels);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (i = 0; i < policy->nchannels; i++) {

        if (ngx_http_enroll_word(cf, &policy->channels[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        /* so says a record whose joiner event named none */

        if (ngx_strcmp(policy->channels[i].data, "unspecified") == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"unspecified\" is no channel, it stands for "
                               "none: leave \"channel\" out to allow that");
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_class_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_draft_t  *draft = conf;

    char                *rv;
    ngx_uint_t           i;
    ngx_enroll_class_t  *policy;

    policy = &draft->class.policy;

    rv = ngx_http_enroll_class_list(cf, &policy->nrequire, &policy->require);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (i = 0; i < policy->nrequire; i++) {
        if (ngx_http_enroll_word(cf, &policy->require[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_class_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_draft_t  *draft = conf;

    char                *rv;
    ngx_uint_t           i;
    ngx_enroll_class_t  *policy;

    policy = &draft->class.policy;

    rv = ngx_http_enroll_class_list(cf, &policy->norigins, &policy->origins);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (i = 0; i < policy->norigins; i++) {

        if (!ngx_http_enroll_class_is_origin(&policy->origins[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\": it is what a browser "
                               "sends, such as https://login.example.com, in "
                               "lower case, with a port only where it is not "
                               "the usual one, and nothing behind it",
                               &policy->origins[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_class_list(ngx_conf_t *cf, ngx_uint_t *n, ngx_str_t **list)
{
    ngx_str_t  *value;

    if (*n) {
        return "is duplicate";
    }

    value = cf->args->elts;
    *n = cf->args->nelts - 1;

    if (*n > NGX_HTTP_ENROLL_WORDS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" takes %d parameters at most", &value[0],
                           NGX_HTTP_ENROLL_WORDS_MAX);
        return NGX_CONF_ERROR;
    }

    *list = ngx_palloc(cf->pool, *n * sizeof(ngx_str_t));
    if (*list == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(*list, &value[1], *n * sizeof(ngx_str_t));

    return NGX_CONF_OK;
}


/* RFC 6454, section 6.2: scheme, host, and a port that is not the scheme's */

static ngx_uint_t
ngx_http_enroll_class_is_origin(const ngx_str_t *text)
{
    u_char     *p, *last, *host;
    ngx_int_t   port, usual;

    p = text->data;
    last = p + text->len;

    if (text->len > NGX_ENROLL_ORIGIN_MAX) {
        return 0;
    }

    if (ngx_strncmp(p, "https://", 8) == 0) {
        host = p + 8;
        usual = 443;

    } else if (ngx_strncmp(p, "http://", 7) == 0) {
        host = p + 7;
        usual = 80;

    } else {
        return 0;
    }

    p = ngx_strlchr(host, last, ':');

    if (p == NULL) {
        return ngx_http_enroll_class_is_host(host, last);
    }

    port = ngx_atoi(p + 1, last - (p + 1));

    return ngx_http_enroll_class_is_host(host, p)
           && p[1] != '0' && port > 0 && port <= 65535 && port != usual;
}


static ngx_uint_t
ngx_http_enroll_class_is_host(u_char *p, u_char *last)
{
    u_char  c, before;

    before = '.';

    for ( /* void */ ; p < last; p++) {
        c = *p;

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
              || c == '-' || c == '_' || (c == '.' && before != '.')))
        {
            return 0;
        }

        before = c;
    }

    return before != '.';
}


static char *
ngx_http_enroll_class_exception_of(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_enroll_draft_t  *draft = conf;

    ngx_str_t           *value;
    ngx_enroll_class_t  *policy;

    policy = &draft->class.policy;

    if (policy->parent.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_enroll_word(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    policy->parent = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_class_deny_if(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_draft_t  *draft = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;
    ngx_enroll_class_t       *policy;
    ngx_http_enroll_class_t  *class;

    class = &draft->class;
    policy = &class->policy;

    if (policy->ndeny == 0) {
        policy->deny = ngx_palloc(cf->pool, NGX_HTTP_ENROLL_WORDS_MAX
                                            * sizeof(ngx_str_t));
        if (policy->deny == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_array_init(&class->deny, cf->pool, NGX_HTTP_ENROLL_WORDS_MAX,
                           sizeof(ngx_http_complex_value_t))
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_enroll_class_deny(cf, class, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_class_deny(ngx_conf_t *cf, ngx_http_enroll_class_t *class,
    ngx_str_t *value)
{
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    if (class->policy.ndeny == NGX_HTTP_ENROLL_WORDS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"deny_if\" takes %d parameters at most, of all "
                           "its lines in a class", NGX_HTTP_ENROLL_WORDS_MAX);
        return NGX_CONF_ERROR;
    }

    if (ngx_strstr(value->data, "$enroll_")
        || ngx_strstr(value->data, "${enroll_"))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": whose token it is, and "
                           "all that $enroll_... says, is not known when "
                           "\"deny_if\" is asked", value);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_script_variables_count(value) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": \"deny_if\" takes "
                           "texts with $variables, this one is the same for "
                           "all requests", value);
        return NGX_CONF_ERROR;
    }

    cv = ngx_array_push(&class->deny);
    if (cv == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    class->policy.deny[class->policy.ndeny++] = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_class_deliver(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_draft_t  *draft = conf;

    ngx_str_t  *value, *uri;

    if (draft->class.deliver.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    uri = &value[1];

    /* it is looked up as it is, so nothing in it may stand for another */

    if (!ngx_enroll_uri_canonical(uri)
        || ngx_strlchr(uri->data, uri->data + uri->len, '?')
        || ngx_strlchr(uri->data, uri->data + uri->len, '%'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid uri \"%V\": \"deliver\" takes the path of "
                           "an internal location, it begins with a slash and "
                           "has none of \"//\", \"\\\", \";\", \"?\", \"%%\" "
                           "in it", uri);
        return NGX_CONF_ERROR;
    }

    draft->class.deliver = *uri;

    return NGX_CONF_OK;
}
