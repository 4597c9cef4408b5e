
#include "ngx_enroll_class.h"


#define NGX_ENROLL_MINUTE  (60 * 1000)
#define NGX_ENROLL_DAY     (24 * 60 * NGX_ENROLL_MINUTE)


typedef struct {
    ngx_str_t   channel;
    ngx_msec_t  ms;
} ngx_enroll_ceiling_t;


static const char *ngx_enroll_class_laxer_authenticator(
    const ngx_enroll_class_t *exception, const ngx_enroll_class_t *parent);
static ngx_uint_t ngx_enroll_class_has(const ngx_str_t *list, ngx_uint_t n,
    const ngx_str_t *word);
static ngx_uint_t ngx_enroll_class_all(const ngx_str_t *list, ngx_uint_t n,
    const ngx_str_t *words, ngx_uint_t nwords);
static ngx_uint_t ngx_enroll_class_within(const ngx_str_t *list, ngx_uint_t n,
    const ngx_str_t *words, ngx_uint_t nwords);
static ngx_uint_t ngx_enroll_class_same(const ngx_str_t *a,
    const ngx_str_t *b);


/* SP 800-63A-4, 3.8 */
static const ngx_enroll_ceiling_t  ngx_enroll_ceilings[] = {
    { ngx_string("email"), NGX_ENROLL_DAY },
    { ngx_string("sms"), 10 * NGX_ENROLL_MINUTE },
    { ngx_string("voice"), 10 * NGX_ENROLL_MINUTE },
    { ngx_string("post"), 21LL * NGX_ENROLL_DAY },
    { ngx_string("post_abroad"), 30LL * NGX_ENROLL_DAY }
};


/* in the order of ngx_enroll_proof_level_e */
static const ngx_str_t  ngx_enroll_proof_names[] = {
    ngx_string("none"),
    ngx_string("ial1"),
    ngx_string("ial2"),
    ngx_string("ial3")
};


const char *
ngx_enroll_class_laxer(const ngx_enroll_class_t *exception,
    const ngx_enroll_class_t *parent)
{
    const char  *field;

    if (exception->ttl > parent->ttl) {
        return "ttl";
    }

    if (exception->window > parent->window) {
        return "window";
    }

    if (exception->attempts > parent->attempts) {
        return "attempts";
    }

    if (exception->proof < parent->proof) {
        return "proof";
    }

    if (exception->approvals < parent->approvals) {
        return "approvals";
    }

    if (!ngx_enroll_class_within(parent->channels, parent->nchannels,
                                 exception->channels, exception->nchannels))
    {
        return "channel";
    }

    if (!ngx_enroll_class_all(exception->require, exception->nrequire,
                              parent->require, parent->nrequire))
    {
        return "require";
    }

    field = ngx_enroll_class_laxer_authenticator(exception, parent);

    if (field) {
        return field;
    }

    if (!ngx_enroll_class_all(exception->deny, exception->ndeny,
                              parent->deny, parent->ndeny))
    {
        return "deny_if";
    }

    if (exception->replay_revokes < parent->replay_revokes) {
        return "on_replay";
    }

    return NULL;
}


static const char *
ngx_enroll_class_laxer_authenticator(const ngx_enroll_class_t *exception,
    const ngx_enroll_class_t *parent)
{
    if (exception->authenticators < parent->authenticators) {
        return "authenticators";
    }

    if (!ngx_enroll_class_within(parent->aaguids, parent->naaguids,
                                 exception->aaguids, exception->naaguids))
    {
        return "aaguid";
    }

    if (exception->user_verification < parent->user_verification) {
        return "user_verification";
    }

    if (!ngx_enroll_class_within(parent->origins, parent->norigins,
                                 exception->origins, exception->norigins))
    {
        return "origin";
    }

    return NULL;
}


ngx_msec_t
ngx_enroll_channel_ceiling(const ngx_str_t *channel)
{
    ngx_uint_t  i;

    for (i = 0; i < sizeof(ngx_enroll_ceilings)
                    / sizeof(ngx_enroll_ceilings[0]); i++)
    {
        if (ngx_enroll_class_same(&ngx_enroll_ceilings[i].channel, channel)) {
            return ngx_enroll_ceilings[i].ms;
        }
    }

    return 0;
}


const ngx_str_t *
ngx_enroll_proof_name(ngx_enroll_proof_level_e level)
{
    return &ngx_enroll_proof_names[level];
}


ngx_int_t
ngx_enroll_proof_find(const ngx_str_t *name)
{
    ngx_int_t  level;

    for (level = NGX_ENROLL_PROOF_NONE; level <= NGX_ENROLL_PROOF_IAL3;
         level++)
    {
        if (ngx_enroll_class_same(&ngx_enroll_proof_names[level], name)) {
            return level;
        }
    }

    return NGX_ERROR;
}


static ngx_uint_t
ngx_enroll_class_has(const ngx_str_t *list, ngx_uint_t n,
    const ngx_str_t *word)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_enroll_class_same(&list[i], word)) {
            return 1;
        }
    }

    return 0;
}


/* are all of the words in the list? */

static ngx_uint_t
ngx_enroll_class_all(const ngx_str_t *list, ngx_uint_t n,
    const ngx_str_t *words, ngx_uint_t nwords)
{
    ngx_uint_t  i;

    for (i = 0; i < nwords; i++) {
        if (!ngx_enroll_class_has(list, n, &words[i])) {
            return 0;
        }
    }

    return 1;
}


/* the same of lists that allow what they name, and without names anything */

static ngx_uint_t
ngx_enroll_class_within(const ngx_str_t *list, ngx_uint_t n,
    const ngx_str_t *words, ngx_uint_t nwords)
{
    if (n == 0) {
        return 1;
    }

    return nwords && ngx_enroll_class_all(list, n, words, nwords);
}


static ngx_uint_t
ngx_enroll_class_same(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}
