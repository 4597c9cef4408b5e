
#include "ngx_http_enroll_module.h"


typedef struct {
    ngx_uint_t    status;
    const char   *title;
    const char   *detail;
} ngx_http_enroll_refusal_t;


static ngx_int_t ngx_http_enroll_refuse_headers(ngx_http_request_t *r,
    ngx_enroll_reason_e reason);
static ngx_uint_t ngx_http_enroll_refuse_error_page(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_http_enroll_refuse_problem(ngx_http_request_t *r,
    const ngx_http_enroll_refusal_t *refusal, const ngx_str_t *reason,
    const char *detail);


#define ngx_http_enroll_again                                                 \
    "Ask whoever sent you the link for a new one."

#define ngx_http_enroll_alarm                                                 \
    "If you did not do this yourself, somebody else may have used your "      \
    "link: call your security team now, do not wait."


static const ngx_http_enroll_refusal_t  ngx_http_enroll_refusals[] = {

    /* ok */
    { 500, "Internal error", "" },

    /* unknown */
    { 401, "This link is not valid",
      "It is not known here, or it ended long ago. " ngx_http_enroll_again },

    /* redeemed */
    { 410, "This link has already been used",
      "It works once, and it has been opened before. If that was you, go "
      "back to the browser where you opened it. If it was not, somebody else "
      "has used your link: call your security team now, do not wait." },

    /* claimed */
    { 409, "A registration is already under way",
      "A passkey is being registered with this link, or its outcome is not "
      "known. Try again in a minute. " ngx_http_enroll_alarm },

    /* enrolled */
    { 410, "A passkey has already been registered",
      "This link has done its work: sign in with the passkey that was "
      "registered. " ngx_http_enroll_alarm },

    /* expired */
    { 410, "This link has expired",
      "Nothing was registered in time. " ngx_http_enroll_again },

    /* revoked */
    { 410, "This link has been withdrawn",
      "It was replaced by a newer one, or taken back. "
      ngx_http_enroll_again },

    /* locked */
    { 429, "This link is locked",
      "Registration failed too often. " ngx_http_enroll_again },

    /* void */
    { 410, "This link has become void",
      "Records were lost, so it can no longer be trusted. "
      ngx_http_enroll_again },

    /* order */
    { 403, "A step was left out",
      "The registration has to be begun before it can be finished. Open the "
      "registration page again." },

    /* class */
    { 403, "This class is not allowed here", "" },

    /* unproofed */
    { 403, "Your identity has to be proofed first",
      "A passkey can be registered once it has been: go back to the "
      "registration page, and go on from there." },

    /* unapproved */
    { 403, "This link has not been approved yet",
      "It works once those who have to have said yes. Nothing was lost: try "
      "again later." },

    /* denied */
    { 403, "Not allowed from here",
      "The organisation's policy does not allow a registration from this "
      "network or device. Nothing was lost: try again from another." },

    /* authenticator */
    { 403, "This kind of passkey is not allowed",
      "The organisation asks for another kind. Go back to the registration "
      "page, and choose another device or security key." },

    /* first_use */
    { 409, "The subject has enrolled already",
      "A token of this class is for first use only: a lost passkey is "
      "replaced by way of a class for recovery." },

    /* never_enrolled */
    { 409, "The subject has never enrolled",
      "A recovery needs something to recover: send a joiner event of a class "
      "for first use." },

    /* same_issuer */
    { 403, "Another issuer has to recover it",
      "The original enrollment was this issuer's." },

    /* same_channel */
    { 403, "Another channel has to be used",
      "The original enrollment's token went this way." },

    /* subject */
    { 403, "Of another subject", "The token is another person's." },

    /* level */
    { 403, "The proof is too weak",
      "The class asks for a higher identity assurance level." },

    /* seen */
    { 409, "The attestation has been used already",
      "Each attestation serves once." },

    /* approver */
    { 403, "This person may not approve it",
      "Neither the requester nor the subject approves, and nobody twice." },

    /* missing */
    { 401, "A registration link is needed",
      "This page opens only from the link that you were sent, in the browser "
      "that opened it, and for a few minutes. " ngx_http_enroll_again },

    /* forged */
    { 401, "This link is not valid",
      "It is incomplete or was changed on its way. Copy the whole link, or "
      "ask for a new one." },

    /* duplicate */
    { 400, "Two credentials in one request",
      "Send either the token or the session, once." },

    /* scope */
    { 403, "Not part of the registration",
      "This browser is in the middle of a registration. Finish it on the "
      "registration page, or wait until its time is over; then sign in." },

    /* method */
    { 405, "Method not allowed",
      "This address does not answer to that method." },

    /* uri */
    { 400, "Ambiguous address",
      "The request's path is not in its canonical form." },

    /* subrequest */
    { 403, "Not reachable this way",
      "A registration endpoint is not served to subrequests." },

    /* cross_site */
    { 403, "The request came from another site",
      "Open the link that you were sent, and start from there." },

    /* early */
    { 425, "Too early",
      "Send it again when the TLS handshake is over." },

    /* body */
    { 400, "The request was not understood", "" },

    /* signature */
    { 401, "The signature was not accepted", "" },

    /* channel */
    { 403, "This channel is not allowed here", "" },

    /* attributes */
    { 422, "Attributes are missing", "" },

    /* attestation */
    { 401, "The attestation was not accepted", "" },

    /* throttled */
    { 429, "Too many calls",
      "This issuer calls more often than it may. Repeat the event later." },

    /* undelivered */
    { 502, "The token could not be delivered",
      "It has been revoked. Repeat the event." },

    /* nothing */
    { 404, "There is no such token", "Nothing was revoked." },

    /* ended */
    { 409, "The token has ended already",
      "It is enrolled, expired, locked or void: nothing was revoked." },

    /* tampered */
    { 403, "This link cannot be trusted",
      "Its record was altered. Call your security team." },

    /* unavailable */
    { 503, "Registration is not available right now",
      "Nothing was lost. Wait a moment, then reload this page." }
};


ngx_int_t
ngx_http_enroll_refuse(ngx_http_request_t *r, ngx_enroll_reason_e reason,
    const char *step, const char *detail)
{
    const ngx_str_t                  *name;
    ngx_http_enroll_ctx_t            *ctx;
    const ngx_http_enroll_refusal_t  *refusal;

    if (reason >= sizeof(ngx_http_enroll_refusals)
                  / sizeof(ngx_http_enroll_refusal_t))
    {
        reason = NGX_ENROLL_UNAVAILABLE;
    }

    refusal = &ngx_http_enroll_refusals[reason];
    name = ngx_enroll_reason_name(reason);
    detail = detail ? detail : refusal->detail;

    ctx = ngx_http_enroll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ctx->refused) {
        ctx->refused = 1;
        ctx->reason = reason;

        ngx_http_enroll_event_refused(r, reason, step, refusal->status);

        if (ngx_http_enroll_refuse_headers(r, reason) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_enroll_refuse_error_page(r, refusal->status)) {
        return refusal->status;
    }

    /* not the status of an error page that is not shown */
    r->err_status = 0;

    if (ngx_http_enroll_wants_html(r)) {
        return ngx_http_enroll_page_refusal(r, refusal->status, name,
                                            refusal->title, detail);
    }

    return ngx_http_enroll_refuse_problem(r, refusal, name, detail);
}


static ngx_int_t
ngx_http_enroll_refuse_headers(ngx_http_request_t *r,
    ngx_enroll_reason_e reason)
{
    ngx_str_t                    value;
    ngx_http_enroll_ctx_t       *ctx;
    ngx_http_enroll_loc_conf_t  *elcf;

    switch (reason) {

    case NGX_ENROLL_MISSING:
        ngx_str_set(&value, "Bearer realm=\"enroll\"");
        return ngx_http_enroll_header_add(r, "WWW-Authenticate", &value);

    case NGX_ENROLL_FORGED:
    case NGX_ENROLL_UNKNOWN:
        ngx_str_set(&value, "Bearer realm=\"enroll\", "
                            "error=\"invalid_token\"");

        if (ngx_http_enroll_header_add(r, "WWW-Authenticate", &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        break;

    case NGX_ENROLL_UNAVAILABLE:
    case NGX_ENROLL_CLAIMED:
        ngx_str_set(&value, "1");
        return ngx_http_enroll_header_add(r, "Retry-After", &value);

    case NGX_ENROLL_REDEEMED:
    case NGX_ENROLL_ENROLLED:
    case NGX_ENROLL_EXPIRED:
    case NGX_ENROLL_REVOKED:
    case NGX_ENROLL_LOCKED:
    case NGX_ENROLL_VOID:
    case NGX_ENROLL_SCOPE:
        break;

    default:
        return NGX_OK;
    }

    /*
     * A cookie that is of no use any more would only be in the way. In a
     * handler of ours the reason is another credential's.
     */

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    ctx = ngx_http_enroll_ctx(r);

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->cookie
        && elcf->handler == NULL
        && (reason != NGX_ENROLL_SCOPE
            || (ctx->bearer == NGX_HTTP_ENROLL_BEARER_SESSION
                && ctx->expires <= ngx_time())
            || ctx->bearer == NGX_HTTP_ENROLL_BEARER_FORGED
            || ctx->ended))
    {
        return ngx_http_enroll_cookie_set(r, NULL, 0);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_enroll_refuse_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *err_page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL || r->error_page) {
        return 0;
    }

    err_page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (err_page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


/* RFC 9457 */

static ngx_int_t
ngx_http_enroll_refuse_problem(ngx_http_request_t *r,
    const ngx_http_enroll_refusal_t *refusal, const ngx_str_t *reason,
    const char *detail)
{
    return ngx_http_enroll_respond_json(r, refusal->status,
               "application/problem+json",
               json_pack("{s:s, s:i, s:s, s:s%}",
                         "title", refusal->title,
                         "status", (int) refusal->status,
                         "detail", detail,
                         "reason", reason->data, reason->len));
}
