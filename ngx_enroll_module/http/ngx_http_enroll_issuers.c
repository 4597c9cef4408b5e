
/* The blocks enroll_issuer and enroll_prover: whose word counts for what. */

#include "ngx_http_enroll_module.h"
#include "ngx_http_enroll_secret.h"
#include "ngx_enroll_webhook.h"

#include <openssl/crypto.h>


#define NGX_HTTP_ENROLL_SECRET_MAX  1024         /* bytes of files */
#define NGX_HTTP_ENROLL_JWKS_MAX    65536

#define NGX_HTTP_ENROLL_CLAIM_MAX   255          /* bytes of iss and aud */
#define NGX_HTTP_ENROLL_RATE_MAX    100000       /* calls in a unit */
#define NGX_HTTP_ENROLL_BURST       10
#define NGX_HTTP_ENROLL_BURST_MAX   100000

#define NGX_HTTP_ENROLL_MAX_AGE     (10 * 60)    /* seconds */
#define NGX_HTTP_ENROLL_MAX_AGE_MAX (24 * 60 * 60)


static ngx_uint_t ngx_http_enroll_issuers_alike(ngx_http_enroll_issuer_t *one,
    ngx_http_enroll_issuer_t *other);
static ngx_int_t ngx_http_enroll_issuer_init(ngx_conf_t *cf,
    ngx_http_enroll_issuer_t *issuer);
static char *ngx_http_enroll_issuer_check(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_issuer_t *issuer);
static char *ngx_http_enroll_issuer_check_set(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_issuer_t *issuer);
static char *ngx_http_enroll_issuer_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_issuer_subject(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_enroll_issuer_words(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_issuer_approve(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_enroll_issuer_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_enroll_rate_parse(ngx_str_t *value,
    ngx_uint_t *rate);
static char *ngx_http_enroll_jwks_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_claim(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_prover_check(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_prover_t *prover);
static char *ngx_http_enroll_prover_max_age(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_uint_t ngx_http_enroll_same(const ngx_str_t *one,
    const ngx_str_t *other);
static void ngx_http_enroll_secret_cleanup(void *data);
static void ngx_http_enroll_jwks_cleanup(void *data);


static ngx_command_t  ngx_http_enroll_issuer_commands[] = {

    { ngx_string("secret_file"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_issuer_secret,
      0,
      0,
      NULL },

    { ngx_string("jwks"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_jwks_file,
      0,
      offsetof(ngx_http_enroll_issuer_t, jwks),
      NULL },

    { ngx_string("iss"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_claim,
      0,
      offsetof(ngx_http_enroll_issuer_t, iss),
      NULL },

    { ngx_string("aud"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_claim,
      0,
      offsetof(ngx_http_enroll_issuer_t, aud),
      NULL },

    { ngx_string("subject"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_issuer_subject,
      0,
      0,
      NULL },

    { ngx_string("class"),
      NGX_CONF_1MORE,
      ngx_http_enroll_issuer_words,
      0,
      offsetof(ngx_http_enroll_issuer_t, classes),
      NULL },

    { ngx_string("channel"),
      NGX_CONF_1MORE,
      ngx_http_enroll_issuer_words,
      0,
      offsetof(ngx_http_enroll_issuer_t, channels),
      NULL },

    { ngx_string("approve"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_issuer_approve,
      0,
      0,
      NULL },

    { ngx_string("rate"),
      NGX_CONF_1MORE,
      ngx_http_enroll_issuer_rate,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_command_t  ngx_http_enroll_prover_commands[] = {

    { ngx_string("jwks"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_jwks_file,
      0,
      offsetof(ngx_http_enroll_prover_t, jwks),
      NULL },

    { ngx_string("iss"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_claim,
      0,
      offsetof(ngx_http_enroll_prover_t, iss),
      NULL },

    { ngx_string("aud"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_claim,
      0,
      offsetof(ngx_http_enroll_prover_t, aud),
      NULL },

    { ngx_string("max_age"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_prover_max_age,
      0,
      0,
      NULL },

    { ngx_string("subject"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_claim,
      0,
      offsetof(ngx_http_enroll_prover_t, subject),
      NULL },

      ngx_null_command
};


char *
ngx_http_enroll_issuer_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    ngx_str_t                 *value;
    ngx_http_enroll_issuer_t  *issuer, **slot;

    value = cf->args->elts;

    if (ngx_http_enroll_word(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_issuer_named(emcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate enroll_issuer \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    issuer = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_issuer_t));

    if (issuer == NULL
        || ngx_array_init(&issuer->secrets, cf->pool, 2,
                          sizeof(EVP_MAC_CTX *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    issuer->name = value[1];
    issuer->subject = NGX_CONF_UNSET_UINT;
    issuer->approve = NGX_CONF_UNSET_UINT;
    issuer->rate = NGX_CONF_UNSET_UINT;
    issuer->burst = NGX_HTTP_ENROLL_BURST;
    ngx_http_enroll_where(cf, &issuer->where);

    if (ngx_http_enroll_block(cf, ngx_http_enroll_issuer_commands, issuer)
        != NGX_CONF_OK
        || ngx_http_enroll_issuer_check(cf, emcf, issuer) != NGX_CONF_OK
        || ngx_http_enroll_issuer_init(cf, issuer) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    slot = ngx_array_push(&emcf->issuers);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = issuer;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_enroll_issuer_init(ngx_conf_t *cf, ngx_http_enroll_issuer_t *issuer)
{
    ngx_str_t  *standard;

    ngx_conf_init_uint_value(issuer->subject, NGX_ENROLL_SET_ID);
    ngx_conf_init_uint_value(issuer->approve, 0);
    ngx_conf_init_uint_value(issuer->rate, 0);

    if (issuer->classes) {
        return NGX_OK;
    }

    issuer->classes = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    standard = issuer->classes ? ngx_array_push(issuer->classes) : NULL;
    if (standard == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(standard, "standard");

    return NGX_OK;
}


static char *
ngx_http_enroll_issuer_check(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_issuer_t *issuer)
{
    const char  *lost;

    if (issuer->jwks) {
        return ngx_http_enroll_issuer_check_set(cf, emcf, issuer);
    }

    if (issuer->secrets.nelts == 0) {
        return ngx_http_enroll_conf_error(cf, &issuer->where,
                   "neither \"secret_file\" nor \"jwks\" in enroll_issuer "
                   "\"%V\": nobody could sign its calls", &issuer->name);
    }

    lost = issuer->iss.len ? "iss"
           : issuer->aud.len ? "aud"
           : issuer->subject != NGX_CONF_UNSET_UINT ? "subject" : NULL;

    if (lost) {
        return ngx_http_enroll_conf_error(cf, &issuer->where,
                   "\"%s\" in enroll_issuer \"%V\" is of security event "
                   "tokens: it needs \"jwks\"", lost, &issuer->name);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_issuer_check_set(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_issuer_t *issuer)
{
    ngx_uint_t                  i;
    ngx_http_enroll_issuer_t  **issuers;

    if (issuer->secrets.nelts) {
        return ngx_http_enroll_conf_error(cf, &issuer->where,
                   "both \"secret_file\" and \"jwks\" in enroll_issuer "
                   "\"%V\": declare an issuer for each", &issuer->name);
    }

    if (issuer->iss.len == 0 || issuer->aud.len == 0) {
        return ngx_http_enroll_conf_error(cf, &issuer->where,
                   "\"jwks\" in enroll_issuer \"%V\" needs \"%s\": the claim "
                   "that its tokens have", &issuer->name,
                   issuer->iss.len ? "aud" : "iss");
    }

    if (issuer->approve == 1) {
        return ngx_http_enroll_conf_error(cf, &issuer->where,
                   "\"approve on\" in enroll_issuer \"%V\" needs "
                   "\"secret_file\": no security event token approves",
                   &issuer->name);
    }

    issuers = emcf->issuers.elts;

    for (i = 0; i < emcf->issuers.nelts; i++) {

        if (issuers[i]->jwks
            && ngx_http_enroll_same(&issuers[i]->iss, &issuer->iss)
            && ngx_http_enroll_same(&issuers[i]->aud, &issuer->aud))
        {
            return ngx_http_enroll_conf_error(cf, &issuer->where,
                       "enroll_issuer \"%V\" has the \"iss\" and \"aud\" of "
                       "enroll_issuer \"%V\" in %s:%ui: they could not be "
                       "told apart", &issuer->name, &issuers[i]->name,
                       issuers[i]->where.file, issuers[i]->where.line);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_issuer_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_issuer_t  *issuer = conf;

    char                  err[NGX_ENROLL_ERR_LEN];
    ngx_str_t            *value, text;
    EVP_MAC_CTX         **secret;
    ngx_pool_cleanup_t   *cln;

    value = cf->args->elts;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    secret = ngx_array_push(&issuer->secrets);
    if (cln == NULL || secret == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_secret_read(cf, &value[1],
                                    "a Standard Webhooks secret: whsec_ and "
                                    "the base64 of 24 to 64 random bytes",
                                    NGX_HTTP_ENROLL_SECRET_MAX, &text)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    *secret = ngx_enroll_webhook_secret(text.data, text.len, err);
    ngx_http_enroll_secret_free(&text);

    if (*secret == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"secret_file\" \"%V\": %s", &value[1], err);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_enroll_secret_cleanup;
    cln->data = *secret;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_issuer_subject(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_issuer_t  *issuer = conf;

    ngx_str_t  *value;

    if (issuer->subject != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "id") == 0) {
        issuer->subject = NGX_ENROLL_SET_ID;

    } else if (ngx_strcmp(value[1].data, "external_id") == 0) {
        issuer->subject = NGX_ENROLL_SET_EXTERNAL_ID;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"subject\", it must be "
                           "\"id\" or \"external_id\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the names of classes are looked up when all of them are there */

static char *
ngx_http_enroll_issuer_words(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t     *value, *word;
    ngx_uint_t     i;
    ngx_array_t  **words;

    words = (ngx_array_t **) ((u_char *) conf + cmd->offset);

    if (*words) {
        return "is duplicate";
    }

    *words = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (*words == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_enroll_word(cf, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        word = ngx_array_push(*words);
        if (word == NULL) {
            return NGX_CONF_ERROR;
        }

        *word = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_issuer_approve(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_issuer_t  *issuer = conf;

    ngx_str_t  *value;

    if (issuer->approve != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        issuer->approve = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        issuer->approve = 0;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"approve\", it must be "
                           "\"on\" or \"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_issuer_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_issuer_t  *issuer = conf;

    ngx_int_t   burst;
    ngx_str_t  *value;

    if (issuer->rate != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_enroll_rate_parse(&value[1], &issuer->rate) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"rate\", it must be "
                           "1r/m to %dr/m, or the like with r/s", &value[1],
                           NGX_HTTP_ENROLL_RATE_MAX);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    burst = NGX_ERROR;

    if (cf->args->nelts == 3 && ngx_strncmp(value[2].data, "burst=", 6) == 0) {
        burst = ngx_atoi(value[2].data + 6, value[2].len - 6);
    }

    if (burst == NGX_ERROR || burst > NGX_HTTP_ENROLL_BURST_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"rate\", behind the "
                           "rate there may be burst=0 to burst=%d", &value[2],
                           NGX_HTTP_ENROLL_BURST_MAX);
        return NGX_CONF_ERROR;
    }

    issuer->burst = burst;

    return NGX_CONF_OK;
}


/* calls in 1000 s, as limit_req counts */

static ngx_int_t
ngx_http_enroll_rate_parse(ngx_str_t *value, ngx_uint_t *rate)
{
    u_char      *unit;
    ngx_int_t    n;
    ngx_uint_t   scale;

    if (value->len <= 3) {
        return NGX_ERROR;
    }

    unit = value->data + value->len - 3;

    if (ngx_strncmp(unit, "r/s", 3) == 0) {
        scale = 1;

    } else if (ngx_strncmp(unit, "r/m", 3) == 0) {
        scale = 60;

    } else {
        return NGX_ERROR;
    }

    n = ngx_atoi(value->data, value->len - 3);

    if (n < 1 || n > NGX_HTTP_ENROLL_RATE_MAX) {
        return NGX_ERROR;
    }

    *rate = n * 1000 / scale;

    return NGX_OK;
}


static char *
ngx_http_enroll_jwks_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                  err[NGX_ENROLL_ERR_LEN];
    ngx_int_t             rc;
    ngx_str_t            *value, text;
    ngx_enroll_jwks_t    *jwks, **slot;
    ngx_pool_cleanup_t   *cln;

    slot = (ngx_enroll_jwks_t **) ((u_char *) conf + cmd->offset);

    if (*slot) {
        return "is duplicate";
    }

    value = cf->args->elts;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    jwks = ngx_pcalloc(cf->pool, sizeof(ngx_enroll_jwks_t));
    if (cln == NULL || jwks == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_public_read(cf, &value[1],
                                    "a JWK Set of public keys",
                                    NGX_HTTP_ENROLL_JWKS_MAX, &text)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = ngx_enroll_jwks_read(jwks, text.data, text.len, err);
    ngx_http_enroll_secret_free(&text);

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"jwks\" \"%V\": %s", &value[1], err);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_enroll_jwks_cleanup;
    cln->data = jwks;
    *slot = jwks;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value, *claim;

    claim = (ngx_str_t *) ((u_char *) conf + cmd->offset);

    if (claim->len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_HTTP_ENROLL_CLAIM_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", it must have 1 "
                           "to %d bytes", &value[1], &value[0],
                           NGX_HTTP_ENROLL_CLAIM_MAX);
        return NGX_CONF_ERROR;
    }

    *claim = value[1];

    return NGX_CONF_OK;
}


ngx_http_enroll_issuer_t *
ngx_http_enroll_issuer_named(ngx_http_enroll_main_conf_t *emcf,
    const ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_enroll_issuer_t  **issuers;

    issuers = emcf->issuers.elts;

    for (i = 0; i < emcf->issuers.nelts; i++) {
        if (ngx_http_enroll_same(&issuers[i]->name, name)) {
            return issuers[i];
        }
    }

    return NULL;
}


/* classes may stand behind the issuers that name them */

char *
ngx_http_enroll_issuers_init(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf)
{
    ngx_str_t                  *class;
    ngx_uint_t                  i, j;
    ngx_http_enroll_issuer_t  **issuers;

    issuers = emcf->issuers.elts;

    for (i = 0; i < emcf->issuers.nelts; i++) {
        class = issuers[i]->classes->elts;

        for (j = 0; j < issuers[i]->classes->nelts; j++) {

            if (ngx_http_enroll_class_find(emcf, &class[j]) == NULL) {
                return ngx_http_enroll_conf_error(cf, &issuers[i]->where,
                           "unknown class \"%V\" in enroll_issuer \"%V\": "
                           "declare it with enroll_class", &class[j],
                           &issuers[i]->name);
            }
        }

        for (j = 0; j < i; j++) {

            if (ngx_http_enroll_issuers_alike(issuers[i], issuers[j])) {
                return ngx_http_enroll_conf_error(cf, &issuers[i]->where,
                           "a \"secret_file\" of enroll_issuer \"%V\" has "
                           "the secret of enroll_issuer \"%V\" in %s:%ui: "
                           "they could not be told apart", &issuers[i]->name,
                           &issuers[j]->name, issuers[j]->where.file,
                           issuers[j]->where.line);
            }
        }
    }

    return NGX_CONF_OK;
}


/* whoever has one secret would be two issuers, and recover his own tokens */

static ngx_uint_t
ngx_http_enroll_issuers_alike(ngx_http_enroll_issuer_t *one,
    ngx_http_enroll_issuer_t *other)
{
    u_char         a[NGX_ENROLL_MAC_LEN], b[NGX_ENROLL_MAC_LEN];
    ngx_uint_t     i, j;
    EVP_MAC_CTX  **secrets, **others;

    static ngx_str_t  text = ngx_string("enroll issuer");

    secrets = one->secrets.elts;
    others = other->secrets.elts;

    for (i = 0; i < one->secrets.nelts; i++) {
        for (j = 0; j < other->secrets.nelts; j++) {

            if (ngx_enroll_hmac(secrets[i], &text, 1, a) != NGX_OK
                || ngx_enroll_hmac(others[j], &text, 1, b) != NGX_OK
                || CRYPTO_memcmp(a, b, NGX_ENROLL_MAC_LEN) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


char *
ngx_http_enroll_prover_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    ngx_str_t                 *value;
    ngx_http_enroll_prover_t  *prover, **slot;

    value = cf->args->elts;

    if (ngx_http_enroll_word(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_prover_named(emcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate enroll_prover \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    prover = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_prover_t));
    if (prover == NULL) {
        return NGX_CONF_ERROR;
    }

    prover->name = value[1];
    prover->max_age = NGX_CONF_UNSET;
    ngx_http_enroll_where(cf, &prover->where);

    if (ngx_http_enroll_block(cf, ngx_http_enroll_prover_commands, prover)
        != NGX_CONF_OK
        || ngx_http_enroll_prover_check(cf, emcf, prover) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(prover->max_age, NGX_HTTP_ENROLL_MAX_AGE);

    slot = ngx_array_push(&emcf->provers);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = prover;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_prover_check(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_prover_t *prover)
{
    ngx_uint_t                  i;
    const char                 *missing;
    ngx_http_enroll_prover_t  **provers;

    missing = prover->jwks == NULL ? "jwks"
              : prover->iss.len == 0 ? "iss"
              : prover->aud.len == 0 ? "aud" : NULL;

    if (missing) {
        return ngx_http_enroll_conf_error(cf, &prover->where,
                   "no \"%s\" in enroll_prover \"%V\": it needs \"jwks\", "
                   "\"iss\" and \"aud\"", missing, &prover->name);
    }

    provers = emcf->provers.elts;

    for (i = 0; i < emcf->provers.nelts; i++) {

        if (ngx_http_enroll_same(&provers[i]->iss, &prover->iss)
            && ngx_http_enroll_same(&provers[i]->aud, &prover->aud))
        {
            return ngx_http_enroll_conf_error(cf, &prover->where,
                       "enroll_prover \"%V\" has the \"iss\" and \"aud\" of "
                       "enroll_prover \"%V\" in %s:%ui: they could not be "
                       "told apart", &prover->name, &provers[i]->name,
                       provers[i]->where.file, provers[i]->where.line);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_prover_max_age(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_prover_t  *prover = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (prover->max_age != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_parse_time(&value[1], 1);

    if (n == NGX_ERROR || n < 1 || n > NGX_HTTP_ENROLL_MAX_AGE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"max_age\", it must be "
                           "a time from 1s to 1d", &value[1]);
        return NGX_CONF_ERROR;
    }

    prover->max_age = n;

    return NGX_CONF_OK;
}


ngx_http_enroll_prover_t *
ngx_http_enroll_prover_named(ngx_http_enroll_main_conf_t *emcf,
    const ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_enroll_prover_t  **provers;

    provers = emcf->provers.elts;

    for (i = 0; i < emcf->provers.nelts; i++) {
        if (ngx_http_enroll_same(&provers[i]->name, name)) {
            return provers[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_enroll_same(const ngx_str_t *one, const ngx_str_t *other)
{
    return one->len == other->len
           && ngx_memcmp(one->data, other->data, one->len) == 0;
}


static void
ngx_http_enroll_secret_cleanup(void *data)
{
    EVP_MAC_CTX_free(data);
}


static void
ngx_http_enroll_jwks_cleanup(void *data)
{
    ngx_enroll_jwks_free(data);
}
