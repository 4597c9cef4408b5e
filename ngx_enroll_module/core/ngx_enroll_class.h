
/*
 * A class: the policy under which tokens are issued. An exception names its
 * parent, and is in every respect at least as strict, or the configuration
 * does not load (I8).
 */

#ifndef _NGX_ENROLL_CLASS_H_INCLUDED_
#define _NGX_ENROLL_CLASS_H_INCLUDED_


#include "ngx_enroll_keys.h"


/* identity assurance levels, SP 800-63A-4 */
typedef enum {
    NGX_ENROLL_PROOF_NONE = 0,
    NGX_ENROLL_PROOF_IAL1,
    NGX_ENROLL_PROOF_IAL2,
    NGX_ENROLL_PROOF_IAL3
} ngx_enroll_proof_level_e;


/* which registration responses may pass, from laxest to strictest */
typedef enum {
    NGX_ENROLL_AUTHENTICATORS_UNREAD = 0,  /* also what cannot be read */
    NGX_ENROLL_AUTHENTICATORS_ANY,         /* all that can be read */
    NGX_ENROLL_AUTHENTICATORS_DEVICE_BOUND,/* not backup-eligible */
    NGX_ENROLL_AUTHENTICATORS_HARDWARE     /* and with an attestation */
} ngx_enroll_authenticators_e;


/*
 * Lists with n = 0: channels, aaguids, origins: any; require, deny: none.
 * deny holds the text of each deny_if parameter, as it stands in the
 * configuration. Times in milliseconds.
 */
typedef struct {
    ngx_str_t                    name;
    ngx_str_t                    parent;   /* empty: not an exception */

    ngx_msec_t                   ttl;
    ngx_msec_t                   window;
    ngx_int_t                    attempts;
    ngx_enroll_proof_level_e     proof;
    ngx_int_t                    approvals;
    ngx_enroll_authenticators_e  authenticators;
    ngx_uint_t                   user_verification;   /* 1: required */
    ngx_uint_t                   replay_revokes;      /* 1: on_replay revoke */

    ngx_uint_t                   nchannels;
    ngx_str_t                   *channels;
    ngx_uint_t                   nrequire;
    ngx_str_t                   *require;
    ngx_uint_t                   ndeny;
    ngx_str_t                   *deny;
    ngx_uint_t                   naaguids;
    ngx_str_t                   *aaguids;  /* 36 characters, lower case */
    ngx_uint_t                   norigins;
    ngx_str_t                   *origins;
} ngx_enroll_class_t;


/*
 * In what an exception is laxer than its parent: the name of the directive
 * ("ttl", "channel" …), a constant string; of several the one that is first
 * in docs/directives.md; NULL: nowhere.
 *
 * Stricter or equal is: a ttl, window, attempts no larger; proof, approvals,
 * authenticators, user_verification, on_replay no lower; channel, aaguid and
 * origin a subset of the parent's (any, where the parent allows any);
 * require and deny_if a superset.
 */
const char *ngx_enroll_class_laxer(const ngx_enroll_class_t *exception,
    const ngx_enroll_class_t *parent);

/*
 * The longest validity of an enrollment code sent by that channel, in ms
 * (SP 800-63A-4, 3.8: "email" 24 h; "sms", "voice" 10 min; "post" 21 days,
 * "post_abroad" 30 days); 0: the channel is not one of those.
 */
ngx_msec_t ngx_enroll_channel_ceiling(const ngx_str_t *channel);

/* "none", "ial1" … as constant strings, and back; NGX_ERROR: unknown word. */
const ngx_str_t *ngx_enroll_proof_name(ngx_enroll_proof_level_e level);
ngx_int_t ngx_enroll_proof_find(const ngx_str_t *name);


#endif /* _NGX_ENROLL_CLASS_H_INCLUDED_ */
