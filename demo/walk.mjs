// One enrollment, told as it happens: on the left what people and programs do,
// on the right what changes in the token's record. Then everybody comes back.
//
//   node walk.mjs ORIGIN FOLDER DOOR
//
// FOLDER is the demo's, with redis, hr.secret, acme.jwk and logs/; DOOR is the
// IdP's own account of what it received. Ends with 0 only if everything held.

import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify, stripVTControlCharacters } from 'node:util';

import { addAuthenticator, openBrowser } from '../t/browser/browser.mjs';
import { issue } from './issue.mjs';
import { prove } from './prove.mjs';

const [origin, dir, door] = process.argv.slice(2);
const run = promisify(execFile);
const start = Date.now();

// for programs, who may take localhost for ::1 only
const proxy = origin.replace('localhost', '127.0.0.1');

const SUBJECT = 'ada@example.com';
const COOKIE = '__Host-enroll';
const LEFT = 39;

// not a reader's: what the module checks the record by
const SILENT = ['op', 'mac', 'epoch', 'proof_jti', 'proof_mac'];

// first what a reader looks for first
const FIRST = ['state', 'subject', 'class', 'issuer', 'event', 'channel',
               'issued_at', 'expires_at', 'redeemed_at', 'session',
               'session_ends_at', 'begun_at', 'claim', 'claimed_at'];


// what must hold

const broken = [];
let count = 0;

function holds(condition, words) {
    count++;

    if (!condition) {
        broken.push(words);
        console.log(`\n!! DID NOT HOLD: ${words}`);
    }
}

const equal = (got, wanted, what) =>
    holds(got === wanted, `${what}: ${got}, and should be ${wanted}`);


// Redis, as anybody may look at it; the IdP's own account

async function redis(...args) {
    const { stdout } = await run('redis-cli', ['-s', `${dir}/redis`, ...args],
                                 { maxBuffer: 1 << 26 });

    return stdout.replace(/\n$/, '').split('\n');
}

async function recordOf(id) {
    const flat = await redis('hgetall', `enroll:{0}:token:${id}`);
    const record = {};

    for (let i = 0; i + 1 < flat.length; i += 2) {
        record[flat[i]] = flat[i + 1];
    }

    return record;
}

// settlements come a moment after the answer
async function recordWith(id, state) {
    let record;

    for (let tries = 0; tries < 100; tries++) {
        record = await recordOf(id);

        if (record.state === state) {
            break;
        }

        await sleep(20);
    }

    return record;
}

async function ask(path, body) {
    const response = await fetch(door + path, body && {
        method: 'POST', body: JSON.stringify(body) });

    return response.json();
}

const heard = async () => (await ask('/requests?count=1')).count;


// two columns, 80 wide

function wrap(text, width) {
    const lines = [''];

    for (const word of text.trim().split(/\s+/)) {
        const line = lines.at(-1);

        if (line && line.length + 1 + word.length > width) {
            lines.push(word);
        } else {
            lines[lines.length - 1] = line ? `${line} ${word}` : word;
        }
    }

    return lines;
}

const cut = (value, width) => value.length <= width ? value
    : `${value.slice(0, width - 2)}..`;

function changes(before, after) {
    const rank = (name) => (FIRST.indexOf(name) + 1) || FIRST.length + 1;
    const lines = [];

    for (const name of Object.keys(after).sort(
        (a, b) => rank(a) - rank(b) || a.localeCompare(b)))
    {
        if (SILENT.includes(name) || before[name] === after[name]) {
            continue;
        }

        const mark = name in before ? '~' : '+';

        lines.push(`${mark} ${name.padEnd(16)}  `
            + cut(after[name], 80 - LEFT - 4 - Math.max(name.length, 16)));
    }

    for (const name of Object.keys(before)) {
        if (!(name in after)) {
            lines.push(`- ${name}`);
        }
    }

    return lines.length > 0 ? lines : ['  (nothing has changed)'];
}

let steps = 0;
let last = {};
let requests = 0;

async function tell(title, text, record) {
    const before = requests;

    requests = await heard();

    const left = [
        `${++steps}  ${title}`,
        ...wrap(text, LEFT - 5).map((line) => `   ${line}`),
        `   The IdP heard: ${requests - before || 'nothing'}`,
    ];
    const right = changes(last, record);

    last = record;
    console.log();

    for (let i = 0; i < Math.max(left.length, right.length); i++) {
        console.log(`${(left[i] ?? '').padEnd(LEFT)}${right[i] ?? ''}`
            .trimEnd());
    }

    return requests - before;
}


const browsers = [];

async function person() {
    const browser = await openBrowser();

    browsers.push(browser);

    return browser;
}

async function enroll() {
    const { id, url, token } = await issue(proxy, `${dir}/hr.secret`, SUBJECT,
                                           'standard');
    const ada = await person();
    const page = await ada.newPage();
    const phone = await addAuthenticator(page);

    console.log(`

${'WHAT HAPPENS'.padEnd(LEFT)}WHAT CHANGES IN REDIS, IN THE HASH
${''.padEnd(LEFT)}enroll:{0}:token:
${''.padEnd(LEFT)}${id}`);

    await tell('ISSUE', `HR's system reports, signed, that Ada joins. nginx
        makes a link, good once and for 15 minutes. The token is in the link
        only: Redis holds a digest.`, await recordOf(id));
    equal(last.state, 'issued', 'the state');

    // a scanner of mail: looks at it in every way

    for (const method of ['GET', 'HEAD']) {
        await fetch(`${proxy}/enroll`, { method });
    }

    await page.goto(url);
    await page.locator('#redeem').waitFor();

    const previous = last;

    await tell('LOOK', `A mail scanner follows the link, and Ada opens it.
        Looking costs nothing.`, await recordOf(id));
    equal(JSON.stringify(last), JSON.stringify(previous),
          'the record after looking');
    equal(requests, 0, 'requests at the IdP so far');

    // redeem

    await page.locator('#redeem').click();
    await page.waitForURL(`${origin}/register`);

    const cookie = (await ada.context.cookies()).find(
        ({ name }) => name === COOKIE);

    await tell('REDEEM', `Ada presses the button. The token is spent; her
        browser has a session, for this registration and 10 minutes.`,
        await recordOf(id));
    equal(last.state, 'redeemed', 'the state');
    holds(cookie?.httpOnly && cookie.secure, 'the session is in a cookie');

    // scope

    const admin = await ada.newPage();
    const response = await admin.goto(`${origin}/admin`);

    equal(response.status(), 403, 'the answer to /admin');
    await admin.close();
    equal(await tell('TRY MORE', `The same browser asks for /admin. Refused by
        nginx: 403 scope.`, await recordOf(id)), 0, 'requests at the IdP');

    // too early; a proof

    const early = await page.evaluate(async () => {
        const response = await fetch('/register/begin', { method: 'POST',
            headers: { 'Accept': 'application/json' } });

        return `${response.status} ${(await response.json()).reason}`;
    });

    equal(early, '403 unproofed', 'the answer to a begin before the proof');
    equal(await tell('TOO EARLY', `Her link shows that she has a link, not who
        she is. This class asks for a proof: 403 unproofed.`,
        await recordOf(id)), 0, 'requests at the IdP');

    const proof = await prove(proxy, `${dir}/acme.jwk`, origin, SUBJECT);

    equal(proof.status, 200, 'the answer to the proofing service');
    await tell('PROOF', `A proofing service has seen her passport, and signs
        it. nginx puts its word on the record, under a MAC.`,
        await recordOf(id));
    equal(last.proof, 'ial2', 'the proof');

    // begin; a prompt that is dismissed

    await phone.declines();
    await page.locator('#create').click();
    await page.locator('main[data-state="cancelled"]').waitFor();
    await tell('BEGIN', `The IdP's page asks her device for a passkey. Ada
        dismisses the prompt. Nothing is lost.`, await recordOf(id));
    equal(last.state, 'redeemed', 'the state');
    holds(last.begun_at, 'the record says when it was begun');

    // finish: while the IdP thinks, the record is looked at

    await ask('/fail', { path: '/register/finish', mode: 'slow', delay: 400 });
    await phone.agrees();
    await page.locator('#create').click();
    await tell('FINISH', `She tries again and agrees. nginx claims her one
        finish in Redis, and only then sends it on.`,
        await recordWith(id, 'claimed'));
    equal(last.state, 'claimed', 'the state');

    await page.locator('main[data-state="done"]').waitFor();
    await tell('ENROLLED', `The IdP has verified the passkey and says 200. The
        token is closed, for good.`, await recordWith(id, 'enrolled'));
    equal(last.state, 'enrolled', 'the state');
    equal((await phone.passkeys()).length, 1, 'passkeys on her device');

    await ada.seen.settled();

    const finish = ada.seen.find(({ path }) => path === '/register/finish');

    return { id, url, token, ada, page, cookie, finish };
}


// Everybody comes back

async function again(name, wanted, action) {
    const before = await heard();
    const got = (await action()).join(' ');
    const after = await heard();

    console.log(`   ${name.padEnd(48)}${got.padEnd(14)}`
        + `${before} -> ${after}`.padStart(12));

    equal(got, wanted, name);
    equal(after, before, `requests at the IdP after: ${name}`);
}

async function reuse({ url, token, ada, page, cookie, finish }) {
    const post = (path, body) => page.evaluate(async ([path, body]) => {
        const response = await fetch(path, { method: 'POST', body, headers: {
            'Accept': 'application/json',
            'Content-Type': 'application/json',
        } });

        return [response.status, (await response.json()).reason];
    }, [path, body]);

    const shown = async (page, response) => [response.status(),
        await page.locator('main').getAttribute('data-reason')];

    console.log(`

${++steps}  REUSE
   Everybody comes back, and nginx answers alone. On the right: how many
   requests the IdP has received by its own account, before -> after.
`);

    const stranger = await person();
    const late = await stranger.newPage();

    await again('another browser, the same link', '410 enrolled', async () => {
        await late.goto(url);

        const [response] = await Promise.all([
            late.waitForResponse((response) =>
                response.request().method() === 'POST'),
            late.locator('#redeem').click(),
        ]);

        await late.waitForLoadState();

        return shown(late, response);
    });

    const text = [await late.locator('h1').innerText(),
                  await late.locator('main p').innerText()];

    // her browser has forgotten the session; a thief's would not

    await again('her browser, the same finish once more', '410 enrolled',
        async () => {
            await ada.context.addCookies([cookie]);
            return post('/register/finish', finish.body);
        });

    await again('her browser, a new begin', '410 enrolled', async () => {
        await ada.context.addCookies([cookie]);
        return post('/register/begin');
    });

    await again('another browser, with a copy of her session', '410 enrolled',
        async () => {
            await stranger.context.addCookies([cookie]);
            return shown(late, await late.goto(`${origin}/register`));
        });

    await again('a program, the token as a bearer at finish', '410 enrolled',
        async () => {
            const response = await fetch(`${proxy}/register/finish`, {
                method: 'POST',
                headers: { 'Authorization': `Bearer ${token}` },
                body: finish.body,
            });

            return [response.status, (await response.json()).reason];
        });

    console.log('\n   What the other browser showed, first of these:');

    for (const line of text.flatMap((part) => wrap(part, 70))) {
        console.log(`     | ${line}`);
    }

    holds(/security team/.test(text[1]),
          'the reader of a used link is told to call security');
}


// Afterwards: what each of the parts knows

async function account({ id, token, cookie }) {
    const passkeys = await ask('/credentials');
    const received = await ask('/requests');
    const finishes = received.filter(({ path }) => path === '/register/finish');
    const secrets = [token, cookie.value];

    const keys = (await redis('keys', '*')).sort();
    let space = '';

    for (const key of keys) {
        const [type] = await redis('type', key);
        const read = { hash: ['hgetall', key], string: ['get', key],
                       zset: ['zrange', key, '0', '-1'],
                       stream: ['xrange', key, '-', '+'] }[type];

        space += `${key}\n${(await redis(...read)).join('\n')}\n`;
    }

    const logs = await readdir(`${dir}/logs`);
    const lines = (await Promise.all(logs.map((name) =>
        readFile(`${dir}/logs/${name}`, 'utf8')))).join('');

    const events = (await redis('xrange', 'enroll:{0}:events', '-', '+'))
        .join(' ').match(/(?<= event )\S+/g);
    const found = secrets.some((secret) => JSON.stringify(received)
        .includes(secret) || space.includes(secret) || lines.includes(secret));

    holds(passkeys.length === 1 && passkeys[0].subject === SUBJECT,
          'the IdP knows one passkey, hers');
    equal(finishes.length, 1, 'finishes that the IdP has received');
    equal((await recordOf(id)).state, 'enrolled', 'the state, at the end');
    holds(!found, 'no token and no session in Redis, logs, or at the IdP');

    console.log(`
Afterwards
   The IdP    has one passkey, ${passkeys[0]?.subject}'s, made by the one \
finish it got.
   Redis      has the events ${events.join(' ')}.
   Secrets    the token and her session are ${found ? 'NOT ' : ''}absent from
              ${keys.length} Redis keys, ${logs.length} log files, \
${received.length} requests to the IdP.`);
}


let interrupted = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
        interrupted = true;
    });
}

try {
    const walked = await enroll();

    await reuse(walked);
    await account(walked);

} catch (error) {
    if (interrupted) {
        process.exit(1);
    }

    holds(false, error.message.split('\n')[0]);
    console.log(stripVTControlCharacters(error.stack));

} finally {
    await Promise.all(browsers.map((browser) => browser.close()));
}

const time = ((Date.now() - start) / 1000).toFixed(1);

if (broken.length > 0) {
    console.log(`\n${broken.length} of ${count} checks did not hold:`);
    broken.forEach((words) => console.log(`   ${words}`));
    process.exitCode = 1;

} else {
    console.log(`\nEverything held: ${count} checks, ${time} s.`);
}
