
/* What goes along with a call: its keys and arguments. */

#include "ngx_enroll_ledger.h"


void
ngx_enroll_call_id(ngx_enroll_call_t *call, const u_char *raw)
{
    (void) ngx_hex_dump(call->id, (u_char *) raw, NGX_ENROLL_DIGEST_LEN);
}


ngx_int_t
ngx_enroll_call_raw(const u_char *hex, size_t len, u_char *raw)
{
    ngx_int_t   n;
    ngx_uint_t  i;

    if (len != NGX_ENROLL_HEX_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_ENROLL_DIGEST_LEN; i++) {
        n = ngx_hextoi((u_char *) hex + 2 * i, 2);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        raw[i] = (u_char) n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_enroll_call_arg(ngx_enroll_call_t *call, const ngx_str_t *arg)
{
    ngx_str_t  *copy;

    copy = ngx_array_push(&call->args);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    copy->len = arg->len;
    copy->data = ngx_pnalloc(call->pool, arg->len + 1);
    if (copy->data == NULL) {
        return NGX_ERROR;
    }

    if (arg->len) {
        ngx_memcpy(copy->data, arg->data, arg->len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_enroll_call_number(ngx_enroll_call_t *call, uint64_t n)
{
    u_char     buf[NGX_INT64_LEN];
    ngx_str_t  arg;

    arg.data = buf;
    arg.len = ngx_sprintf(buf, "%uL", n) - buf;

    return ngx_enroll_call_arg(call, &arg);
}


ngx_int_t
ngx_enroll_call_key(ngx_enroll_call_t *call, const char *fmt, ...)
{
    u_char      buf[1024], *p;
    va_list     args;
    ngx_str_t  *key;

    p = ngx_snprintf(buf, sizeof(buf), "enroll:{%ui}:", call->partition);

    va_start(args, fmt);
    p = ngx_vslprintf(p, buf + sizeof(buf), fmt, args);
    va_end(args);

    key = ngx_array_push(&call->keys);
    if (key == NULL) {
        return NGX_ERROR;
    }

    key->len = p - buf;
    key->data = ngx_pnalloc(call->pool, key->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(key->data, buf, key->len);

    return NGX_OK;
}


ngx_str_t
ngx_enroll_call_field(const ngx_enroll_resp_t *flat, const char *name)
{
    size_t      len;
    ngx_str_t   none;
    ngx_uint_t  i;

    len = ngx_strlen(name);

    for (i = 0; i + 1 < flat->nelts; i += 2) {

        if (flat->elts[i].str.len == len
            && ngx_memcmp(flat->elts[i].str.data, name, len) == 0)
        {
            return flat->elts[i + 1].str;
        }
    }

    ngx_str_null(&none);

    return none;
}


ngx_int_t
ngx_enroll_call_rules(ngx_enroll_call_t *call, const ngx_enroll_rule_t *rules,
    ngx_uint_t n)
{
    ngx_str_t   why;
    ngx_uint_t  i;

    call->rules = ngx_palloc(call->pool, (n + 1) * sizeof(ngx_enroll_rule_t));
    if (call->rules == NULL || ngx_enroll_call_number(call, n) != NGX_OK) {
        return NGX_ERROR;
    }

    call->nrules = n;

    for (i = 0; i < n; i++) {
        call->rules[i] = rules[i];
        call->rules[i].class.data = ngx_pstrdup(call->pool,
                                            (ngx_str_t *) &rules[i].class);

        why.data = (u_char *) rules[i].why;
        why.len = ngx_strlen(rules[i].why);

        if (call->rules[i].class.data == NULL
            || ngx_enroll_call_arg(call, &rules[i].class) != NGX_OK
            || ngx_enroll_call_number(call, rules[i].proof) != NGX_OK
            || ngx_enroll_call_number(call, rules[i].approvals) != NGX_OK
            || ngx_enroll_call_number(call, rules[i].replay_revokes) != NGX_OK
            || ngx_enroll_call_arg(call,
                                   ngx_enroll_reason_name(rules[i].reason))
               != NGX_OK
            || ngx_enroll_call_arg(call, &why) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_enroll_call_word(ngx_enroll_call_t *call, const char *word)
{
    ngx_str_t  arg;

    arg.data = (u_char *) word;
    arg.len = ngx_strlen(word);

    return ngx_enroll_call_arg(call, &arg);
}


ngx_int_t
ngx_enroll_call_pairs(ngx_enroll_call_t *call, const ngx_keyval_t *pairs,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    if (ngx_enroll_call_number(call, 2 * n) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_enroll_call_arg(call, &pairs[i].key) != NGX_OK
            || ngx_enroll_call_arg(call, &pairs[i].value) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_enroll_call_subject(ngx_enroll_call_t *call, const u_char *digest)
{
    u_char  hex[NGX_ENROLL_HEX_LEN];

    (void) ngx_hex_dump(hex, (u_char *) digest, NGX_ENROLL_DIGEST_LEN);

    return ngx_enroll_call_key(call, "subject:%*s",
                               (size_t) NGX_ENROLL_HEX_LEN, hex);
}


ngx_int_t
ngx_enroll_call_hex(ngx_enroll_call_t *call, const ngx_str_t *id)
{
    if (id->len != NGX_ENROLL_HEX_LEN) {
        return NGX_ERROR;
    }

    ngx_memcpy(call->id, id->data, NGX_ENROLL_HEX_LEN);

    return NGX_OK;
}
