// A person who is asked for another kind of passkey: on the same page, with
// one authenticator after the other.
//
//   BIND_LINK    the link as it was delivered, token in the fragment
//   BIND_WITH    JSON: [{ state, status, authenticator }, …]: what the page
//                comes to say with it, what its finish is answered, and the
//                options of the virtual authenticator

import { openBrowser } from './browser.mjs';
import * as tap from './tap.mjs';

const { BIND_LINK: link, BIND_WITH: tries } = process.env;

async function bind(page, cdp, { state, status, authenticator }) {
    const kind = JSON.stringify(authenticator);
    const { authenticatorId } = await cdp.send(
        'WebAuthn.addVirtualAuthenticator', { options: {
            protocol: 'ctap2', transport: 'internal', hasResidentKey: true,
            hasUserVerification: true, isUserVerified: true,
            automaticPresenceSimulation: true, ...authenticator,
        } });

    await page.goto(`${new URL(link).origin}/register`);

    const [finish] = await Promise.all([
        page.waitForResponse((response) =>
            new URL(response.url()).pathname === '/register/finish'),
        page.locator('#create').click(),
    ]);

    await page.locator(`main[data-state="${state}"]`).waitFor();
    tap.is(finish.status(), status, `${kind}: ${status}, ${state}`);

    await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
}

const browser = await openBrowser();

try {
    const page = await browser.newPage();
    const cdp = await page.context().newCDPSession(page);

    await cdp.send('WebAuthn.enable');
    await page.goto(link);
    await page.locator('#redeem').click();
    await page.waitForURL('**/register');

    for (const one of JSON.parse(tries)) {
        await bind(page, cdp, one);
    }

    tap.done();

} catch (error) {
    tap.bailOut(error);

} finally {
    await browser.close();
}
