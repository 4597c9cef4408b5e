
#include "ngx_enroll_joiner.h"
#include "ngx_enroll_text.h"


#define NGX_ENROLL_EVENT_MAX  255
#define NGX_ENROLL_TTL_MAX    315360000     /* ten years */


typedef struct ngx_enroll_member_s  ngx_enroll_member_t;

/* A member of a body: `to` is the struct's field at offset. */
typedef ngx_int_t (*ngx_enroll_member_pt)(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);

struct ngx_enroll_member_s {
    const char            *name;
    ngx_enroll_member_pt   read;
    size_t                 offset;
    size_t                 max;
    const char            *rule;            /* "<name>" must be … */
};


static json_t *ngx_enroll_body_parse(const ngx_str_t *body, char *err);
static const char *ngx_enroll_body_error(const json_error_t *error);
static ngx_int_t ngx_enroll_body_read(void *to, json_t *json,
    const ngx_enroll_member_t *members, char *err);
static ngx_int_t ngx_enroll_member_event(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);
static ngx_int_t ngx_enroll_member_text(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);
static ngx_int_t ngx_enroll_member_person(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);
static ngx_int_t ngx_enroll_member_word(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);
static ngx_int_t ngx_enroll_member_id(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);
static ngx_int_t ngx_enroll_member_ttl(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);
static ngx_int_t ngx_enroll_member_attributes(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err);
static ngx_int_t ngx_enroll_attribute(ngx_enroll_attribute_t *attribute,
    const char *name, json_t *value, char *err);
static ngx_int_t ngx_enroll_member_error(const ngx_enroll_member_t *member,
    char *err);


static const ngx_enroll_member_t  ngx_enroll_joiner_members[] = {

    { "event",
      ngx_enroll_member_event,
      offsetof(ngx_enroll_joiner_t, event),
      NGX_ENROLL_EVENT_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_EVENT_MAX)
      " printable ASCII characters without space" },

    { "subject",
      ngx_enroll_member_text,
      offsetof(ngx_enroll_joiner_t, subject),
      NGX_ENROLL_SUBJECT_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_SUBJECT_MAX)
      " bytes without control characters, nor blanks at its ends" },

    { "class",
      ngx_enroll_member_word,
      offsetof(ngx_enroll_joiner_t, class),
      NGX_ENROLL_WORD_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_WORD_MAX)
      " characters of [a-z0-9_-]" },

    { "channel",
      ngx_enroll_member_word,
      offsetof(ngx_enroll_joiner_t, channel),
      NGX_ENROLL_WORD_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_WORD_MAX)
      " characters of [a-z0-9_-]" },

    { "requester",
      ngx_enroll_member_person,
      offsetof(ngx_enroll_joiner_t, requester),
      NGX_ENROLL_PERSON_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_PERSON_MAX)
      " printable ASCII characters without space or comma" },

    { "ttl",
      ngx_enroll_member_ttl,
      offsetof(ngx_enroll_joiner_t, ttl),
      NGX_ENROLL_TTL_MAX,
      "an integer from 1 to " ngx_value(NGX_ENROLL_TTL_MAX) },

    { "attributes",
      ngx_enroll_member_attributes,
      0,
      NGX_ENROLL_ATTRIBUTES_MAX,
      "an object of at most " ngx_value(NGX_ENROLL_ATTRIBUTES_MAX)
      " members" },

    { NULL, NULL, 0, 0, NULL }
};


static const ngx_enroll_member_t  ngx_enroll_leaver_members[] = {

    { "id",
      ngx_enroll_member_id,
      offsetof(ngx_enroll_leaver_t, id),
      NGX_ENROLL_TEXT_ID_LEN,
      "a string of " ngx_value(NGX_ENROLL_TEXT_ID_LEN)
      " lower-case hex digits" },

    { "subject",
      ngx_enroll_member_text,
      offsetof(ngx_enroll_leaver_t, subject),
      NGX_ENROLL_SUBJECT_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_SUBJECT_MAX)
      " bytes without control characters, nor blanks at its ends" },

    { "reason",
      ngx_enroll_member_text,
      offsetof(ngx_enroll_leaver_t, reason),
      NGX_ENROLL_REASON_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_REASON_MAX)
      " bytes without control characters, nor blanks at its ends" },

    { NULL, NULL, 0, 0, NULL }
};


static const ngx_enroll_member_t  ngx_enroll_approval_members[] = {

    { "id",
      ngx_enroll_member_id,
      offsetof(ngx_enroll_approval_t, id),
      NGX_ENROLL_TEXT_ID_LEN,
      "a string of " ngx_value(NGX_ENROLL_TEXT_ID_LEN)
      " lower-case hex digits" },

    { "approver",
      ngx_enroll_member_person,
      offsetof(ngx_enroll_approval_t, approver),
      NGX_ENROLL_PERSON_MAX,
      "a string of 1 to " ngx_value(NGX_ENROLL_PERSON_MAX)
      " printable ASCII characters without space or comma" },

    { NULL, NULL, 0, 0, NULL }
};


ngx_int_t
ngx_enroll_joiner_read(ngx_enroll_joiner_t *joiner, const ngx_str_t *body,
    char err[NGX_ENROLL_ERR_LEN])
{
    ngx_int_t  rc;

    ngx_memzero(joiner, sizeof(ngx_enroll_joiner_t));

    joiner->json = ngx_enroll_body_parse(body, err);

    if (joiner->json == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_enroll_body_read(joiner, joiner->json,
                              ngx_enroll_joiner_members, err);

    if (rc == NGX_OK && joiner->subject.len == 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"subject\" is needed");
        rc = NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        ngx_enroll_joiner_free(joiner);
    }

    return rc;
}


void
ngx_enroll_joiner_free(ngx_enroll_joiner_t *joiner)
{
    json_decref(joiner->json);
    ngx_memzero(joiner, sizeof(ngx_enroll_joiner_t));
}


ngx_int_t
ngx_enroll_leaver_read(ngx_enroll_leaver_t *leaver, const ngx_str_t *body,
    char err[NGX_ENROLL_ERR_LEN])
{
    ngx_int_t  rc;

    ngx_memzero(leaver, sizeof(ngx_enroll_leaver_t));

    leaver->json = ngx_enroll_body_parse(body, err);

    if (leaver->json == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_enroll_body_read(leaver, leaver->json,
                              ngx_enroll_leaver_members, err);

    if (rc == NGX_OK && (leaver->id.len == 0) == (leaver->subject.len == 0)) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "either \"id\" or \"subject\" is needed");
        rc = NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        ngx_enroll_leaver_free(leaver);
    }

    return rc;
}


void
ngx_enroll_leaver_free(ngx_enroll_leaver_t *leaver)
{
    json_decref(leaver->json);
    ngx_memzero(leaver, sizeof(ngx_enroll_leaver_t));
}


ngx_int_t
ngx_enroll_approval_read(ngx_enroll_approval_t *approval,
    const ngx_str_t *body, char err[NGX_ENROLL_ERR_LEN])
{
    ngx_int_t  rc;

    ngx_memzero(approval, sizeof(ngx_enroll_approval_t));

    approval->json = ngx_enroll_body_parse(body, err);

    if (approval->json == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_enroll_body_read(approval, approval->json,
                              ngx_enroll_approval_members, err);

    if (rc == NGX_OK
        && (approval->id.len == 0 || approval->approver.len == 0))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"%s\" is needed",
                 approval->id.len ? "approver" : "id");
        rc = NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        ngx_enroll_approval_free(approval);
    }

    return rc;
}


void
ngx_enroll_approval_free(ngx_enroll_approval_t *approval)
{
    json_decref(approval->json);
    ngx_memzero(approval, sizeof(ngx_enroll_approval_t));
}


static json_t *
ngx_enroll_body_parse(const ngx_str_t *body, char *err)
{
    json_t        *json;
    json_error_t   error;

    json = json_loadb((const char *) body->data, body->len,
                      JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {

        /* not jansson's own text: it quotes the body */

        snprintf(err, NGX_ENROLL_ERR_LEN, "%s", ngx_enroll_body_error(&error));
        return NULL;
    }

    if (!json_is_object(json)) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "the body is not a JSON object");
        json_decref(json);
        return NULL;
    }

    return json;
}


static const char *
ngx_enroll_body_error(const json_error_t *error)
{
    switch (json_error_code(error)) {

    case json_error_out_of_memory:
        return "no memory for the body";

    case json_error_stack_overflow:
        return "the body is nested too deeply";

    case json_error_invalid_utf8:
        return "the body is not UTF-8";

    case json_error_end_of_input_expected:
        return "the body goes on behind the JSON object";

    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a string has a NUL";

    case json_error_duplicate_key:
        return "a member is there twice";

    case json_error_numeric_overflow:
        return "a number is too large";

    default:
        return "the body is not a JSON object";
    }
}


static ngx_int_t
ngx_enroll_body_read(void *to, json_t *json,
    const ngx_enroll_member_t *members, char *err)
{
    json_t                     *value;
    ngx_str_t                   s;
    const char                 *name;
    const ngx_enroll_member_t  *member;

    json_object_foreach(json, name, value) {

        for (member = members; member->name; member++) {
            if (ngx_strcmp(member->name, name) == 0) {
                break;
            }
        }

        if (member->name == NULL) {
            s.data = (u_char *) name;
            s.len = ngx_strlen(name);

            snprintf(err, NGX_ENROLL_ERR_LEN, "there is an unknown member%s%s",
                     ngx_enroll_text_is_word(&s) ? ", " : "",
                     ngx_enroll_text_is_word(&s) ? name : "");
            return NGX_DECLINED;
        }

        if (member->read((u_char *) to + member->offset, value, member, err)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_member_event(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err)
{
    if (ngx_enroll_text_string(to, value, 1, member->max) != NGX_OK
        || !ngx_enroll_text_is_printable(to))
    {
        return ngx_enroll_member_error(member, err);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_member_text(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err)
{
    if (ngx_enroll_text_string(to, value, 1, member->max) != NGX_OK
        || !ngx_enroll_text_is_name(to))
    {
        return ngx_enroll_member_error(member, err);
    }

    return NGX_OK;
}


/* people are compared: what looks alike has to be alike */

static ngx_int_t
ngx_enroll_member_person(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err)
{
    ngx_str_t  *person = to;

    if (ngx_enroll_text_string(person, value, 1, member->max) != NGX_OK
        || !ngx_enroll_text_is_printable(person)
        || memchr(person->data, ',', person->len) != NULL)
    {
        return ngx_enroll_member_error(member, err);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_member_word(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err)
{
    if (ngx_enroll_text_string(to, value, 1, member->max) != NGX_OK
        || !ngx_enroll_text_is_word(to))
    {
        return ngx_enroll_member_error(member, err);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_member_id(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err)
{
    if (ngx_enroll_text_string(to, value, member->max, member->max) != NGX_OK
        || !ngx_enroll_text_is_id(to))
    {
        return ngx_enroll_member_error(member, err);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_member_ttl(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err)
{
    time_t      *ttl = to;
    json_int_t   n;

    if (!json_is_integer(value)) {
        return ngx_enroll_member_error(member, err);
    }

    n = json_integer_value(value);

    if (n < 1 || n > (json_int_t) member->max) {
        return ngx_enroll_member_error(member, err);
    }

    *ttl = (time_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_member_attributes(void *to, json_t *value,
    const ngx_enroll_member_t *member, char *err)
{
    json_t               *attribute;
    const char           *name;
    ngx_enroll_joiner_t  *joiner = to;

    if (!json_is_object(value) || json_object_size(value) > member->max) {
        return ngx_enroll_member_error(member, err);
    }

    json_object_foreach(value, name, attribute) {

        if (ngx_enroll_attribute(&joiner->attributes[joiner->nattributes++],
                                 name, attribute, err)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_attribute(ngx_enroll_attribute_t *attribute, const char *name,
    json_t *value, char *err)
{
    attribute->name.data = (u_char *) name;
    attribute->name.len = ngx_strlen(name);

    if (!ngx_enroll_text_is_word(&attribute->name)) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "the names in \"attributes\" must "
                 "have 1 to %d characters of [a-z0-9_-]", NGX_ENROLL_WORD_MAX);
        return NGX_DECLINED;
    }

    if (ngx_enroll_text_string(&attribute->value, value, 0,
                               NGX_ENROLL_ATTRIBUTE_MAX)
        != NGX_OK
        || !ngx_enroll_text_is_plain(&attribute->value))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"%s\" in \"attributes\" must be "
                 "a string of at most %d bytes without control characters",
                 name, NGX_ENROLL_ATTRIBUTE_MAX);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_member_error(const ngx_enroll_member_t *member, char *err)
{
    snprintf(err, NGX_ENROLL_ERR_LEN, "\"%s\" must be %s", member->name,
             member->rule);

    return NGX_DECLINED;
}
