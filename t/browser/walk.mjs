// One enrollment, as people live it: a newcomer opens the link, makes a passkey
// and cannot do it twice; somebody else has the same link and gets nowhere.
//
//   WALK_LINK      the link as it was delivered, token in the fragment
//   WALK_SUBJECT   the subject that the page must show
//   WALK_IDP       the control address of the IdP, e.g. http://127.0.0.1:9001:
//                  then its own account proves what reached it, and what not
//   WALK_SHOTS     where to put pictures of every page (default: nowhere)
//
// As a program it prints TAP.  As a module it gives walk(), which tells each
// step to its caller.

import { pathToFileURL } from 'node:url';

import { addAuthenticator, openBrowser, takeShots } from './browser.mjs';
import * as tap from './tap.mjs';

const COOKIE = '__Host-enroll';

// What the IdP says that it received.
class Witness {
    constructor(control) {
        this.control = control;
    }

    async get(path) {
        const response = await fetch(new URL(path, this.control));

        if (!response.ok) {
            throw new Error(`GET ${path}: ${response.status}`);
        }

        return response.json();
    }

    requests() {
        return this.get('/requests');
    }

    credentials() {
        return this.get('/credentials');
    }

    async count(path) {
        const query = path ? `&path=${encodeURIComponent(path)}` : '';
        const { count } = await this.get(`/requests?count=1${query}`);

        return count;
    }
}

// test     ok, is, like: where the findings go
// step     called with the name of each step before it is taken, awaited

export async function walk({ link, subject, idp, shots, test = tap,
    step = tap.note })
{
    const { origin, pathname, hash } = new URL(link);
    const token = hash.slice(1);
    const witness = idp ? new Witness(idp) : null;
    const browsers = [];

    if (!token) {
        throw new Error('the link has no token in its fragment');
    }

    async function person() {
        const browser = await openBrowser();

        browsers.push(browser);

        return browser;
    }

    async function picture(page, name) {
        test.is(await takeShots(page, shots, name), [],
                `the page fits a small phone (${name})`);
    }

    // `what` must not show up at the IdP at all
    async function unseen(what, action) {
        const before = await witness?.count();
        const result = await action();

        if (witness) {
            test.is(await witness.count(), before,
                    `nothing reached the IdP: ${what}`);
        }

        return result;
    }

    async function reasonOf(page) {
        const main = page.locator('main[data-reason]');

        await main.waitFor();

        return main.getAttribute('data-reason');
    }

    async function open(browser) {
        const page = await browser.newPage();

        await page.goto(link);

        return page;
    }

    async function warned(page, reasons, what) {
        const reason = await reasonOf(page);
        const text = await page.locator('main').innerText();

        test.ok(reasons.includes(reason), `${what}: refused`,
                `data-reason is ${reason}`);
        test.like(text, /security/i, `${what}: told to call security`);
        test.ok(!text.includes(token), `${what}: the page shows no token`);
    }

    const post = (page, path, body) => page.evaluate(async ([path, body]) => {
        const response = await fetch(path, {
            method: 'POST',
            headers: { 'Accept': 'application/json',
                       'Content-Type': 'application/json' },
            body,
        });

        return {
            status: response.status,
            type: response.headers.get('Content-Type'),
            text: await response.text(),
        };
    }, [path, body]);

    const asJSON = (text) => {
        try {
            return JSON.parse(text);
        } catch {
            return {};
        }
    };

    async function refusedAgain(page, path, body, status, reason, what) {
        const answer = await unseen(what, () => post(page, path, body));

        test.is([answer.status, asJSON(answer.text).reason],
                [status, reason], `${what}: ${status} ${reason}`);
        test.like(answer.type, /^application\/problem\+json/,
                  `${what}: a problem is told`);
    }

    // by keyboard alone, and one sees where one is
    async function press(page, id) {
        await page.keyboard.press('Tab');
        test.is(await page.evaluate(() => [
            document.activeElement.id,
            parseFloat(getComputedStyle(document.activeElement)
                .outlineWidth) >= 2,
        ]), [id, true], `the tab key leads to #${id}, visibly`);
        await page.keyboard.press('Enter');
    }

    const cookieOf = async ({ context }) => (await context.cookies())
        .find(({ name }) => name === COOKIE);

    try {
        const newcomer = await person();
        const stranger = await person();

        await step('a mail scanner asks for the link, without a browser');
        await unseen('what a scanner asks', async () => {
            const answers = [];
            // Node may take localhost for ::1 only
            const address = link.replace('//localhost:', '//127.0.0.1:');

            for (const method of ['GET', 'HEAD', 'OPTIONS']) {
                const { status } = await fetch(address, { method });

                answers.push(status);
            }

            test.is(answers, [200, 200, 405], 'GET, HEAD and OPTIONS');
        });

        await step('a mail scanner opens the link in one, and looks only');
        const preview = await unseen('a look at the link', () =>
            open(stranger));

        await step('the newcomer opens the link');
        const page = await unseen('the landing page', () => open(newcomer));
        const phone = await addAuthenticator(page);

        await page.locator('#redeem').waitFor();
        test.is(new URL(page.url()).hash, '',
                'the token is gone from the address bar');
        test.is(await page.evaluate(() => history.length), 2,
                'and not in the history either');
        await picture(page, '1-landing');

        await step('the newcomer presses the button');
        await press(page, 'redeem');
        await page.waitForURL(`${origin}/register`);
        test.is(await page.locator('main').getAttribute('data-state'), 'ready',
                'the registration page is open');

        if (subject) {
            test.is((await page.locator('#subject').innerText()).trim(),
                    subject, 'for the right person');
        }

        await picture(page, '2-register');

        const cookie = await cookieOf(newcomer);

        test.ok(cookie, 'the browser keeps the session cookie');
        test.is([cookie?.secure, cookie?.httpOnly, cookie?.sameSite,
                 cookie?.path], [true, true, 'Lax', '/'],
                'Secure, HttpOnly, SameSite=Lax, Path=/');
        test.ok(!cookie?.value.includes(token), 'and it is not the token');

        await step('somebody else presses the button of the same link');
        await unseen('a second redemption', async () => {
            await preview.locator('#redeem').click();
            await warned(preview, ['redeemed'], 'a second browser');
        });
        await picture(preview, '3-redeemed');
        test.is(await cookieOf(stranger), undefined,
                'a second browser: gets no session');

        await step('somebody without a session goes to the registration');
        await unseen('no session', async () => {
            const response = await preview.goto(`${origin}/register`);

            test.is(response.status(), 401, 'without a session: 401');
            test.is(await reasonOf(preview), 'missing', 'without a session');
        });
        await picture(preview, '4-no-session');

        await step('the newcomer\'s session tries the admin console');
        await unseen('the admin console', async () => {
            const response = await page.goto(`${origin}/admin`);

            test.is(response.status(), 403, 'out of scope: 403');
            test.is(await reasonOf(page), 'scope', 'out of scope: said so');
        });
        await picture(page, '5-out-of-scope');

        await step('the newcomer cancels the prompt for the passkey');
        await page.goto(`${origin}/register`);
        await phone.declines();
        await page.locator('#create').click();
        await page.locator('main[data-state="cancelled"]').waitFor();
        test.like(await page.locator('#message').innerText(),
                  /nothing was lost/i, 'a cancelled prompt loses nothing');
        test.is(await witness?.count('/register/finish') ?? 0, 0,
                'a cancelled prompt finishes nothing');
        await picture(page, '6-cancelled');

        await step('the newcomer tries again, and makes the passkey');
        await phone.agrees();
        await page.locator('#create').click();
        await page.locator('main[data-state="done"]').waitFor();
        test.is((await phone.passkeys()).length, 1,
                'the device holds a passkey');
        await picture(page, '7-done');

        if (witness) {
            const registered = (await witness.credentials()).filter(
                (credential) => !subject || credential.subject === subject);

            test.is(registered.length, 1, 'and the IdP knows it');
        }

        await newcomer.seen.settled();

        const finish = newcomer.seen.find(
            ({ path }) => path === '/register/finish');

        test.is(finish?.status, 200, 'the finish was accepted');

        test.is(await cookieOf(newcomer), undefined,
                'the session is over: its cookie is gone');
        test.is(await witness?.count('/register/finish') ?? 1, 1,
                'one finish has reached the IdP');

        await step('the newcomer goes on to sign in');
        await page.locator('a[href="/login"]').click();
        await page.waitForURL(`${origin}/login`);
        test.like(await page.locator('h1').innerText(), /sign in/i,
                  'the sign-in is open to the same browser');

        await step('the newcomer\'s browser sends the same finish again');
        await refusedAgain(page, '/register/finish', finish.body,
                           401, 'missing', 'the same finish again');

        // what a thief has who copied the session

        async function revive() {
            await newcomer.context.addCookies([cookie]);
            test.is((await cookieOf(newcomer))?.value, cookie?.value,
                    'the cookie is put back');
        }

        await step('and once more, with the session that it had');
        await revive();
        await refusedAgain(page, '/register/finish', finish.body,
                           410, 'enrolled', 'the same finish, with session');

        await step('and wants to begin again');
        await revive();
        await refusedAgain(page, '/register/begin', undefined,
                           410, 'enrolled', 'a new begin');

        await step('and wants the page again');
        await revive();
        await unseen('the page, after the enrollment', async () => {
            const response = await page.goto(`${origin}/register`);

            test.is(response.status(), 410, 'the page again: 410');
            await warned(page, ['enrolled'], 'the page again');
        });
        await picture(page, '8-enrolled');

        await step('somebody else opens the link once more');
        await unseen('the link, after the enrollment', async () => {
            const late = await open(stranger);

            await late.locator('#redeem').click();
            await warned(late, ['enrolled'], 'a browser that comes late');
        });

        await step('what was sent, and where to');
        const leaks = [...await newcomer.seen.settled(),
                       ...await stranger.seen.settled()]
            .filter(({ url, headers, body, path, method }) =>
                // the one request that bears it: the POST of the landing page
                !(method === 'POST' && path === pathname)
                && JSON.stringify([url.split('#')[0], headers, body])
                    .includes(token));

        test.is(leaks.map(({ method, path }) => `${method} ${path}`), [],
                'only the redemption bears the token');

        if (witness) {
            const secrets = [token, cookie?.value ?? COOKIE];

            test.is((await witness.requests()).filter((request) =>
                secrets.some((secret) =>
                    JSON.stringify(request).includes(secret))), [],
                    'no token and no session in what the IdP received');
        }

    } finally {
        await Promise.all(browsers.map((browser) => browser.close()));
    }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
    const { WALK_LINK: link, WALK_SUBJECT: subject, WALK_IDP: idp,
        WALK_SHOTS: shots } = process.env;

    try {
        if (!link) {
            throw new Error('WALK_LINK is not set');
        }

        await walk({ link, subject, idp, shots });
        tap.done();

    } catch (error) {
        tap.bailOut(error);
    }
}
