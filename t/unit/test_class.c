
#include "ngx_enroll_class.h"

#include "fixture.h"


#define WORDS_MAX  8
#define FIELDS     13


/* Of a list, what it means to be in it, and to be empty. */
typedef enum {
    NUMBER_MAX,                /* no larger than the parent's */
    NUMBER_MIN,                /* no smaller */
    LIST_ALLOWED,              /* a subset; empty: all */
    LIST_NEEDED                /* a superset; empty: none */
} kind_e;


typedef struct {
    const char  *name;
    kind_e       kind;
    size_t       offset;       /* of the number, or of the list */
    size_t       size;         /* of the number, or the offset of its n */
} field_t;


typedef struct {
    const char  *parent;
    const char  *exception;
    ngx_uint_t   allowed;      /* 1: as LIST_ALLOWED it is laxer */
    ngx_uint_t   needed;       /* likewise */
} lists_t;


#define NUMBER(name, kind, member)                                            \
    { name, kind, offsetof(ngx_enroll_class_t, member),                       \
      sizeof(((ngx_enroll_class_t *) 0)->member) }

#define LIST(name, kind, member)                                              \
    { name, kind, offsetof(ngx_enroll_class_t, member),                       \
      offsetof(ngx_enroll_class_t, n##member) }


/* in the order in which they are compared */

static const field_t  fields[FIELDS] = {
    NUMBER("ttl", NUMBER_MAX, ttl),
    NUMBER("window", NUMBER_MAX, window),
    NUMBER("attempts", NUMBER_MAX, attempts),
    NUMBER("proof", NUMBER_MIN, proof),
    NUMBER("approvals", NUMBER_MIN, approvals),
    LIST("channel", LIST_ALLOWED, channels),
    LIST("require", LIST_NEEDED, require),
    NUMBER("authenticators", NUMBER_MIN, authenticators),
    LIST("aaguid", LIST_ALLOWED, aaguids),
    NUMBER("user_verification", NUMBER_MIN, user_verification),
    LIST("origin", LIST_ALLOWED, origins),
    LIST("deny_if", LIST_NEEDED, deny),
    NUMBER("on_replay", NUMBER_MIN, replay_revokes)
};


static const lists_t  lists[] = {
    { "",        "",          0, 0 },
    { "",        "a",         0, 0 },
    { "",        "a b",       0, 0 },
    { "a",       "",          1, 1 },
    { "a",       "a",         0, 0 },
    { "a",       "a a",       0, 0 },
    { "a a",     "a",         0, 0 },
    { "a",       "b",         1, 1 },
    { "a b",     "",          1, 1 },
    { "a b",     "a",         0, 1 },
    { "a b",     "b",         0, 1 },
    { "a b",     "b a",       0, 0 },
    { "a b",     "b c",       1, 1 },
    { "a b",     "a b c",     1, 0 },
    { "a b",     "c b a",     1, 0 },
    { "a b c",   "c a",       0, 1 },
    { "email",   "emai",      1, 1 },
    { "email",   "emails",    1, 1 },
    { "email",   "Email",     1, 1 },
    { "$a 1",    "$a 1 $b",   1, 0 }
};


static ngx_str_t  memory[2][FIELDS][WORDS_MAX];


static void
set_number(ngx_enroll_class_t *class, const field_t *field, uint64_t n)
{
    uint32_t  half;

    half = (uint32_t) n;

    if (field->size == sizeof(uint64_t)) {
        memcpy((u_char *) class + field->offset, &n, sizeof(n));

    } else {
        memcpy((u_char *) class + field->offset, &half, sizeof(half));
    }
}


/* words are separated by a space, and copied to where overreading shows */

static void
set_list(ngx_enroll_class_t *class, const field_t *field, ngx_str_t *words,
    const char *text)
{
    size_t      len;
    ngx_uint_t  n;

    for (n = 0; n < WORDS_MAX; n++) {
        free(words[n].data);
        words[n].data = NULL;
    }

    for (n = 0; *text; n++) {
        len = strcspn(text, " ");
        words[n] = fixture_copy(text, len);
        text += len + (text[len] == ' ');
    }

    memcpy((u_char *) class + field->offset, &words, sizeof(words));
    memcpy((u_char *) class + field->size, &n, sizeof(n));
}


static ngx_uint_t
is_list(const field_t *field)
{
    return field->kind == LIST_ALLOWED || field->kind == LIST_NEEDED;
}


/*
 * Sets field i of both: the exception is laxer (1), as strict (0) or
 * stricter (-1).
 */

static void
set(ngx_enroll_class_t *exception, ngx_enroll_class_t *parent, ngx_uint_t i,
    int laxer)
{
    const field_t  *field;

    field = &fields[i];

    if (!is_list(field)) {
        set_number(parent, field, 2);
        set_number(exception, field,
                   field->kind == NUMBER_MAX ? 2 + laxer : 2 - laxer);
        return;
    }

    laxer = field->kind == LIST_ALLOWED ? laxer : -laxer;

    set_list(parent, field, memory[0][i], "a b");
    set_list(exception, field, memory[1][i],
             laxer > 0 ? "a b c" : laxer < 0 ? "b" : "b a");
}


static void
set_all(ngx_enroll_class_t *exception, ngx_enroll_class_t *parent, int laxer)
{
    ngx_uint_t  i;

    memset(exception, 0, sizeof(ngx_enroll_class_t));
    memset(parent, 0, sizeof(ngx_enroll_class_t));

    for (i = 0; i < FIELDS; i++) {
        set(exception, parent, i, laxer);
    }
}


/* NULL: nowhere */

static ngx_uint_t
is_laxer(const ngx_enroll_class_t *exception,
    const ngx_enroll_class_t *parent, const char *name)
{
    const char  *is;

    is = ngx_enroll_class_laxer(exception, parent);

    if (is == NULL || name == NULL) {
        return is == name;
    }

    return strcmp(is, name) == 0;
}


static void
test_fields(void)
{
    ngx_uint_t          i, j, wrong;
    ngx_enroll_class_t  exception, parent;

    set_all(&exception, &parent, 0);
    exception.name = fixture_str("urgent");
    exception.parent = fixture_str("standard");
    parent.name = exception.parent;
    tap_ok(is_laxer(&exception, &parent, NULL), "I8 equal is not laxer");
    tap_ok(is_laxer(&parent, &parent, NULL), "I8 itself is not laxer");

    set_all(&exception, &parent, -1);
    tap_ok(is_laxer(&exception, &parent, NULL), "I8 stricter everywhere");

    for (i = 0; i < FIELDS; i++) {
        set_all(&exception, &parent, 0);
        set(&exception, &parent, i, 1);
        tap_ok(is_laxer(&exception, &parent, fields[i].name),
               "I8 laxer by one: %s", fields[i].name);

        set_all(&exception, &parent, -1);
        set(&exception, &parent, i, 1);
        tap_ok(is_laxer(&exception, &parent, fields[i].name),
               "I8 laxer by one, stricter in all others: %s", fields[i].name);

        set_all(&exception, &parent, 0);
        set(&exception, &parent, i, -1);
        tap_ok(is_laxer(&exception, &parent, NULL), "I8 stricter: %s",
               fields[i].name);

        set_all(&exception, &parent, 1);
        wrong = 0;

        for (j = 0; j <= i; j++) {
            wrong += !is_laxer(&exception, &parent, fields[j].name);
            set(&exception, &parent, j, -1);
        }

        wrong += !is_laxer(&exception, &parent,
                           i + 1 < FIELDS ? fields[i + 1].name : NULL);
        tap_ok(wrong == 0, "I8 the first one is named, up to %s",
               fields[i].name);
    }
}


/* the least and the most that a number can be, and all of an enum */

static void
test_numbers(void)
{
    uint64_t            a, b, max;
    ngx_uint_t          i, laxer, wrong;
    ngx_enroll_class_t  exception, parent;

    for (i = 0; i < FIELDS; i++) {

        if (is_list(&fields[i])) {
            continue;
        }

        set_all(&exception, &parent, 0);
        wrong = 0;
        max = fields[i].kind == NUMBER_MAX ? 30LL * 24 * 60 * 60 * 1000 : 3;

        for (a = 0; a <= 3; a++) {
            for (b = 0; b <= 3; b++) {
                set_number(&exception, &fields[i], a == 3 ? max : a);
                set_number(&parent, &fields[i], b == 3 ? max : b);
                laxer = fields[i].kind == NUMBER_MAX ? a > b : a < b;
                wrong += !is_laxer(&exception, &parent,
                                   laxer ? fields[i].name : NULL);
            }
        }

        tap_ok(wrong == 0, "I8 each against each: %s", fields[i].name);
    }
}


static void
test_lists(void)
{
    ngx_uint_t          i, k, laxer;
    const lists_t      *row;
    ngx_enroll_class_t  exception, parent;

    for (i = 0; i < FIELDS; i++) {

        if (!is_list(&fields[i])) {
            continue;
        }

        set_all(&exception, &parent, 0);

        for (k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
            row = &lists[k];
            set_list(&parent, &fields[i], memory[0][i], row->parent);
            set_list(&exception, &fields[i], memory[1][i], row->exception);

            laxer = fields[i].kind == LIST_ALLOWED ? row->allowed
                                                   : row->needed;

            tap_ok(is_laxer(&exception, &parent,
                            laxer ? fields[i].name : NULL),
                   "I8 %s: \"%s\" of \"%s\" is %slaxer", fields[i].name,
                   row->exception, row->parent, laxer ? "" : "not ");
        }
    }
}


static void
test_ceilings(void)
{
    size_t      i;
    ngx_str_t   channel;
    ngx_msec_t  ms;

    static const struct {
        const char  *channel;
        ngx_msec_t   ms;
    } ceilings[] = {
        { "email", 86400000 },
        { "sms", 600000 },
        { "voice", 600000 },
        { "post", 1814400000 },
        { "post_abroad", 2592000000 },
        { "emai", 0 },
        { "emails", 0 },
        { "Email", 0 },
        { "e-mail", 0 },
        { "pos", 0 },
        { "post_", 0 },
        { "post-abroad", 0 },
        { "in_person", 0 },
        { "unspecified", 0 },
        { "", 0 }
    };

    for (i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
        channel = fixture_copy(ceilings[i].channel,
                               strlen(ceilings[i].channel));
        ms = ngx_enroll_channel_ceiling(&channel);
        free(channel.data);
        tap_ok(ms == ceilings[i].ms, "the ceiling of \"%s\"",
               ceilings[i].channel);
    }

    channel = fixture_copy("sms\0", 4);
    tap_ok(ngx_enroll_channel_ceiling(&channel) == 0,
           "there is none of a channel with a NUL");
    free(channel.data);
}


static void
test_proofs(void)
{
    size_t            i;
    ngx_str_t         name;
    const ngx_str_t  *is;

    static const char  *levels[] = { "none", "ial1", "ial2", "ial3" };

    static const char  *others[] = {
        "", "i", "ial", "ial0", "ial4", "ial22", "IAL2", "Ial2", " ial2",
        "ial2 ", "2", "non", "nones", "null"
    };

    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        name = fixture_copy(levels[i], strlen(levels[i]));
        is = ngx_enroll_proof_name((ngx_enroll_proof_level_e) i);

        tap_ok(is->len == name.len && is->data[is->len] == '\0'
               && strcmp((char *) is->data, levels[i]) == 0,
               "a level's name: %s", levels[i]);
        tap_ok(ngx_enroll_proof_find(&name) == (ngx_int_t) i,
               "and back: %s", levels[i]);
        free(name.data);
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        name = fixture_copy(others[i], strlen(others[i]));
        tap_ok(ngx_enroll_proof_find(&name) == NGX_ERROR,
               "I4 no level: \"%s\"", others[i]);
        free(name.data);
    }

    name = fixture_copy("ial3\0", 5);
    tap_ok(ngx_enroll_proof_find(&name) == NGX_ERROR,
           "I4 no level: one with a NUL");
    free(name.data);
}


static void
forget(void)
{
    ngx_uint_t  i, k, n;

    for (i = 0; i < 2; i++) {
        for (k = 0; k < FIELDS; k++) {
            for (n = 0; n < WORDS_MAX; n++) {
                free(memory[i][k][n].data);
            }
        }
    }
}


int
main(void)
{
    test_fields();
    test_numbers();
    test_lists();
    test_ceilings();
    test_proofs();

    forget();

    return tap_done();
}
