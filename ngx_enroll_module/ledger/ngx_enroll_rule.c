
#include "ngx_enroll_ledger.h"
#include "ngx_enroll_class.h"
#include "ngx_enroll_record.h"
#include "ngx_enroll_rule.h"


#define NGX_ENROLL_APPROVALS_MAX  16


static ngx_enroll_rule_t *ngx_enroll_rule_find(ngx_enroll_call_t *call,
    const ngx_str_t *class);
static ngx_uint_t ngx_enroll_rule_proofed(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result, ngx_uint_t level);
static ngx_uint_t ngx_enroll_rule_approvals(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_uint_t ngx_enroll_rule_approved(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result, ngx_uint_t n);
static ngx_uint_t ngx_enroll_rule_same(const ngx_str_t *one,
    const ngx_str_t *other);


ngx_uint_t
ngx_enroll_rule_kept(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_str_t          *session;
    ngx_uint_t          proofed;
    ngx_enroll_rule_t  *rule;

    switch (call->script) {

    case NGX_ENROLL_SCRIPT_SHOW:
        session = call->args.elts;

        return session->len == 0
               || ngx_enroll_rule_proofed(call, result, NGX_ENROLL_PROOF_NONE);

    case NGX_ENROLL_SCRIPT_REDEEM:
        proofed = 0;
        break;

    case NGX_ENROLL_SCRIPT_BEGIN:
    case NGX_ENROLL_SCRIPT_CLAIM:
        proofed = 1;
        break;

    default:
        return 1;
    }

    rule = ngx_enroll_rule_find(call, &result->class);

    return rule
           && rule->reason == NGX_ENROLL_OK
           && ngx_enroll_rule_proofed(call, result,
                                      proofed ? rule->proof
                                              : NGX_ENROLL_PROOF_NONE)
           && (rule->approvals == 0
               || ngx_enroll_rule_approvals(call, result) >= rule->approvals);
}


static ngx_enroll_rule_t *
ngx_enroll_rule_find(ngx_enroll_call_t *call, const ngx_str_t *class)
{
    ngx_uint_t  i;

    for (i = 0; i < call->nrules; i++) {

        if (call->rules[i].class.len == class->len
            && ngx_memcmp(call->rules[i].class.data, class->data, class->len)
               == 0)
        {
            return &call->rules[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_enroll_rule_proofed(ngx_enroll_call_t *call, ngx_enroll_result_t *result,
    ngx_uint_t level)
{
    ngx_enroll_proof_record_t  proof;

    if (level == NGX_ENROLL_PROOF_NONE
        && ngx_enroll_proof_find(&result->proof) <= NGX_ENROLL_PROOF_NONE)
    {
        return 1;
    }

    /* what the IdP is told of the proof has to be true, asked for or not */

    proof.id.len = NGX_ENROLL_HEX_LEN;
    proof.id.data = call->id;
    proof.subject = ngx_enroll_call_field(result->record, "proof_subject");
    proof.level = result->proof;
    proof.prover = result->proof_prover;
    proof.method = result->proof_method;
    proof.at = result->proof_at;
    proof.evidence = result->proof_evidence;
    proof.jti = result->proof_jti;

    /* the script has compared them, as they stood in the record then */

    return (proof.subject.len == 0
            || (proof.subject.len == result->subject.len
                && ngx_memcmp(proof.subject.data, result->subject.data,
                              proof.subject.len)
                   == 0))
           && ngx_enroll_proof_verify(call->ledger->keys, &proof,
                                      &result->proof_mac)
              == NGX_OK
           && ngx_enroll_proof_find(&result->proof) >= (ngx_int_t) level;
}


/* how many different people have approved */

static ngx_uint_t
ngx_enroll_rule_approvals(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 1; i <= NGX_ENROLL_APPROVALS_MAX; i++) {
        n += ngx_enroll_rule_approved(call, result, i);
    }

    return n;
}


static ngx_uint_t
ngx_enroll_rule_approved(ngx_enroll_call_t *call, ngx_enroll_result_t *result,
    ngx_uint_t n)
{
    u_char                         name[64];
    ngx_str_t                      mac, other;
    ngx_uint_t                     i;
    ngx_enroll_approval_record_t   approval;

    (void) ngx_sprintf(name, "approval.%ui%Z", n);
    approval.approver = ngx_enroll_call_field(result->record, (char *) name);

    if (approval.approver.len == 0) {
        return 0;
    }

    (void) ngx_sprintf(name, "approval.%ui.issuer%Z", n);
    approval.issuer = ngx_enroll_call_field(result->record, (char *) name);

    (void) ngx_sprintf(name, "approval.%ui.mac%Z", n);
    mac = ngx_enroll_call_field(result->record, (char *) name);

    approval.id.len = NGX_ENROLL_HEX_LEN;
    approval.id.data = call->id;

    /* likewise: nobody approves his own wish, or his own token */

    if (ngx_enroll_rule_same(&approval.approver, &result->requester)
        || ngx_enroll_rule_same(&approval.approver, &result->subject))
    {
        return 0;
    }

    /* one approval, copied to another place, is still one */

    for (i = 1; i < n; i++) {
        (void) ngx_sprintf(name, "approval.%ui%Z", i);
        other = ngx_enroll_call_field(result->record, (char *) name);

        if (ngx_enroll_rule_same(&other, &approval.approver)) {
            return 0;
        }
    }

    return ngx_enroll_approval_verify(call->ledger->keys, &approval, &mac)
           == NGX_OK;
}


/* people are not told apart by case alone */

static ngx_uint_t
ngx_enroll_rule_same(const ngx_str_t *one, const ngx_str_t *other)
{
    return one->len == other->len
           && ngx_strncasecmp(one->data, other->data, one->len) == 0;
}
