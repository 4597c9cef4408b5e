
/* What others state of a token: that it be revoked, is proofed, is approved. */

#include "ngx_enroll_ledger.h"
#include "ngx_enroll_class.h"
#include "ngx_enroll_record.h"


typedef struct {
    ngx_enroll_proofing_t   proofing;
    u_char                  subject[NGX_ENROLL_DIGEST_LEN];
    u_char                  jti[NGX_ENROLL_HEX_LEN];
} ngx_enroll_prove_t;


static ngx_int_t ngx_enroll_statement_partition(ngx_enroll_ledger_t *ledger,
    const ngx_str_t *id, const ngx_str_t *subject, u_char *digest,
    ngx_uint_t *partition);
static ngx_int_t ngx_enroll_statement_again(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_revoke_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_prove_copy(ngx_enroll_call_t *call,
    ngx_enroll_prove_t *prove, const ngx_enroll_proofing_t *proofing);
static ngx_int_t ngx_enroll_prove_args(ngx_enroll_call_t *call);
static ngx_int_t ngx_enroll_prove_fields(ngx_enroll_call_t *call);
static ngx_int_t ngx_enroll_prove_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


ngx_enroll_call_t *
ngx_enroll_revoke(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_revocation_t *revocation,
    ngx_enroll_call_handler_pt handler, void *data)
{
    u_char              digest[NGX_ENROLL_DIGEST_LEN];
    ngx_int_t           rc;
    ngx_uint_t          partition;
    ngx_enroll_call_t  *call;

    if (ngx_enroll_statement_partition(ledger, &revocation->id,
                                       &revocation->subject, digest,
                                       &partition)
        != NGX_OK)
    {
        return NULL;
    }

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_REVOKE, partition,
                                  &revocation->client);
    if (call == NULL) {
        return NULL;
    }

    call->handler = handler;
    call->data = data;
    call->durable = 1;                  /* who is told so relies on it */
    call->step = ngx_enroll_revoke_step;
    ngx_memset(call->id, '0', NGX_ENROLL_HEX_LEN);

    rc = ngx_enroll_call_key(call, "answer:revoke:%V:%V", &revocation->by,
                             &revocation->event);

    if (rc == NGX_OK && revocation->id.len) {
        rc = ngx_enroll_call_hex(call, &revocation->id);

    } else if (rc == NGX_OK) {
        rc = ngx_enroll_call_subject(call, digest);
    }

    if (rc != NGX_OK
        || ngx_enroll_call_arg(call, &revocation->why) != NGX_OK
        || ngx_enroll_call_arg(call, &revocation->by) != NGX_OK
        || ngx_enroll_call_arg(call, &revocation->event) != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    return ngx_enroll_call_start(call, rc);
}


/*
 * An id says in which partition it is. One that is not there is of no token,
 * and whatever partition is asked says so.
 */

static ngx_int_t
ngx_enroll_statement_partition(ngx_enroll_ledger_t *ledger,
    const ngx_str_t *id, const ngx_str_t *subject, u_char *digest,
    ngx_uint_t *partition)
{
    ngx_int_t  n;

    if (id->len == 0) {
        return ngx_enroll_subject_digest(ledger->keys, subject,
                                         ledger->partitions, digest,
                                         partition);
    }

    ngx_memzero(digest, NGX_ENROLL_DIGEST_LEN);

    n = (id->len == NGX_ENROLL_HEX_LEN)
        ? ngx_hextoi(id->data, 2 * NGX_ENROLL_TOKEN_PARTITION_LEN)
        : NGX_ERROR;

    *partition = (n == NGX_ERROR) ? 0 : (ngx_uint_t) n % ledger->partitions;

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_statement_again(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    return ++call->tries < NGX_ENROLL_AGAIN_MAX
           ? ngx_enroll_call_hex(call, &result->token)
           : NGX_ERROR;
}


static ngx_int_t
ngx_enroll_revoke_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    if (call->script == NGX_ENROLL_SCRIPT_SHOW) {
        /* its event was obeyed before: what has become of it */

        if (result->verdict == NGX_ENROLL_OK
            || result->verdict == NGX_ENROLL_TAMPERED)
        {
            result->verdict = NGX_ENROLL_REPEAT;
        }

        return NGX_OK;
    }

    switch (result->verdict) {

    case NGX_ENROLL_AGAIN:
        if (ngx_enroll_statement_again(call, result) == NGX_OK
            && ngx_enroll_call_send(call) == NGX_OK)
        {
            return NGX_AGAIN;
        }

        break;

    case NGX_ENROLL_REPEAT:
        if (ngx_enroll_call_show(call, &result->token) == NGX_OK) {
            return NGX_AGAIN;
        }

        break;

    default:
        return NGX_OK;
    }

    result->verdict = NGX_ENROLL_UNAVAILABLE;

    return NGX_OK;
}


ngx_enroll_call_t *
ngx_enroll_prove(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_proofing_t *proofing, ngx_enroll_call_handler_pt handler,
    void *data)
{
    u_char               digest[NGX_ENROLL_DIGEST_LEN];
    ngx_int_t            rc;
    ngx_uint_t           partition;
    ngx_enroll_call_t   *call;
    ngx_enroll_prove_t  *prove;

    if (ngx_enroll_statement_partition(ledger, &proofing->id,
                                       &proofing->subject, digest, &partition)
        != NGX_OK)
    {
        return NULL;
    }

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_PROVE, partition,
                                  &proofing->client);
    if (call == NULL) {
        return NULL;
    }

    call->handler = handler;
    call->data = data;
    call->step = ngx_enroll_prove_step;
    ngx_memset(call->id, '0', NGX_ENROLL_HEX_LEN);

    rc = NGX_ERROR;
    prove = ngx_pcalloc(call->pool, sizeof(ngx_enroll_prove_t));

    if (prove
        && ngx_enroll_prove_copy(call, prove, proofing) == NGX_OK
        && (proofing->id.len == 0
            || ngx_enroll_call_hex(call, &proofing->id) == NGX_OK))
    {
        call->context = prove;
        ngx_memcpy(prove->subject, digest, NGX_ENROLL_DIGEST_LEN);
        rc = ngx_enroll_prove_args(call);
    }

    return ngx_enroll_call_start(call, rc);
}


static ngx_int_t
ngx_enroll_prove_copy(ngx_enroll_call_t *call, ngx_enroll_prove_t *prove,
    const ngx_enroll_proofing_t *proofing)
{
    size_t                  i;
    u_char                  digest[EVP_MAX_MD_SIZE], *p;
    ngx_str_t              *s[5], name;
    unsigned int            len;
    ngx_enroll_proofing_t  *copy;

    prove->proofing = *proofing;
    copy = &prove->proofing;

    s[0] = &copy->id;
    s[1] = &copy->subject;
    s[2] = &copy->prover;
    s[3] = &copy->method;
    s[4] = &copy->evidence;

    for (i = 0; i < 5; i++) {
        s[i]->data = ngx_pstrdup(call->pool, s[i]);
        if (s[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    /* a jti is one of its iss; it has no space in it */

    name.len = copy->iss.len + 1 + copy->jti.len;
    name.data = ngx_pnalloc(call->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, copy->iss.data, copy->iss.len);
    *p++ = ' ';
    ngx_memcpy(p, copy->jti.data, copy->jti.len);

    if (EVP_Digest(name.data, name.len, digest, &len, EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(prove->jti, digest, NGX_ENROLL_DIGEST_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_prove_args(ngx_enroll_call_t *call)
{
    ngx_enroll_prove_t     *prove;
    ngx_enroll_proofing_t  *proofing;

    prove = call->context;
    proofing = &prove->proofing;

    call->keys.nelts = 0;
    call->args.nelts = 0;

    if (ngx_enroll_call_key(call, "attestation:%*s",
                            (size_t) NGX_ENROLL_HEX_LEN, prove->jti)
        != NGX_OK
        || (proofing->id.len == 0
            && ngx_enroll_call_subject(call, prove->subject) != NGX_OK)
        || ngx_enroll_call_arg(call, &proofing->subject) != NGX_OK
        || ngx_enroll_call_number(call, proofing->level) != NGX_OK
        || ngx_enroll_call_number(call, proofing->keep) != NGX_OK
        || ngx_enroll_prove_fields(call) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_enroll_call_rules(call, proofing->rules, proofing->nrules);
}


static ngx_int_t
ngx_enroll_prove_fields(ngx_enroll_call_t *call)
{
    u_char                      at[NGX_INT64_LEN],
                                mac[NGX_ENROLL_RECORD_MAC_LEN];
    ngx_uint_t                  n;
    ngx_keyval_t                fields[8];
    ngx_enroll_prove_t         *prove;
    ngx_enroll_proofing_t      *proofing;
    ngx_enroll_proof_record_t   proof;

    prove = call->context;
    proofing = &prove->proofing;

    proof.id.len = NGX_ENROLL_HEX_LEN;
    proof.id.data = call->id;
    proof.subject = proofing->subject;
    proof.level = *ngx_enroll_proof_name(proofing->level);
    proof.prover = proofing->prover;
    proof.method = proofing->method;
    proof.evidence = proofing->evidence;
    proof.at.data = at;
    proof.at.len = ngx_sprintf(at, "%L", proofing->proofed_at) - at;
    proof.jti.data = prove->jti;
    proof.jti.len = NGX_ENROLL_HEX_LEN;

    if (ngx_enroll_proof_seal(call->ledger->keys, &proof, mac) != NGX_OK) {
        return NGX_ERROR;
    }

    n = 0;

    ngx_str_set(&fields[n].key, "proof");
    fields[n++].value = proof.level;
    ngx_str_set(&fields[n].key, "proof_subject");
    fields[n++].value = proof.subject;
    ngx_str_set(&fields[n].key, "proof_prover");
    fields[n++].value = proof.prover;
    ngx_str_set(&fields[n].key, "proof_method");
    fields[n++].value = proof.method;
    ngx_str_set(&fields[n].key, "proof_at");
    fields[n++].value = proof.at;
    ngx_str_set(&fields[n].key, "proof_evidence");
    fields[n++].value = proof.evidence;
    ngx_str_set(&fields[n].key, "proof_jti");
    fields[n++].value = proof.jti;
    ngx_str_set(&fields[n].key, "proof_mac");
    fields[n].value.len = sizeof(mac);
    fields[n++].value.data = mac;

    return ngx_enroll_call_pairs(call, fields, n);
}


static ngx_int_t
ngx_enroll_prove_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    if (result->verdict != NGX_ENROLL_AGAIN) {
        return NGX_OK;
    }

    /* the mac is made anew, of the other id */

    if (ngx_enroll_statement_again(call, result) == NGX_OK
        && ngx_enroll_prove_args(call) == NGX_OK
        && ngx_enroll_call_send(call) == NGX_OK)
    {
        return NGX_AGAIN;
    }

    result->verdict = NGX_ENROLL_UNAVAILABLE;

    return NGX_OK;
}


ngx_enroll_call_t *
ngx_enroll_approve(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_approving_t *approving,
    ngx_enroll_call_handler_pt handler, void *data)
{
    u_char                         mac[NGX_ENROLL_RECORD_MAC_LEN],
                                   digest[NGX_ENROLL_DIGEST_LEN];
    ngx_int_t                      rc;
    ngx_str_t                      sealed;
    ngx_uint_t                     partition;
    ngx_enroll_call_t             *call;
    ngx_enroll_approval_record_t   approval;

    if (ngx_enroll_statement_partition(ledger, &approving->id, NULL, digest,
                                       &partition)
        != NGX_OK)
    {
        return NULL;
    }

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_APPROVE,
                                  partition, &approving->client);
    if (call == NULL) {
        return NULL;
    }

    call->handler = handler;
    call->data = data;

    approval.id = approving->id;
    approval.approver = approving->approver;
    approval.issuer = approving->issuer;

    sealed.data = mac;
    sealed.len = sizeof(mac);

    rc = NGX_OK;

    if (ngx_enroll_call_hex(call, &approving->id) != NGX_OK
        || ngx_enroll_approval_seal(ledger->keys, &approval, mac) != NGX_OK
        || ngx_enroll_call_key(call, "answer:approve:%V:%V", &approving->issuer,
                               &approving->event) != NGX_OK
        || ngx_enroll_call_arg(call, &approving->approver) != NGX_OK
        || ngx_enroll_call_arg(call, &approving->issuer) != NGX_OK
        || ngx_enroll_call_arg(call, &sealed) != NGX_OK
        || ngx_enroll_call_rules(call, approving->rules, approving->nrules)
           != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    return ngx_enroll_call_start(call, rc);
}
