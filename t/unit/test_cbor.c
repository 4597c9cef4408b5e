
#include "ngx_enroll_cbor.h"

#include "allocated.h"
#include "fixture.h"


#define MAX        4096
#define NUMBER     NGX_ENROLL_CBOR_NUMBER
#define BYTES      NGX_ENROLL_CBOR_BYTES
#define TEXT       NGX_ENROLL_CBOR_TEXT
#define ARRAY      NGX_ENROLL_CBOR_ARRAY
#define MAP        NGX_ENROLL_CBOR_MAP
#define OTHER      NGX_ENROLL_CBOR_OTHER

#define FOUR       "81818181"
#define SIX        FOUR "8181"
#define SEVEN      SIX "81"


typedef struct {
    const char         *hex;
    const char         *name;
    ngx_enroll_cbor_e   type;
    size_t              n;
    const char         *data;
    size_t              rest;
} item_t;


static const item_t  items[] = {

    /* RFC 8949, appendix A */

    { "00", "0", NUMBER, 0, NULL, 0 },
    { "17", "23", NUMBER, 0, NULL, 0 },
    { "1818", "24", NUMBER, 0, NULL, 0 },
    { "1903e8", "1000", NUMBER, 0, NULL, 0 },
    { "1a000f4240", "1000000", NUMBER, 0, NULL, 0 },
    { "1bffffffffffffffff", "2^64 - 1", NUMBER, 0, NULL, 0 },
    { "20", "-1", NUMBER, 0, NULL, 0 },
    { "3863", "-100", NUMBER, 0, NULL, 0 },
    { "3903e7", "-1000", NUMBER, 0, NULL, 0 },
    { "3a000f423f", "-1000000", NUMBER, 0, NULL, 0 },
    { "3bffffffffffffffff", "-2^64", NUMBER, 0, NULL, 0 },
    { "f90000", "0.0", OTHER, 0, NULL, 0 },
    { "fa47c35000", "100000.0", OTHER, 0, NULL, 0 },
    { "fb3ff199999999999a", "1.1", OTHER, 0, NULL, 0 },
    { "f97e00", "NaN", OTHER, 0, NULL, 0 },
    { "f4", "false", OTHER, 0, NULL, 0 },
    { "f5", "true", OTHER, 0, NULL, 0 },
    { "f6", "null", OTHER, 0, NULL, 0 },
    { "f7", "undefined", OTHER, 0, NULL, 0 },
    { "40", "no bytes", BYTES, 0, "", 0 },
    { "4401020304", "four bytes", BYTES, 0, "01020304", 0 },
    { "580401020304", "four bytes, length in one", BYTES, 0, "01020304", 0 },
    { "59000401020304", "… in two", BYTES, 0, "01020304", 0 },
    { "5a0000000401020304", "… in four", BYTES, 0, "01020304", 0 },
    { "5b000000000000000401020304", "… in eight", BYTES, 0, "01020304", 0 },
    { "60", "no text", TEXT, 0, "", 0 },
    { "6449455446", "a text", TEXT, 0, "49455446", 0 },
    { "62c3bc", "a text of two bytes", TEXT, 0, "c3bc", 0 },
    { "80", "[]", ARRAY, 0, NULL, 0 },
    { "83010203", "[1, 2, 3]", ARRAY, 3, NULL, 3 },
    { "9803010203", "… in a longer form", ARRAY, 3, NULL, 3 },
    { "9b0000000000000003010203", "… in the longest", ARRAY, 3, NULL, 3 },
    { "a0", "{}", MAP, 0, NULL, 0 },
    { "a201020304", "{1: 2, 3: 4}", MAP, 2, NULL, 4 },
    { "bb000000000000000201020304", "… in the longest form", MAP, 2, NULL, 4 },
    { "0001", "a number with more behind", NUMBER, 0, NULL, 1 },
};


typedef struct {
    const char  *hex;
    const char  *name;
} hex_t;


static const hex_t  refused[] = {
    { "", "nothing" },
    { "18", "a number cut short" },
    { "1b00000000000000", "a long number cut short" },
    { "fb3ff19999999999", "a fraction cut short" },
    { "1c", "a reserved length" },
    { "5f", "bytes of indefinite length" },
    { "5f42010243030405ff", "the same, complete" },
    { "7f657374726561646d696e67ff", "a text of indefinite length" },
    { "9f01ff", "an array of indefinite length" },
    { "bf6161019fff", "a map of indefinite length" },
    { "ff", "a break" },
    { "c074323031332d30332d32315432303a30343a30305a", "a tag" },
    { "d9d9f700", "the tag of CBOR itself" },
    { "dbffffffffffffffff00", "the largest tag" },
    { "f0", "a simple value of nobody's" },
    { "f818", "the same in two bytes" },
    { "fc", "a reserved kind" },
    { "41", "a byte that is not there" },
    { "44010203", "three bytes of four" },
    { "58", "bytes without a length" },
    { "5803", "bytes of a length, but none there" },
    { "5a7fffffff00", "2^31 bytes" },
    { "5affffffff00", "2^32 - 1 bytes" },
    { "5b000000010000000100", "2^32 + 1 bytes" },
    { "5b7fffffffffffffff00", "2^63 - 1 bytes" },
    { "5bfffffffffffffff600", "bytes of which the sum overflows" },
    { "5bffffffffffffffff00", "2^64 - 1 bytes" },
    { "7b000000010000000100", "a text of 2^32 + 1 bytes" },
    { "7bffffffffffffffff00", "a text of 2^64 - 1 bytes" },
    { "81", "an array of one that is empty" },
    { "840102", "an array of four that has two" },
    { "9a1000000001010101", "an array of 2^28, in nine bytes" },
    { "9b000000010000000101", "an array of 2^32 + 1" },
    { "9b800000000000000001", "an array of 2^63" },
    { "9bffffffffffffffff01", "an array of 2^64 - 1" },
    { "a1", "a map of one that is empty" },
    { "a101", "a map of one that has half" },
    { "a2010203", "a map of two that has one and a half" },
    { "ba1000000001010101", "a map of 2^28, in nine bytes" },
    { "bb000000010000000101", "a map of 2^32 + 1" },
    { "bb800000000000000001", "a map of 2^63" },
    { "bbffffffffffffffff01", "a map of 2^64 - 1" },
};


static const hex_t  skipped[] = {
    { "00", "a number" },
    { "4401020304", "bytes" },
    { "80", "an empty array" },
    { "a0", "an empty map" },
    { "83010203", "an array" },
    { "8301820203820405", "arrays in an array" },
    { "a201020304", "a map" },
    { "a26161016162820203", "a map with an array" },
    { "828080", "empty arrays in an array" },
    { "a1a0a0", "a map by a map" },
    { "a163666d74a16378356381430a0b0c", "a map, a map, an array, bytes" },
    { SEVEN "00", "an item in seven arrays" },
    { SEVEN "80", "an empty array in seven" },
    { "82" SIX "0000", "an item in seven arrays, and one beside" },
};


static const hex_t  not_skipped[] = {
    { "", "nothing" },
    { "82", "an array without its items" },
    { "820182", "an array whose second has none" },
    { "8200", "one item of two" },
    { "a20001", "one pair of two" },
    { "82005f", "an item of indefinite length in an array" },
    { "8200c100", "a tag in an array" },
    { SEVEN "8100", "an item in eight arrays" },
    { FOUR FOUR FOUR FOUR FOUR FOUR FOUR FOUR FOUR FOUR "00",
      "an item in forty arrays" },
    { SEVEN, "seven arrays of one, and nothing" },
};


static ngx_str_t
unhex(const char *hex)
{
    u_char        data[MAX];
    size_t        i, len;
    unsigned int  byte;

    len = strlen(hex) / 2;

    for (i = 0; i < len; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        data[i] = (u_char) byte;
    }

    return fixture_copy(data, len);
}


static void
next(void)
{
    size_t             i;
    ngx_int_t          rc;
    ngx_str_t          cbor, from;
    ngx_enroll_cbor_t  item;

    for (i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        cbor = unhex(items[i].hex);
        from = cbor;

        rc = ngx_enroll_cbor_next(&from, &item);

        tap_ok(rc == NGX_OK
               && item.type == items[i].type
               && item.n == items[i].n
               && (items[i].data == NULL
                   || fixture_is_hex(item.data.data, item.data.len,
                                     items[i].data))
               && from.len == items[i].rest
               && from.data == cbor.data + cbor.len - from.len,
               "%s is read", items[i].name);

        free(cbor.data);
    }
}


static void
refuse(void)
{
    size_t             i;
    void *volatile     hundred;     /* not optimized away */
    ngx_int_t          rc;
    ngx_str_t          cbor, from;
    ngx_enroll_cbor_t  item;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        cbor = unhex(refused[i].hex);
        from = cbor;

        allocated_begin();
        rc = ngx_enroll_cbor_next(&from, &item);

        tap_ok(rc == NGX_DECLINED && allocated_bytes == 0,
               "%s: refused, and nothing allocated", refused[i].name);

        free(cbor.data);
    }

    allocated_begin();
    hundred = malloc(100);
    free(hundred);
    tap_ok(allocated_bytes == 100, "what is allocated is counted");
}


static void
skip(void)
{
    size_t     i;
    ngx_int_t  rc;
    ngx_str_t  cbor, from;
    char       hex[MAX];

    for (i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        snprintf(hex, sizeof(hex), "%s%s", skipped[i].hex, "0102");

        cbor = unhex(hex);
        from = cbor;

        rc = ngx_enroll_cbor_skip(&from);

        tap_ok(rc == NGX_OK && fixture_is_hex(from.data, from.len, "0102"),
               "%s is passed over, and no more", skipped[i].name);

        free(cbor.data);
    }

    for (i = 0; i < sizeof(not_skipped) / sizeof(not_skipped[0]); i++) {
        cbor = unhex(not_skipped[i].hex);
        from = cbor;

        allocated_begin();
        rc = ngx_enroll_cbor_skip(&from);

        tap_ok(rc == NGX_DECLINED && allocated_bytes == 0,
               "%s: refused", not_skipped[i].name);

        free(cbor.data);
    }
}


/* all that two bytes can say, and all that a head of nine can */

static void
every(void)
{
    int                passed;
    u_char             head[9];
    size_t             i, k;
    ngx_str_t          cbor, from;
    ngx_enroll_cbor_t  item;

    passed = 0;

    for (i = 0; i < 65536; i++) {
        head[0] = (u_char) (i >> 8);
        head[1] = (u_char) i;

        for (k = 0; k < sizeof(head); k++) {
            memset(head + 2, (int) (k * 0x1f), sizeof(head) - 2);

            cbor = fixture_copy(head, k + 1);
            from = cbor;

            if (ngx_enroll_cbor_next(&from, &item) == NGX_OK) {
                passed += from.data <= cbor.data
                          || from.data + from.len != cbor.data + cbor.len
                          || item.n > from.len;
            }

            from = cbor;
            (void) ngx_enroll_cbor_skip(&from);

            free(cbor.data);
        }
    }

    tap_ok(passed == 0, "no head leads out of the text");
}


int
main(void)
{
    next();
    refuse();
    skip();
    every();

    return tap_done();
}
