
#include "ngx_enroll_record.h"

#include <openssl/crypto.h>


/* no label begins another, and all under one key differ */
#define NGX_ENROLL_RECORD_LABEL     "enroll record 1"
#define NGX_ENROLL_PROOF_LABEL      "enroll proof 1"
#define NGX_ENROLL_APPROVAL_LABEL   "enroll approval 1"

#define NGX_ENROLL_RECORD_FIELDS    11


static ngx_int_t ngx_enroll_mac_write(ngx_enroll_keys_t *keys,
    const char *label, const ngx_str_t *fields, ngx_uint_t n, u_char *mac);
static ngx_int_t ngx_enroll_mac_check(ngx_enroll_keys_t *keys,
    const char *label, const ngx_str_t *fields, ngx_uint_t n,
    const ngx_str_t *mac);
static ngx_int_t ngx_enroll_mac(ngx_enroll_key_t *key, const char *label,
    const ngx_str_t *fields, ngx_uint_t n, u_char mac[NGX_ENROLL_MAC_LEN]);
static ngx_uint_t ngx_enroll_record_fields(const ngx_enroll_record_t *record,
    ngx_str_t *fields);
static void ngx_enroll_record_hex(u_char *dst, const u_char *src, size_t len);
static ngx_int_t ngx_enroll_record_unhex(u_char *dst, const u_char *src,
    size_t len);


ngx_int_t
ngx_enroll_record_seal(ngx_enroll_keys_t *keys,
    const ngx_enroll_record_t *record, u_char mac[NGX_ENROLL_RECORD_MAC_LEN])
{
    ngx_str_t  fields[NGX_ENROLL_RECORD_FIELDS];

    return ngx_enroll_mac_write(keys, NGX_ENROLL_RECORD_LABEL, fields,
                                ngx_enroll_record_fields(record, fields),
                                mac);
}


ngx_int_t
ngx_enroll_record_verify(ngx_enroll_keys_t *keys,
    const ngx_enroll_record_t *record, const ngx_str_t *mac)
{
    ngx_str_t  fields[NGX_ENROLL_RECORD_FIELDS];

    return ngx_enroll_mac_check(keys, NGX_ENROLL_RECORD_LABEL, fields,
                                ngx_enroll_record_fields(record, fields),
                                mac);
}


/* the last two go in where there is one of them, as one or neither cannot */

static ngx_uint_t
ngx_enroll_record_fields(const ngx_enroll_record_t *record, ngx_str_t *fields)
{
    fields[0] = record->id;
    fields[1] = record->subject;
    fields[2] = record->class;
    fields[3] = record->issuer;
    fields[4] = record->event;
    fields[5] = record->channel;
    fields[6] = record->expires_at;
    fields[7] = record->window;
    fields[8] = record->attempts_allowed;
    fields[9] = record->exception;
    fields[10] = record->requester;

    return (record->exception.len || record->requester.len)
           ? NGX_ENROLL_RECORD_FIELDS : NGX_ENROLL_RECORD_FIELDS - 2;
}


ngx_int_t
ngx_enroll_proof_seal(ngx_enroll_keys_t *keys,
    const ngx_enroll_proof_record_t *proof,
    u_char mac[NGX_ENROLL_RECORD_MAC_LEN])
{
    ngx_str_t  fields[] = {
        proof->id, proof->subject, proof->level, proof->prover, proof->method,
        proof->at, proof->evidence, proof->jti
    };

    return ngx_enroll_mac_write(keys, NGX_ENROLL_PROOF_LABEL, fields,
                                sizeof(fields) / sizeof(fields[0]), mac);
}


ngx_int_t
ngx_enroll_proof_verify(ngx_enroll_keys_t *keys,
    const ngx_enroll_proof_record_t *proof, const ngx_str_t *mac)
{
    ngx_str_t  fields[] = {
        proof->id, proof->subject, proof->level, proof->prover, proof->method,
        proof->at, proof->evidence, proof->jti
    };

    return ngx_enroll_mac_check(keys, NGX_ENROLL_PROOF_LABEL, fields,
                                sizeof(fields) / sizeof(fields[0]), mac);
}


ngx_int_t
ngx_enroll_approval_seal(ngx_enroll_keys_t *keys,
    const ngx_enroll_approval_record_t *approval,
    u_char mac[NGX_ENROLL_RECORD_MAC_LEN])
{
    ngx_str_t  fields[] = {
        approval->id, approval->approver, approval->issuer
    };

    return ngx_enroll_mac_write(keys, NGX_ENROLL_APPROVAL_LABEL, fields,
                                sizeof(fields) / sizeof(fields[0]), mac);
}


ngx_int_t
ngx_enroll_approval_verify(ngx_enroll_keys_t *keys,
    const ngx_enroll_approval_record_t *approval, const ngx_str_t *mac)
{
    ngx_str_t  fields[] = {
        approval->id, approval->approver, approval->issuer
    };

    return ngx_enroll_mac_check(keys, NGX_ENROLL_APPROVAL_LABEL, fields,
                                sizeof(fields) / sizeof(fields[0]), mac);
}


static ngx_int_t
ngx_enroll_mac_write(ngx_enroll_keys_t *keys, const char *label,
    const ngx_str_t *fields, ngx_uint_t n, u_char *mac)
{
    u_char             raw[NGX_ENROLL_MAC_LEN];
    ngx_enroll_key_t  *key;

    key = &keys->keys[0];

    if (ngx_enroll_mac(key, label, fields, n, raw) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_enroll_record_hex(mac, &key->number, 1);
    ngx_enroll_record_hex(mac + 2, raw, NGX_ENROLL_DIGEST_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_mac_check(ngx_enroll_keys_t *keys, const char *label,
    const ngx_str_t *fields, ngx_uint_t n, const ngx_str_t *mac)
{
    u_char             number;
    u_char             given[NGX_ENROLL_DIGEST_LEN],
                       right[NGX_ENROLL_MAC_LEN];
    ngx_int_t          rc;
    ngx_enroll_key_t  *key;

    if (mac->len != NGX_ENROLL_RECORD_MAC_LEN
        || ngx_enroll_record_unhex(&number, mac->data, 1) != NGX_OK
        || ngx_enroll_record_unhex(given, mac->data + 2,
                                   NGX_ENROLL_DIGEST_LEN)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    key = ngx_enroll_key_find(keys, number);

    if (key == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_enroll_mac(key, label, fields, n, right) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = CRYPTO_memcmp(given, right, NGX_ENROLL_DIGEST_LEN) ? NGX_DECLINED
                                                            : NGX_OK;

    /* for a record that was tampered with it is what would make it pass */

    OPENSSL_cleanse(right, sizeof(right));

    return rc;
}


static ngx_int_t
ngx_enroll_mac(ngx_enroll_key_t *key, const char *label,
    const ngx_str_t *fields, ngx_uint_t n, u_char mac[NGX_ENROLL_MAC_LEN])
{
    u_char      lens[NGX_ENROLL_RECORD_FIELDS][4];
    ngx_str_t   parts[1 + 2 * NGX_ENROLL_RECORD_FIELDS], *part;
    ngx_uint_t  i;

    part = parts;

    part->data = (u_char *) label;
    part->len = ngx_strlen(label);
    part++;

    /* the lengths keep a byte from moving to the neighbouring field */

    for (i = 0; i < n; i++) {
        lens[i][0] = (u_char) (fields[i].len >> 24);
        lens[i][1] = (u_char) (fields[i].len >> 16);
        lens[i][2] = (u_char) (fields[i].len >> 8);
        lens[i][3] = (u_char) fields[i].len;

        part->data = lens[i];
        part->len = 4;
        part++;

        *part++ = fields[i];
    }

    return ngx_enroll_hmac(key->mac[NGX_ENROLL_KEY_RECORD], parts,
                           part - parts, mac);
}


static void
ngx_enroll_record_hex(u_char *dst, const u_char *src, size_t len)
{
    static const char  hex[] = "0123456789abcdef";

    while (len--) {
        *dst++ = hex[*src >> 4];
        *dst++ = hex[*src++ & 0xf];
    }
}


static ngx_int_t
ngx_enroll_record_unhex(u_char *dst, const u_char *src, size_t len)
{
    u_char      c;
    ngx_uint_t  n, value;

    while (len--) {
        value = 0;

        for (n = 0; n < 2; n++) {
            c = *src++;

            if (c >= '0' && c <= '9') {
                value = (value << 4) | (ngx_uint_t) (c - '0');

            } else if (c >= 'a' && c <= 'f') {
                value = (value << 4) | (ngx_uint_t) (c - 'a' + 10);

            } else {
                return NGX_DECLINED;
            }
        }

        *dst++ = (u_char) value;
    }

    return NGX_OK;
}
