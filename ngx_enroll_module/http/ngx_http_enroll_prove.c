
/*
 * A prover's attestation, from his back end or brought by the bearer's
 * browser: it is signed, and names whom it is of, so it does not matter who
 * brings it (I4).
 */

#include "ngx_http_enroll_module.h"
#include "ngx_enroll_proof.h"


static void ngx_http_enroll_prove_body(ngx_http_request_t *r,
    ngx_str_t *body);
static void ngx_http_enroll_prove_form(ngx_str_t *body, ngx_str_t *jws);
static ngx_int_t ngx_http_enroll_prove_jws(ngx_http_request_t *r,
    ngx_str_t *jws);
static ngx_int_t ngx_http_enroll_prove_refuse(ngx_http_request_t *r,
    const char *wrong);
static ngx_int_t ngx_http_enroll_prove_claims(ngx_http_request_t *r,
    ngx_http_enroll_prover_t *prover, json_t *claims);
static const char *ngx_http_enroll_prove_bearer(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_proof_t *proof);
static void ngx_http_enroll_prove_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_prove_done(ngx_http_request_t *r,
    ngx_enroll_call_t *call, ngx_enroll_result_t *result);


ngx_int_t
ngx_http_enroll_prove_handler(ngx_http_request_t *r)
{
    return ngx_http_enroll_issuer_read(r, NGX_ENROLL_JWS_MAX, "prove",
                                       ngx_http_enroll_prove_body);
}


static void
ngx_http_enroll_prove_body(ngx_http_request_t *r, ngx_str_t *body)
{
    json_t     *json, *member;
    ngx_int_t   rc;
    ngx_str_t   jws;

    json = NULL;
    ngx_str_null(&jws);

    if (ngx_http_enroll_is_type(r, "application/jwt")) {
        jws = *body;

    } else if (ngx_http_enroll_is_type(r, "application/json")) {
        json = json_loadb((char *) body->data, body->len,
                          JSON_REJECT_DUPLICATES, NULL);
        member = json_object_get(json, "attestation");

        if (json_object_size(json) == 1 && json_is_string(member)) {
            jws.data = (u_char *) json_string_value(member);
            jws.len = json_string_length(member);
        }

    } else if (ngx_http_enroll_is_type(r,
                                       "application/x-www-form-urlencoded"))
    {
        ngx_http_enroll_prove_form(body, &jws);
    }

    if (jws.len) {
        rc = ngx_http_enroll_prove_jws(r, &jws);

    } else {
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "prove",
                                    "There is no attestation in it.");
    }

    json_decref(json);

    ngx_http_enroll_body_cleanse(r, body);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


/* no character of a compact JWS is ever encoded in a form */

static void
ngx_http_enroll_prove_form(ngx_str_t *body, ngx_str_t *jws)
{
    u_char      *p, *end, *last;
    ngx_uint_t   i, n;

    static ngx_str_t  names[] = {
        ngx_string("attestation="),
        ngx_string("id_token=")              /* OpenID Connect's form_post */
    };

    n = 0;
    last = body->data + body->len;

    for (p = body->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

            if ((size_t) (end - p) > names[i].len
                && ngx_memcmp(p, names[i].data, names[i].len) == 0)
            {
                jws->data = p + names[i].len;
                jws->len = end - jws->data;
                n++;
            }
        }
    }

    if (n != 1) {
        ngx_str_null(jws);
    }
}


static ngx_int_t
ngx_http_enroll_prove_jws(ngx_http_request_t *r, ngx_str_t *jws)
{
    json_t                       *claims, *payload;
    ngx_int_t                     rc;
    ngx_str_t                     iss;
    ngx_uint_t                    i;
    const char                   *wrong, *said;
    ngx_enroll_jwt_e              verdict;
    ngx_enroll_jwt_rule_t         rule;
    ngx_http_enroll_prover_t    **provers;
    ngx_http_enroll_loc_conf_t   *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    provers = elcf->provers->elts;
    wrong = "no prover has this iss";

    /* what nobody can have signed costs no public-key operation */

    if (ngx_enroll_jwt_issuer(jws, &iss, &payload) != NGX_OK) {
        return ngx_http_enroll_prove_refuse(r, "not a compact JWS");
    }

    for (i = 0; i < elcf->provers->nelts; i++) {

        if (provers[i]->iss.len != iss.len
            || ngx_memcmp(provers[i]->iss.data, iss.data, iss.len) != 0)
        {
            continue;
        }

        ngx_memzero(&rule, sizeof(ngx_enroll_jwt_rule_t));
        rule.iss = provers[i]->iss;
        rule.aud = provers[i]->aud;
        rule.max_age = provers[i]->max_age;
        rule.exp = 1;
        rule.now = ngx_time();

        verdict = ngx_enroll_jwt_verify(provers[i]->jwks, jws, &rule, &claims,
                                        &said);

        if (verdict == NGX_ENROLL_JWT_OK) {
            json_decref(payload);
            rc = ngx_http_enroll_prove_claims(r, provers[i], claims);
            json_decref(claims);
            return rc;
        }

        wrong = said;
    }

    json_decref(payload);

    return ngx_http_enroll_prove_refuse(r, wrong);
}


static ngx_int_t
ngx_http_enroll_prove_refuse(ngx_http_request_t *r, const char *wrong)
{
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "enroll: an attestation that no prover signed for us: %s",
                  wrong);

    return ngx_http_enroll_refuse(r, NGX_ENROLL_ATTESTATION, "prove", wrong);
}


static ngx_int_t
ngx_http_enroll_prove_claims(ngx_http_request_t *r,
    ngx_http_enroll_prover_t *prover, json_t *claims)
{
    char                    err[NGX_ENROLL_ERR_LEN];
    const char             *wrong;
    ngx_enroll_proof_t      proof;
    ngx_enroll_ledger_t    *ledger;
    ngx_http_enroll_ctx_t  *ctx;
    ngx_enroll_proofing_t   proofing;

    ctx = ngx_http_enroll_ctx_find(r);

    if (ngx_enroll_proof_read(&proof, claims, (char *) prover->subject.data,
                              ngx_time(), err)
        != NGX_OK)
    {
        return ngx_http_enroll_prove_refuse(r, err);
    }

    wrong = ngx_http_enroll_prove_bearer(ctx, &proof);
    if (wrong) {
        return ngx_http_enroll_prove_refuse(r, wrong);
    }

    ledger = ngx_http_enroll_ledger_attended(r, ctx);

    ngx_memzero(&proofing, sizeof(ngx_enroll_proofing_t));
    proofing.id = proof.id;
    proofing.subject = proof.subject;
    proofing.level = proof.level;
    proofing.prover = prover->name;
    proofing.iss = prover->iss;
    proofing.method = proof.method;
    proofing.evidence = proof.evidence;
    proofing.jti = proof.jti;
    proofing.proofed_at = proof.proofed_at;
    proofing.client = r->connection->addr_text;
    proofing.rules = ngx_http_enroll_rules(r, NGX_HTTP_ENROLL_NONE, 0,
                                           &proofing.nrules);

    /* after that it is too old to be presented again */
    proofing.keep = (ngx_msec_t) (prover->max_age + 4 * NGX_ENROLL_JWT_SKEW)
                    * 1000;

    if (ledger == NULL || proofing.rules == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->call = ngx_enroll_prove(ledger, &proofing,
                                 ngx_http_enroll_prove_answer, ctx);

    return ctx->call ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* what is brought within a session was made for that session */

static const char *
ngx_http_enroll_prove_bearer(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_proof_t *proof)
{
    switch (ctx->bearer) {

    case NGX_HTTP_ENROLL_BEARER_NONE:
        return NULL;

    case NGX_HTTP_ENROLL_BEARER_TOKEN:
    case NGX_HTTP_ENROLL_BEARER_SESSION:
        return (proof->nonce
                && ngx_memcmp(proof->id.data, ctx->hex, NGX_ENROLL_HEX_LEN)
                   == 0)
               ? NULL : "the nonce is not the token's id";

    default:
        return "the session is not one of ours";
    }
}


static void
ngx_http_enroll_prove_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t               rc;
    ngx_http_request_t     *r;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = call->data;
    r = ctx->request;

    ngx_http_enroll_ctx_answered(ctx, result);
    ngx_memcpy(ctx->hex, call->id, NGX_ENROLL_HEX_LEN);

    switch (result->verdict) {

    case NGX_ENROLL_OK:
    case NGX_ENROLL_REPEAT:
        ctx->reason = NGX_ENROLL_OK;
        rc = ngx_http_enroll_prove_done(r, call, result);
        break;

    case NGX_ENROLL_UNKNOWN:
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_NOTHING, "prove",
                                    "Nothing was proofed.");
        break;

    default:
        rc = ngx_http_enroll_refuse(r, result->verdict, "prove", NULL);
    }

    ngx_http_enroll_finalize(r, rc);
}


/* a browser goes on with its registration */

static ngx_int_t
ngx_http_enroll_prove_done(ngx_http_request_t *r, ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);

    if (elcf->target.len && ngx_http_enroll_wants_html(r)) {

        if (ngx_http_enroll_header_add(r, "Location", &elcf->target)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_enroll_respond(r, NGX_HTTP_SEE_OTHER, "text/plain",
                                       (u_char *) "", 0);
    }

    return ngx_http_enroll_respond_json(r, NGX_HTTP_OK, "application/json",
               json_pack("{s:s%, s:s%, s:s%}",
                         "id", call->id, (size_t) NGX_ENROLL_HEX_LEN,
                         "state", result->state.data, result->state.len,
                         "proof", result->proof.data, result->proof.len));
}
