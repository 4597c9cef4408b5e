
#include "ngx_enroll_proof.h"
#include "ngx_enroll_jwks.h"
#include "ngx_enroll_text.h"


static ngx_int_t ngx_enroll_proof_of(ngx_enroll_proof_t *proof,
    json_t *claims, const char *claim, char *err);
static ngx_int_t ngx_enroll_proof_id(ngx_enroll_proof_t *proof,
    json_t *claims, const char *name, char *err);
static ngx_int_t ngx_enroll_proof_level(ngx_enroll_proof_t *proof,
    json_t *claims, char *err);
static ngx_int_t ngx_enroll_proof_acr(json_t *acr);
static ngx_int_t ngx_enroll_proof_method(ngx_enroll_proof_t *proof,
    json_t *claims, char *err);
static ngx_int_t ngx_enroll_proof_time(ngx_enroll_proof_t *proof,
    json_t *claims, time_t now, char *err);
static ngx_int_t ngx_enroll_proof_text(ngx_str_t *to, json_t *claims,
    const char *name, size_t min, size_t max, char *err);


ngx_int_t
ngx_enroll_proof_read(ngx_enroll_proof_t *proof, json_t *claims,
    const char *claim, time_t now, char err[NGX_ENROLL_ERR_LEN])
{
    ngx_memzero(proof, sizeof(ngx_enroll_proof_t));

    if (ngx_enroll_text_string(&proof->jti, json_object_get(claims, "jti"), 1,
                               NGX_ENROLL_JTI_MAX)
        != NGX_OK
        || !ngx_enroll_text_is_printable(&proof->jti))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"jti\" must be a string of 1 to "
                 "%d printable ASCII characters without space",
                 NGX_ENROLL_JTI_MAX);
        return NGX_DECLINED;
    }

    /* a SET, or a logout token, by the same key */

    if (json_object_get(claims, "events")) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "it tells of events, and proofs "
                 "nobody");
        return NGX_DECLINED;
    }

    if (ngx_enroll_proof_of(proof, claims, claim, err) != NGX_OK
        || ngx_enroll_proof_level(proof, claims, err) != NGX_OK
        || ngx_enroll_proof_method(proof, claims, err) != NGX_OK
        || ngx_enroll_proof_time(proof, claims, now, err) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_enroll_proof_text(&proof->evidence, claims, "evidence", 0,
                                 NGX_ENROLL_EVIDENCE_MAX, err);
}


/* whose it is, beside which token it is of */

static ngx_int_t
ngx_enroll_proof_of(ngx_enroll_proof_t *proof, json_t *claims,
    const char *claim, char *err)
{
    ngx_uint_t  known;

    if (ngx_enroll_proof_id(proof, claims, "id", err) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* the prover's own word, not the browser's */
    known = proof->id.len;

    if (ngx_enroll_proof_id(proof, claims, "nonce", err) != NGX_OK) {
        return NGX_DECLINED;
    }

    proof->nonce = (json_object_get(claims, "nonce") != NULL);

    if (claim) {
        /* the one claim that is this prover's own to say */
        known = 0;

    } else {
        claim = "subject";

        if (json_object_get(claims, claim) == NULL && !known) {
            claim = "sub";
        }
    }

    if (json_object_get(claims, claim)) {
        return ngx_enroll_proof_text(&proof->subject, claims, claim, 1,
                                     NGX_ENROLL_SUBJECT_MAX, err);
    }

    if (known) {
        return NGX_OK;
    }

    snprintf(err, NGX_ENROLL_ERR_LEN, "the subject is needed, or its token's "
             "\"id\"; a \"nonce\" does not say who was proofed");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_enroll_proof_id(ngx_enroll_proof_t *proof, json_t *claims,
    const char *name, char *err)
{
    json_t     *value;
    ngx_str_t   id;

    value = json_object_get(claims, name);

    if (value == NULL) {
        return NGX_OK;
    }

    if (ngx_enroll_text_string(&id, value, NGX_ENROLL_TEXT_ID_LEN,
                               NGX_ENROLL_TEXT_ID_LEN)
        != NGX_OK
        || !ngx_enroll_text_is_id(&id))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"%s\" must be a token's id, %d "
                 "lower-case hex digits", name, NGX_ENROLL_TEXT_ID_LEN);
        return NGX_DECLINED;
    }

    if (proof->id.len && ngx_memcmp(proof->id.data, id.data, id.len) != 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"id\" and \"nonce\" differ");
        return NGX_DECLINED;
    }

    proof->id = id;

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_proof_level(ngx_enroll_proof_t *proof, json_t *claims, char *err)
{
    json_t     *value;
    ngx_int_t   level, acr;
    ngx_str_t   name;

    level = NGX_ERROR;
    value = json_object_get(claims, "ial");

    if (value) {

        if (ngx_enroll_text_string(&name, value, 1, NGX_ENROLL_WORD_MAX)
            == NGX_OK)
        {
            level = ngx_enroll_proof_find(&name);
        }

        if (level < NGX_ENROLL_PROOF_IAL1) {
            snprintf(err, NGX_ENROLL_ERR_LEN,
                     "\"ial\" must be \"ial1\", \"ial2\" or \"ial3\"");
            return NGX_DECLINED;
        }
    }

    acr = ngx_enroll_proof_acr(json_object_get(claims, "acr"));

    if (level == NGX_ERROR) {
        level = acr;

    } else if (acr != NGX_ERROR && acr != level) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"ial\" and \"acr\" differ");
        return NGX_DECLINED;
    }

    if (level == NGX_ERROR) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "\"ial\" is needed, or an \"acr\" that says it");
        return NGX_DECLINED;
    }

    proof->level = level;

    return NGX_OK;
}


/* an acr may say other things than a level: that is NGX_ERROR */

static ngx_int_t
ngx_enroll_proof_acr(json_t *acr)
{
    size_t       i, len;
    const char  *text, *digit;

    static const char  *forms[] = { "/ial/", ":ial:" };

    text = json_string_value(acr);
    len = json_string_length(acr);

    if (len < 4) {
        return NGX_ERROR;
    }

    digit = text + len - 1;

    if (*digit < '1' || *digit > '3') {
        return NGX_ERROR;
    }

    if (len == 4 && ngx_memcmp(text, "ial", 3) == 0) {
        return *digit - '0';
    }

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (len > 5 && ngx_memcmp(digit - 5, forms[i], 5) == 0) {
            return *digit - '0';
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_enroll_proof_method(ngx_enroll_proof_t *proof, json_t *claims, char *err)
{
    json_t     *value;
    ngx_str_t  *method;

    method = &proof->method;
    value = json_object_get(claims, "method");

    if (value) {

        if (ngx_enroll_text_string(method, value, 1, NGX_ENROLL_WORD_MAX)
            != NGX_OK
            || !ngx_enroll_text_is_word(method))
        {
            snprintf(err, NGX_ENROLL_ERR_LEN, "\"method\" must be a string "
                     "of 1 to %d characters of [a-z0-9_-]",
                     NGX_ENROLL_WORD_MAX);
            return NGX_DECLINED;
        }

        return NGX_OK;
    }

    value = json_array_get(json_object_get(claims, "amr"), 0);

    if (ngx_enroll_text_string(method, value, 1, NGX_ENROLL_WORD_MAX)
        != NGX_OK
        || !ngx_enroll_text_is_word(method))
    {
        ngx_str_set(method, "unspecified");
    }

    return NGX_OK;
}


/* without a time of its own, a proof is as old as its attestation */

static ngx_int_t
ngx_enroll_proof_time(ngx_enroll_proof_t *proof, json_t *claims, time_t now,
    char *err)
{
    json_t      *value;
    ngx_uint_t   i;
    json_int_t   time;

    static const char  *names[] = { "proofed_at", "auth_time", "iat" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]) - 1; i++) {
        if (json_object_get(claims, names[i])) {
            break;
        }
    }

    value = json_object_get(claims, names[i]);
    time = json_integer_value(value);

    if (!json_is_integer(value) || time < 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"%s\" must be an integer, "
                 "seconds since the epoch", names[i]);
        return NGX_DECLINED;
    }

    if (time > (json_int_t) now + NGX_ENROLL_JWT_SKEW) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"%s\" is in the future",
                 names[i]);
        return NGX_DECLINED;
    }

    proof->proofed_at = (int64_t) time * 1000;

    return NGX_OK;
}


/* a text of min to max bytes; min 0: it need not be there */

static ngx_int_t
ngx_enroll_proof_text(ngx_str_t *to, json_t *claims, const char *name,
    size_t min, size_t max, char *err)
{
    json_t  *value;

    value = json_object_get(claims, name);

    if (value == NULL && min == 0) {
        return NGX_OK;
    }

    if (ngx_enroll_text_string(to, value, min, max) != NGX_OK
        || !ngx_enroll_text_is_name(to))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"%s\" must be a string of %d to "
                 "%d bytes without control characters, nor blanks at its "
                 "ends", name, (int) min, (int) max);
        return NGX_DECLINED;
    }

    return NGX_OK;
}
