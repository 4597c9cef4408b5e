// What people read who are refused, and how those fare who have no JavaScript.
//
//   WALK_CASES     JSON: [{ name, status, reason, and one of
//                             link     a link that is opened and pressed
//                             url      a page that is opened
//                           session    the session cookie's value to come with
//                           alarm      true: the reader is to call security
//                         }, …]
//   WALK_LINK      a fresh link, to be redeemed without JavaScript
//   WALK_SHOTS     where to put pictures of every page (default: nowhere)

import { openBrowser, takeShots } from './browser.mjs';
import * as tap from './tap.mjs';

const { WALK_CASES: cases = '[]', WALK_LINK: fresh, WALK_SHOTS: shots }
    = process.env;
const browsers = [];

async function open(options) {
    const browser = await openBrowser({ options });

    browsers.push(browser);

    return browser;
}

async function picture(page, name) {
    tap.is(await takeShots(page, shots, name), [], `${name}: can be read`);
}

// the answer to the navigation that `action` starts
async function navigate(page, action) {
    const [response] = await Promise.all([
        page.waitForResponse((response) =>
            response.request().isNavigationRequest()),
        action(),
    ]);

    await page.waitForLoadState();

    return response;
}

async function refused(browser, { name, link, url, session, status, reason,
    alarm = false })
{
    const page = await browser.newPage();
    let response;

    if (session) {
        await browser.context.addCookies([{
            name: '__Host-enroll', value: session,
            domain: new URL(link ?? url).hostname, path: '/',
            secure: true, httpOnly: true, sameSite: 'Lax',
        }]);
    }

    if (link) {
        await page.goto(link);
        response = await navigate(page,
                                  () => page.locator('#redeem').click());

    } else {
        response = await page.goto(url);
    }

    const main = page.locator('main');
    const text = await main.innerText();

    tap.is([response.status(), await main.getAttribute('data-reason')],
           [status, reason], `${name}: ${status} ${reason}`);
    tap.is(/call your security team/i.test(text), alarm,
           `${name}: ${alarm ? 'told' : 'not told'} to call security`);
    tap.ok(!/enr_|ens_|\{\{/.test(await page.content()),
           `${name}: shows no secret, and no gap of the template`);
    await picture(page, `refused-${name}`);

    await browser.context.clearCookies();
    await page.close();
}

// by hand: as people paste it
async function pasted(browser, name, text, then) {
    const { origin, pathname } = new URL(fresh);
    const page = await browser.newPage();

    await page.goto(origin + pathname);
    await picture(page, name);
    await page.locator('#token').fill(text);

    const response = await navigate(page, () => page.keyboard.press('Enter'));

    await then(page, response);
    await page.close();
}

try {
    const browser = await open();

    for (const one of JSON.parse(cases)) {
        await refused(browser, one);
    }

    if (fresh) {
        const { origin, hash } = new URL(fresh);
        const plain = await open({ javaScriptEnabled: false });

        const reaches = async (page, response) => {
            tap.is(response.status(), 303, 'the token is taken');
            await page.waitForURL(`${origin}/register`);
            tap.ok(true, 'and leads to the registration');
        };

        const isForged = (what) => async (page, response) => {
            tap.is(response.status(), 401, what);
        };

        await pasted(browser, 'paste', 'enr_nonsense',
                     isForged('pasted: something else'));
        await pasted(browser, 'paste', ` ${fresh.slice(0, -1)} `,
                     isForged('pasted: a link cut short'));
        await pasted(plain, 'paste-no-script', 'enr_nonsense',
                     isForged('pasted without JavaScript: something else'));
        await pasted(plain, 'paste-no-script', hash.slice(1), reaches);
    }

    tap.done();

} catch (error) {
    tap.bailOut(error);

} finally {
    await Promise.all(browsers.map((browser) => browser.close()));
}
