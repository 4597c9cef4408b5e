// A real Chromium, headless, with a virtual authenticator in place of the
// person's fingerprint reader.  Nothing here knows of tokens or of the proxy.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

const FLAGS = [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // only this machine has a name: no test depends on the network, and the
    // browser's own services reach nobody
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, '
    + 'EXCLUDE 127.0.0.1',
];

// A browser of its own: own process, own fresh profile, own cookies.
//
//   executable   default $CHROMIUM, then Debian's
//   flags        more command-line switches
//   options      of the browser context (viewport, colorScheme, …)

export async function openBrowser({ executable, flags = [],
    options = {} } = {})
{
    const browser = await chromium.launch({
        executablePath: executable ?? process.env.CHROMIUM
                        ?? '/usr/bin/chromium',
        headless: true,
        // Chromium's sandbox refuses to run as root
        chromiumSandbox: process.getuid() !== 0,
        args: [...FLAGS, ...flags],
    });

    const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        ...options,
    });

    context.setDefaultTimeout(15000);

    return {
        browser,
        context,
        seen: recordRequests(context),
        newPage: () => context.newPage(),
        close: () => browser.close(),
    };
}

// All that a browser context sends: a growing list, complete up to now after
// `await seen.settled()`.

export function recordRequests(context) {
    const seen = [];
    const pending = new Set();

    function later(promise) {
        // a page may close under a question: what is known by then stays
        const done = promise.catch(() => {}).finally(() => {
            pending.delete(done);
        });

        pending.add(done);
    }

    context.on('request', (request) => {
        const entry = {
            method: request.method(),
            url: request.url(),
            path: new URL(request.url()).pathname,
            headers: request.headers(),
            body: request.postData(),
            status: null,
        };

        seen.push(entry);

        later((async () => {
            const response = await request.response();

            entry.status = response?.status() ?? null;
            // what went over the wire, cookies included
            entry.headers = await request.allHeaders();
        })());
    });

    seen.settled = async () => {
        while (pending.size > 0) {
            await Promise.all(pending);
        }

        return seen;
    };

    return seen;
}

// A platform authenticator, as a phone or a laptop has it, on one page (it
// stays there through navigations), and the person in front of it, who agrees
// to everything until told otherwise.

export async function addAuthenticator(page) {
    const cdp = await page.context().newCDPSession(page);

    await cdp.send('WebAuthn.enable');

    const { authenticatorId } = await cdp.send(
        'WebAuthn.addVirtualAuthenticator', {
            options: {
                protocol: 'ctap2',
                transport: 'internal',
                hasResidentKey: true,
                hasUserVerification: true,
                automaticPresenceSimulation: true,
                isUserVerified: true,
            },
        });

    async function behave(isUserVerified, enabled) {
        await cdp.send('WebAuthn.setUserVerified',
                       { authenticatorId, isUserVerified });
        await cdp.send('WebAuthn.setAutomaticPresenceSimulation',
                       { authenticatorId, enabled });
    }

    return {
        // touches the sensor, and is recognised
        agrees: () => behave(true, true),
        // dismisses the prompt: NotAllowedError, at once
        declines: () => behave(false, true),
        // does nothing: NotAllowedError, when the page's timeout is over
        walksAway: () => behave(true, false),

        async passkeys() {
            const { credentials } = await cdp.send('WebAuthn.getCredentials',
                                                   { authenticatorId });
            return credentials;
        },
    };
}

const SIZES = [[320, 640], [1280, 800]];

// Pictures of a page as a small phone and a desk show it, light and dark:
// DIR/NAME-WIDTH-SCHEME.png.  Says what does not fit, as a list of words.

export async function takeShots(page, dir, name) {
    const before = page.viewportSize();
    const problems = [];

    if (dir) {
        await mkdir(dir, { recursive: true });
    }

    for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height });

        const needs = await page.evaluate(
            () => document.documentElement.scrollWidth);

        if (needs > width) {
            problems.push(`${name} needs ${needs} px, has ${width}`);
        }

        if (!dir) {
            continue;
        }

        for (const colorScheme of ['light', 'dark']) {
            await page.emulateMedia({ colorScheme });
            await page.screenshot({
                path: join(dir, `${name}-${width}-${colorScheme}.png`),
                fullPage: true,
                animations: 'disabled',
            });
        }
    }

    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize(before);

    return problems;
}
