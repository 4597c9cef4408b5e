/*
 * One token's life, from issue to settlement, on three Redis nodes that lose
 * writes. README.md says what is in it, and what is not.
 *
 * I1  no two sessions are granted for the token
 * I2  when a finish reaches the IdP, none has been executed there before
 * P   who asks once more after a lost reply is not refused for what the first
 *     try did itself
 *
 * Defects that have to be found: NO_FENCE, RUN_ID, BLIND_RELEASE,
 * FORWARD_FIRST, FRESH_OP, CLIENT_OP, ISSUE_REPEAT, SAME_TOKEN, PLAN_ANY.
 * ONLY_I2 leaves I1 and P unchecked, so that I2 is not broken by two sessions'
 * doing. SEQUENCE adds the sequence fence, NO_INCARNATION leaves the other one
 * out. PLAN_FAULTS lets unplanned faults come while a failover is planned;
 * PLAN_COPIED is an operator who does not ask the server what it is.
 */

/* the bounds */
#ifndef REQUESTS
#define REQUESTS    5           /* of both proxies together, at most 6 */
#endif
#ifndef PROMOTIONS
#define PROMOTIONS  2           /* of a replica, unplanned */
#endif
#ifndef CRASHES
#define CRASHES     1           /* and restarts, of a master */
#endif
#ifndef LOSSES
#define LOSSES      1           /* of a reply, or of a call */
#endif
#ifndef LATE
#define LATE        1           /* calls that come after their repeat */
#endif
#ifndef PLANS
#define PLANS       0           /* planned failovers */
#endif
#ifndef ROLLBACKS
#define ROLLBACKS   0           /* to an older state, in the same process */
#endif

#define JUMP        20          /* of seq, where an epoch begins */

#define ONE_OF(a, b, x, y, z, w) \
    :: a -> c = 1  :: b -> c = 2  :: x -> c = 3 \
    :: y -> c = 4  :: z -> c = 5  :: w -> c = 6

/* operation ids */
#define OPS         8           /* 0 is none */
                                /* 1 to 6: the requests */
#define ISSUE_OP    7
#define SETTLE_OP   7           /* and above: + the claim */

/* verbs */
#define ISSUE       1
#define REDEEM      2
#define BEGIN       3
#define CLAIM       4

/* states of a record */
#define NONE        0
#define ISSUED      1
#define REDEEMED    2
#define CLAIMED     3
#define ENROLLED    4
#define VOID        5

/* verdicts */
#define LOST        0           /* there is no answer */
#define OK          1
#define NO          2           /* any refusal */

/* outcomes */
#define RELEASED    1
#define ACCEPTED    2
#define REFUSED     3
#define UNKNOWN     4


typedef node {
    /* the server */
    bit   master;               /* it takes itself for one */
    byte  replid;
    byte  run_id;

    /* the key meta */
    byte  epoch;
    byte  incarnation;
    byte  seq;
    byte  planned;              /* the incarnation that is to end */

    /* the token's record */
    byte  state;
    byte  since;                /* the epoch that issued it */
    byte  session;
    bit   begun;
    byte  op;
    byte  claim;
    bit   outcome;              /* the claim has one */
    byte  withdrawn;            /* a bit for each claim */
}

node db[3];

byte ids;                       /* of incarnations: how many were given */
byte requests, promotions, crashes, losses, lates, plans, rollbacks;
byte planning;                  /* 1: announced; 2: done, not all know it */

byte seen[2], seen_epoch[2];    /* by each proxy: the highest */
bit  readonly;                  /* a fence: nothing is done */
bit  issued;                    /* the token is in its bearers' hands */
byte cookie;                    /* the session that was granted */

bit  flying[OPS];               /* finishes on their way to the IdP */
bit  executed;                  /* there */
byte due[OPS];                  /* of each claim: its outcome, to be told */

typedef copied {
    byte  verb;                 /* of a call that comes late */
    byte  to;
    byte  who;
    byte  heard;
    byte  epoch;
}

copied late[OPS];


#ifdef RUN_ID
#define HERE(n)     db[n].run_id
#else
#define HERE(n)     db[n].replid
#endif

#define CLOSED(n)   (db[n].state == ENROLLED || db[n].state == VOID)

#ifdef NO_FENCE
#define IS(n, s)    (db[n].state == s)
#else
#define IS(n, s)    (db[n].state == s && db[n].since == db[n].epoch)
#endif


inline count(n) {
#ifdef SEQUENCE
    db[n].seq++
#else
    skip
#endif
}


/* begin_epoch() and fence() of prelude.lua */

inline begin_epoch(n, known, newest) {
#ifdef SEQUENCE
    if
    :: newest > db[n].epoch -> db[n].epoch = newest
    :: else
    fi;
#endif
    db[n].epoch++;
    db[n].incarnation = HERE(n);
    db[n].planned = 0;
#ifdef SEQUENCE
    if
    :: known > db[n].seq -> db[n].seq = known + JUMP
    :: else -> db[n].seq = db[n].seq + JUMP
    fi
#endif
}

#ifdef PLAN_ANY
#define PLANNED(n)  db[n].planned
#else
#define PLANNED(n)  (db[n].planned && db[n].planned == db[n].incarnation)
#endif

/* READONLY: the caller comes from a newer epoch, just begun; time tells */
#ifdef SEQUENCE
#define REPLACED(n, newest) \
    (db[n].epoch && HERE(n) == db[n].incarnation && newest > db[n].epoch)
#define BEHIND(n, known, newest) \
    (db[n].seq < known || db[n].epoch < newest)
#else
#define REPLACED(n, newest)      0
#define BEHIND(n, known, newest) 0
#endif

inline fence(n, known, newest) {
    if
    :: REPLACED(n, newest) -> readonly = 1
    :: BEHIND(n, known, newest) ->
        begin_epoch(n, known, newest)
    :: !BEHIND(n, known, newest) ->
        if
        :: db[n].epoch == 0 ->
            db[n].epoch = 1;
            db[n].incarnation = HERE(n)
#ifndef NO_INCARNATION
        :: db[n].epoch && HERE(n) != db[n].incarnation ->
            if
            :: PLANNED(n) ->
                db[n].planned = 0;
                db[n].incarnation = HERE(n);
                count(n)
            :: else ->
                begin_epoch(n, known, newest)
            fi
#endif
        :: else
        fi
    fi
}


/* the scripts; what they answer is in verdict */

inline change(n, to, opid) {
    db[n].state = to;
    db[n].op = opid;
    count(n)
}

#ifdef ISSUE_REPEAT
#define MAY_MAKE(n, i)  1
#else
#define MAY_MAKE(n, i)  (HERE(n) == i)
#endif

inline script_issue(n, opid, whose) {
    if
    :: db[n].state == NONE && MAY_MAKE(n, whose) ->
        db[n].since = db[n].epoch;
        change(n, ISSUED, opid);
        verdict = OK
    :: IS(n, ISSUED) && db[n].op == opid ->
        verdict = OK
    :: else ->
        verdict = NO
    fi
}

inline script_redeem(n, opid, whose) {
    if
    :: IS(n, REDEEMED) && db[n].session == whose ->
        db[n].op = opid;
        verdict = OK
    :: db[n].op != opid && IS(n, ISSUED) ->
        db[n].session = whose;
        change(n, REDEEMED, opid);
        verdict = OK
    :: else ->
        verdict = NO
    fi
}

inline script_begin(n, opid, whose) {
    if
    :: IS(n, REDEEMED) && db[n].session == whose ->
        if
        :: db[n].op != opid ->
            db[n].begun = 1;
            change(n, REDEEMED, opid)
        :: else
        fi;
        verdict = OK
    :: else ->
        verdict = NO
    fi
}

inline script_claim(n, opid, whose) {
    if
    :: db[n].op == opid && IS(n, CLAIMED) && db[n].session == whose ->
        verdict = OK
    :: db[n].op != opid && IS(n, REDEEMED) && db[n].session == whose &&
       db[n].begun && db[n].claim != opid &&
       !(db[n].withdrawn & (1 << opid)) ->
        db[n].claim = opid;
        db[n].outcome = 0;
        change(n, CLAIMED, opid);
        verdict = OK
    :: else ->
        verdict = NO
    fi
}

#ifdef BLIND_RELEASE
#define SAME(n, c)  (db[n].claim == c || due[c] == RELEASED)
#else
#define SAME(n, c)  (db[n].claim == c)
#endif

inline script_settle(n, c) {
    if
    :: db[n].op == SETTLE_OP + c || db[n].state == NONE
    :: else ->
        if
        :: db[n].state == CLAIMED && SAME(n, c) && !db[n].outcome ->
            db[n].outcome = 1;
            if
            :: due[c] == ACCEPTED -> change(n, ENROLLED, SETTLE_OP + c)
            :: due[c] != ACCEPTED && !IS(n, CLAIMED) ->
                change(n, VOID, SETTLE_OP + c)
            :: due[c] == UNKNOWN && IS(n, CLAIMED) ->
                change(n, CLAIMED, SETTLE_OP + c)
            :: due[c] != ACCEPTED && due[c] != UNKNOWN && IS(n, CLAIMED) ->
                change(n, REDEEMED, SETTLE_OP + c)
            fi
        :: else ->
            if
            :: due[c] == RELEASED && db[n].claim != c ->
                db[n].withdrawn = db[n].withdrawn | (1 << c)
            :: due[c] == ACCEPTED && db[n].claim != c ->
                db[n].claim = c;
                db[n].outcome = 1;
                change(n, ENROLLED, SETTLE_OP + c)
            :: else
            fi
        fi
    fi
}

inline script(n, what, opid, whose, known, newest) {
    fence(n, known, newest);
    if
    :: readonly -> readonly = 0; verdict = LOST
    :: !readonly && what == ISSUE -> script_issue(n, opid, whose)
    :: !readonly && what == REDEEM -> script_redeem(n, opid, whose)
    :: !readonly && what == BEGIN -> script_begin(n, opid, whose)
    :: !readonly && what == CLAIM -> script_claim(n, opid, whose)
    fi
}


/*
 * A call goes to any node that takes itself for a master. It is executed and
 * answered, executed and not answered, lost, or comes later than its sender
 * waits.
 */

inline any_master(n) {
    if
    :: db[0].master -> n = 0
    :: db[1].master -> n = 1
    :: db[2].master -> n = 2
    fi
}

inline learn(p, n) {
#ifdef SEQUENCE
    if
    :: seen_epoch[p] < db[n].epoch -> seen_epoch[p] = db[n].epoch
    :: else
    fi;
    if
    :: seen[p] < db[n].seq -> seen[p] = db[n].seq
    :: else
    fi
#else
    skip
#endif
}

inline call(p, what, opid, whose) {
    any_master(n);
    if
    :: script(n, what, opid, whose, seen[p], seen_epoch[p]);
        if
        :: verdict != LOST -> learn(p, n)
        :: else
        fi
    :: losses < LOSSES ->
        losses++;
        if
        :: script(n, what, opid, whose, seen[p], seen_epoch[p])
        :: skip
        fi;
        verdict = LOST
    :: lates < LATE && late[opid].verb == 0 ->
        lates++;
        late[opid].verb = what;
        late[opid].to = n;
        late[opid].who = whose;
        late[opid].heard = seen[p];
        late[opid].epoch = seen_epoch[p];
        verdict = LOST
    fi
}

/*
 * The first call asks where the token would be made, the second names that
 * incarnation and makes it. Who is told to ask again makes the same token
 * elsewhere, unless it may have been made already: then it is another one,
 * and nobody ever has this.
 */

proctype issuer() {
    byte n, maker, verdict, tries;
    bit  lost;

end:
    atomic {
        any_master(n);
        fence(n, seen[0], seen_epoch[0]);
        readonly = 0;
        learn(0, n);
        maker = HERE(n);
        n = 0
    }

    do
    :: atomic {
        call(0, ISSUE, ISSUE_OP, maker);
        if
        :: verdict == OK -> issued = 1; break
        :: verdict == LOST && !lost -> lost = 1
        :: verdict == LOST && lost -> break
#ifdef SAME_TOKEN
        :: verdict == NO ->
#else
        :: verdict == NO && lost -> break
        :: verdict == NO && !lost ->
#endif
            if
            :: tries < 2 && maker != HERE(n) -> tries++; maker = HERE(n)
            :: else -> break
            fi
        fi;
        n = 0; verdict = 0
       }
    od
}


/* what a proxy does with an answer, or without one */

#ifdef FRESH_OP
#define FIRST       first       /* the operation id before the repeat */
#else
#define FIRST       op
#endif

inline act() {
    if
    :: verdict == OK && verb == REDEEM ->
#ifndef ONLY_I2
        assert(cookie == 0 || cookie == who);               /* I1 */
#endif
        cookie = who

    :: verdict == OK && verb == CLAIM ->
        if
        :: flying[op] = 1
        :: due[op] = RELEASED                   /* it could not be sent */
        fi

    :: verdict == NO ->
#ifndef ONLY_I2
        assert(verb != REDEEM || !IS(n, REDEEMED) ||
               db[n].session != who);                       /* P */
        assert(verb != CLAIM || !IS(n, CLAIMED) ||
               db[n].claim != FIRST || db[n].outcome)       /* P */
#else
        skip
#endif

    :: else
    fi
}


proctype proxy(byte p) {
    byte op, verb, who, n, verdict;
#ifdef FRESH_OP
    byte first;
#endif

end:
    do
    :: atomic {
        issued && requests < REQUESTS ->
        requests++;
        op = requests;
#ifdef FRESH_OP
        first = op;
#endif

        if
        :: verb = REDEEM; who = op
        :: cookie -> verb = BEGIN; who = cookie
        :: cookie -> verb = CLAIM; who = cookie;
#ifdef CLIENT_OP
            op = 1;
#endif
#ifdef FORWARD_FIRST
            flying[op] = 1;
#endif
        fi;

        call(p, verb, op, who);
        act();
        n = 0
       };

       if
       :: atomic {
            verdict == LOST ->
#ifdef FRESH_OP
            if
            :: requests < OPS - 2 -> requests++; op = requests
            :: else
            fi;
#endif
            call(p, verb, op, who);

            act();
            if
            :: verb == CLAIM && verdict != OK -> due[op] = RELEASED
            :: else
            fi;
            n = 0
          }
       :: verdict != LOST
       fi;

       atomic { op = 0; verb = 0; who = 0; verdict = 0 }

    od
}


/*
 * A settlement is sent until it is answered; what was sent before may come
 * at any time after.
 */

proctype settler() {
    byte c, n, p;

end:
    do
    :: atomic {
        if
        ONE_OF(due[1], due[2], due[3], due[4], due[5], due[6])
        fi;
        any_master(n);
#ifdef SEQUENCE
        if
        :: p = 0
        :: p = 1
        fi;
#endif
        fence(n, seen[p], seen_epoch[p]);
        if
        :: readonly -> readonly = 0
        :: else -> script_settle(n, c)
        fi;
        c = 0; n = 0; p = 0
       }
    od
}


inline drop(c) {
    late[c].verb = 0;
    late[c].to = 0;
    late[c].who = 0;
    late[c].heard = 0;
    late[c].epoch = 0
}


/* the calls that come late; if the node is none that serves, to no avail */

proctype network() {
    byte c, n, verdict;

end:
    do
    :: atomic {
        if
        ONE_OF(late[1].verb, late[2].verb, late[3].verb, late[4].verb,
               late[5].verb, late[6].verb)
        :: late[7].verb -> c = 7
        fi;
        n = late[c].to;
        if
        :: db[n].master ->
            script(n, late[c].verb, c, late[c].who, late[c].heard,
                   late[c].epoch)
        :: else
        fi;
        drop(c);
        c = 0; n = 0; verdict = 0
       }
    od
}

/*
 * The IdP executes a finish, or refuses it; what it says may be lost. The
 * proxy may also cease to wait while the request is on its way, or the
 * request may never come.
 */

proctype idp() {
    byte c;

end:
    do
    :: atomic {
        if
        ONE_OF(flying[1], flying[2], flying[3], flying[4], flying[5],
               flying[6])
        fi;
        if
        :: due[c] == 0 -> due[c] = UNKNOWN
        :: flying[c] = 0;
            assert(!executed);                              /* I2 */
            if
            :: executed = 1;
                if
                :: due[c] == 0 -> due[c] = ACCEPTED
                :: due[c] == 0 -> due[c] = UNKNOWN
                :: due[c] != 0
                fi
            :: due[c] == 0 -> due[c] = REFUSED
            :: due[c] != 0
            fi
        fi;
        c = 0
       }
    od
}


inline copy(from, to) {
    db[to].epoch = db[from].epoch;
    db[to].incarnation = db[from].incarnation;
    db[to].seq = db[from].seq;
    db[to].planned = db[from].planned;
    db[to].state = db[from].state;
    db[to].since = db[from].since;
    db[to].session = db[from].session;
    db[to].begun = db[from].begun;
    db[to].op = db[from].op;
    db[to].claim = db[from].claim;
    db[to].outcome = db[from].outcome;
    db[to].withdrawn = db[from].withdrawn
}

inline clear(n) {
    db[n].epoch = 0;
    db[n].incarnation = 0;
    db[n].seq = 0;
    db[n].planned = 0;
    db[n].state = 0;
    db[n].since = 0;
    db[n].session = 0;
    db[n].begun = 0;
    db[n].op = 0;
    db[n].claim = 0;
    db[n].outcome = 0;
    db[n].withdrawn = 0
}

/* a call that was on its way to a node that crashes never comes */

inline forget(n, c) {
    if
    :: late[c].verb && late[c].to == n -> drop(c)
    :: else
    fi
}

/* no other fault while a failover is planned */
#ifdef PLAN_FAULTS
#define QUIET           1
#else
#define QUIET           !planning
#endif

#define FOLLOWS(n)      !db[n].master
#define NEWER(n, m)     (db[m].master && db[m].replid > db[n].replid)

/*
 * Where no more fault can come, what a replica has does not matter. Before
 * the first fault the replicas are alike: node 2 is the one that lags.
 */
#define FAULTS          (promotions + crashes + plans + rollbacks)
#define MORE_FAULTS     (FAULTS < PROMOTIONS + CRASHES + PLANS + ROLLBACKS)

#define REPLICATE(n, m) \
    :: d_step { \
        MORE_FAULTS && db[n].master && FOLLOWS(m) -> \
        copy(n, m); \
        if \
        :: FAULTS == 0 && m == 2 -> copy(n, 1) \
        :: else \
        fi \
       }

inline bury(n) {
    if
    :: !MORE_FAULTS && !db[n].master -> clear(n)
    :: else
    fi
}

#define BURY            bury(0); bury(1); bury(2)

#define PROMOTE(n) \
    :: d_step { \
        promotions < PROMOTIONS && QUIET && FOLLOWS(n) -> \
        promotions++; ids++; \
        db[n].replid = ids; db[n].master = 1; \
        BURY \
       }

#define REJOIN(n, m, o) \
    :: d_step { \
        db[n].master && QUIET && (NEWER(n, m) || NEWER(n, o)) -> \
        db[n].master = 0; \
        BURY \
       }

/* what a crash leaves: as much as a replica has, or nothing, or all of it */
#define CRASH(n, m, o) \
    :: atomic { \
        crashes < CRASHES && QUIET && db[n].master -> \
        crashes++; ids++; \
        db[n].replid = ids; db[n].run_id = ids; \
        if \
        :: copy(m, n) \
        :: copy(o, n) \
        :: clear(n) \
        :: skip \
        fi; \
        forget(n, 1); forget(n, 2); forget(n, 3); forget(n, 4); \
        forget(n, 5); forget(n, 6); forget(n, 7); \
        BURY \
       }

/* the same process goes on with an older state */
#define ROLLBACK(n, m) \
    :: d_step { \
        rollbacks < ROLLBACKS && db[n].master && FOLLOWS(m) -> \
        rollbacks++; copy(m, n) \
       }

#ifdef PLAN_COPIED
#define TO_END(n)       db[n].incarnation
#else
#define TO_END(n)       HERE(n)
#endif

/* the operator announces it; writes are held until the replica has all */
#define ANNOUNCE(n) \
    :: d_step { \
        plans < PLANS && !planning && db[n].master && \
        db[0].master + db[1].master + db[2].master == 1 -> \
        plans++; planning = 1; db[n].planned = TO_END(n) \
       }

#define SWITCH(n, m) \
    :: d_step { \
        planning == 1 && db[n].master && \
        db[n].planned == TO_END(n) && FOLLOWS(m) -> \
        planning = 2; ids++; copy(n, m); \
        db[n].master = 0; db[m].master = 1; db[m].replid = ids \
       }

proctype fate() {
end:
    do
    REPLICATE(0, 1)     REPLICATE(0, 2)     REPLICATE(1, 0)
    REPLICATE(1, 2)     REPLICATE(2, 0)     REPLICATE(2, 1)
    PROMOTE(0)          PROMOTE(1)          PROMOTE(2)
    REJOIN(0, 1, 2)     REJOIN(1, 0, 2)     REJOIN(2, 0, 1)
    CRASH(0, 1, 2)      CRASH(1, 0, 2)      CRASH(2, 0, 1)
#if ROLLBACKS
    ROLLBACK(0, 1)      ROLLBACK(1, 2)      ROLLBACK(2, 0)
    ROLLBACK(0, 2)      ROLLBACK(1, 0)      ROLLBACK(2, 1)
#endif
#if PLANS
    ANNOUNCE(0)         ANNOUNCE(1)         ANNOUNCE(2)
    SWITCH(0, 1)        SWITCH(1, 2)        SWITCH(2, 0)
    SWITCH(0, 2)        SWITCH(1, 0)        SWITCH(2, 1)
    :: d_step {
        planning && !db[0].planned && !db[1].planned && !db[2].planned ->
        planning = 0
       }
#endif
    od
}


init {
    atomic {
        ids = 3;
        db[0].replid = 1; db[1].replid = 2; db[2].replid = 3;
        db[0].run_id = 1; db[1].run_id = 2; db[2].run_id = 3;
        db[0].master = 1;
        run issuer();
        run proxy(0);
#ifdef ONE_PROXY
        run proxy(0);           /* another request of the same proxy */
#else
        run proxy(1);
#endif
        run settler();
        run network();
        run idp();
        run fate()
    }
}
