
#include "ngx_enroll_record.h"

#include "fixture.h"


#define FIELDS  9


static ngx_enroll_keys_t  keys_a, keys_b, keys_ba;


static ngx_enroll_record_t
known(void)
{
    ngx_enroll_record_t  record;

    memset(&record, 0, sizeof(record));
    ngx_str_set(&record.id, SESSION_A_ID);
    ngx_str_set(&record.subject, "u-1042");
    ngx_str_set(&record.class, "standard");
    ngx_str_set(&record.issuer, "hris");
    ngx_str_set(&record.event, "evt-7");
    ngx_str_set(&record.channel, "email");
    ngx_str_set(&record.expires_at, "1700000000000");
    ngx_str_set(&record.window, "600000");
    ngx_str_set(&record.attempts_allowed, "5");

    return record;
}


/* in the order of the MAC */

static void
fields_of(ngx_enroll_record_t *record, ngx_str_t *fields[FIELDS])
{
    fields[0] = &record->id;
    fields[1] = &record->subject;
    fields[2] = &record->class;
    fields[3] = &record->issuer;
    fields[4] = &record->event;
    fields[5] = &record->channel;
    fields[6] = &record->expires_at;
    fields[7] = &record->window;
    fields[8] = &record->attempts_allowed;
}


static ngx_int_t
verify(const ngx_enroll_record_t *record, const char *mac)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = fixture_copy(mac, strlen(mac));
    rc = ngx_enroll_record_verify(&keys_a, record, &copy);
    free(copy.data);

    return rc;
}


static void
test_known(void)
{
    u_char               mac[NGX_ENROLL_RECORD_MAC_LEN];
    ngx_str_t            s;
    ngx_enroll_record_t  record, empty;

    record = known();
    memset(&empty, 0, sizeof(empty));

    tap_ok(ngx_enroll_record_seal(&keys_a, &record, mac) == NGX_OK
           && memcmp(mac, RECORD_A, sizeof(mac)) == 0,
           "the known record is sealed");
    tap_ok(verify(&record, RECORD_A) == NGX_OK, "and verified");
    tap_ok(ngx_enroll_record_seal(&keys_a, &empty, mac) == NGX_OK
           && memcmp(mac, RECORD_A_EMPTY, sizeof(mac)) == 0
           && verify(&empty, RECORD_A_EMPTY) == NGX_OK,
           "fields may be empty");

    s = fixture_str(RECORD_A);

    tap_ok(ngx_enroll_record_verify(&keys_ba, &record, &s) == NGX_OK,
           "read with a new key in front");
    tap_ok(ngx_enroll_record_verify(&keys_b, &record, &s) == NGX_DECLINED,
           "I5 refused without its key");
    tap_ok(ngx_enroll_record_seal(&keys_ba, &record, mac) == NGX_OK
           && memcmp(mac, RECORD_A, sizeof(mac)) != 0,
           "sealed under the first key");
}


static void
test_fields(void)
{
    int                  passed;
    u_char               changed[64];
    ngx_str_t           *fields[FIELDS], was;
    ngx_uint_t           i, k, bit;
    ngx_enroll_record_t  record;

    passed = 0;
    record = known();
    fields_of(&record, fields);

    for (i = 0; i < FIELDS; i++) {
        was = *fields[i];
        memcpy(changed, was.data, was.len);

        for (k = 0; k < was.len; k++) {
            for (bit = 0; bit < 8; bit++) {
                changed[k] ^= (u_char) (1 << bit);
                fields[i]->data = changed;
                passed += verify(&record, RECORD_A) != NGX_DECLINED;
                changed[k] ^= (u_char) (1 << bit);
            }
        }

        for (k = 0; k < was.len; k++) {
            fields[i]->len = k;
            passed += verify(&record, RECORD_A) != NGX_DECLINED;
        }

        changed[was.len] = '0';
        fields[i]->len = was.len + 1;
        passed += verify(&record, RECORD_A) != NGX_DECLINED;

        *fields[i] = was;
    }

    tap_ok(passed == 0 && verify(&record, RECORD_A) == NGX_OK,
           "I5 a record with a bit flipped, a field shorter or longer is "
           "refused");
}


static void
test_neighbours(void)
{
    int                  passed;
    u_char               both[128];
    size_t               len, first;
    ngx_str_t           *fields[FIELDS], a, b;
    ngx_uint_t           i, k;
    ngx_enroll_record_t  record;

    record = known();
    fields_of(&record, fields);
    passed = 0;

    for (i = 0; i < FIELDS - 1; i++) {
        a = *fields[i];
        b = *fields[i + 1];
        len = a.len + b.len;

        memcpy(both, a.data, a.len);
        memcpy(both + a.len, b.data, b.len);

        for (first = 0; first <= len; first++) {
            if (first == a.len) {
                continue;
            }

            fields[i]->data = both;
            fields[i]->len = first;
            fields[i + 1]->data = both + first;
            fields[i + 1]->len = len - first;

            passed += verify(&record, RECORD_A) != NGX_DECLINED;
        }

        *fields[i] = a;
        *fields[i + 1] = b;
    }

    tap_ok(passed == 0, "I5 bytes moved to the neighbouring field are noticed");

    passed = 0;

    for (i = 0; i < FIELDS; i++) {
        for (k = 0; k < FIELDS; k++) {
            if (i == k) {
                continue;
            }

            a = *fields[i];
            *fields[i] = *fields[k];
            *fields[k] = a;

            passed += verify(&record, RECORD_A) != NGX_DECLINED;

            a = *fields[i];
            *fields[i] = *fields[k];
            *fields[k] = a;
        }
    }

    tap_ok(passed == 0, "I5 fields that changed places are noticed");
}


static void
test_mac(void)
{
    int                  passed;
    char                 mac[NGX_ENROLL_RECORD_MAC_LEN + 2];
    size_t               i, n;
    ngx_enroll_record_t  record;

    record = known();
    passed = 0;

    for (i = 0; i < NGX_ENROLL_RECORD_MAC_LEN; i++) {
        for (n = 1; n < 256; n++) {
            strcpy(mac, RECORD_A);

            if ((u_char) mac[i] != n) {
                mac[i] = (char) n;
                passed += verify(&record, mac) != NGX_DECLINED;
            }
        }
    }

    tap_ok(passed == 0, "I5 a mac with any other character is refused, "
           "capitals too");

    passed = 0;

    for (n = 0; n < NGX_ENROLL_RECORD_MAC_LEN; n++) {
        strcpy(mac, RECORD_A);
        mac[n] = '\0';
        passed += verify(&record, mac) != NGX_DECLINED;
    }

    strcpy(mac, RECORD_A "0");
    passed += verify(&record, mac) != NGX_DECLINED;

    tap_ok(passed == 0, "I5 a mac of any other length is refused");
}


/* the two that not every record has */

static void
test_words(void)
{
    u_char               mac[NGX_ENROLL_RECORD_MAC_LEN];
    ngx_str_t            s;
    ngx_enroll_record_t  record, other;

    s.data = mac;
    s.len = sizeof(mac);

    record = known();
    ngx_str_set(&record.exception, "standard");
    ngx_str_set(&record.requester, "m-1");

    tap_ok(ngx_enroll_record_seal(&keys_a, &record, mac) == NGX_OK
           && ngx_enroll_record_verify(&keys_a, &record, &s) == NGX_OK,
           "an exception and a requester are sealed");

    other = record;
    ngx_str_set(&other.requester, "m-2");
    tap_ok(ngx_enroll_record_verify(&keys_a, &other, &s) == NGX_DECLINED,
           "I5 another requester is noticed");

    other = record;
    ngx_str_null(&other.requester);
    tap_ok(ngx_enroll_record_verify(&keys_a, &other, &s) == NGX_DECLINED,
           "I5 so is none");

    other = record;
    ngx_str_null(&other.exception);
    tap_ok(ngx_enroll_record_verify(&keys_a, &other, &s) == NGX_DECLINED,
           "I5 and an exception that is none");

    other = known();
    tap_ok(ngx_enroll_record_verify(&keys_a, &other, &s) == NGX_DECLINED,
           "I5 and neither");
}


static void
test_proof(void)
{
    int                         passed;
    u_char                      mac[NGX_ENROLL_RECORD_MAC_LEN];
    ngx_str_t                   s, was, *fields[8];
    ngx_uint_t                  i;
    ngx_enroll_proof_record_t   proof;

    s.data = mac;
    s.len = sizeof(mac);

    ngx_str_set(&proof.id, SESSION_A_ID);
    ngx_str_set(&proof.subject, "u-1042");
    ngx_str_set(&proof.level, "ial2");
    ngx_str_set(&proof.prover, "acme");
    ngx_str_set(&proof.method, "document");
    ngx_str_set(&proof.at, "1700000000000");
    ngx_str_set(&proof.evidence, "case-77");
    ngx_str_set(&proof.jti, SESSION_A_ID);

    tap_ok(ngx_enroll_proof_seal(&keys_a, &proof, mac) == NGX_OK
           && ngx_enroll_proof_verify(&keys_ba, &proof, &s) == NGX_OK,
           "I4 a proof is sealed, and read with a new key in front");
    tap_ok(ngx_enroll_proof_verify(&keys_b, &proof, &s) == NGX_DECLINED,
           "I4 refused without its key");

    fields[0] = &proof.id;
    fields[1] = &proof.subject;
    fields[2] = &proof.level;
    fields[3] = &proof.prover;
    fields[4] = &proof.method;
    fields[5] = &proof.at;
    fields[6] = &proof.evidence;
    fields[7] = &proof.jti;

    passed = 0;

    for (i = 0; i < 8; i++) {
        was = *fields[i];
        ngx_str_set(fields[i], "ial3");
        passed += ngx_enroll_proof_verify(&keys_a, &proof, &s)
                  != NGX_DECLINED;
        ngx_str_null(fields[i]);
        passed += ngx_enroll_proof_verify(&keys_a, &proof, &s)
                  != NGX_DECLINED;
        *fields[i] = was;
    }

    tap_ok(passed == 0, "I4 any other field is noticed, and none");
}


static void
test_approval(void)
{
    u_char                         mac[NGX_ENROLL_RECORD_MAC_LEN];
    ngx_str_t                      s;
    ngx_enroll_approval_record_t   approval, other;

    s.data = mac;
    s.len = sizeof(mac);

    ngx_str_set(&approval.id, SESSION_A_ID);
    ngx_str_set(&approval.approver, "m-7");
    ngx_str_set(&approval.issuer, "boss");

    tap_ok(ngx_enroll_approval_seal(&keys_a, &approval, mac) == NGX_OK
           && ngx_enroll_approval_verify(&keys_a, &approval, &s) == NGX_OK,
           "an approval is sealed");

    other = approval;
    ngx_str_set(&other.approver, "m-8");
    tap_ok(ngx_enroll_approval_verify(&keys_a, &other, &s) == NGX_DECLINED,
           "I5 another approver is noticed");

    other = approval;
    ngx_str_set(&other.issuer, "hr");
    tap_ok(ngx_enroll_approval_verify(&keys_a, &other, &s) == NGX_DECLINED,
           "I5 and another issuer");

    other = approval;
    ngx_str_set(&other.id, "00000000000000000000000000000000");
    tap_ok(ngx_enroll_approval_verify(&keys_a, &other, &s) == NGX_DECLINED,
           "I5 and another token");
}


int
main(void)
{
    fixture_keys(&keys_a, KEYS_A);
    fixture_keys(&keys_b, KEYS_B);
    fixture_keys(&keys_ba, KEYS_BA);

    test_known();
    test_fields();
    test_neighbours();
    test_mac();
    test_words();
    test_proof();
    test_approval();

    ngx_enroll_keys_free(&keys_a);
    ngx_enroll_keys_free(&keys_b);
    ngx_enroll_keys_free(&keys_ba);

    return tap_done();
}
