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

// What keeps somebody from reading or using a page: a list of words, empty
// when all is well. Runs in the page.

function findBarriers() {
    const problems = [];
    const visible = (element) => element.checkVisibility();
    const named = (element) => element.outerHTML.slice(0, 60);

    // [r, g, b, a] of what getComputedStyle() gives
    const parse = (color) => {
        const parts = color.match(/[\d.]+/g).map(Number);

        return [...parts.slice(0, 3), parts[3] ?? 1];
    };

    const blend = ([r, g, b, a], under) => [r, g, b].map(
        (value, i) => value * a + under[i] * (1 - a));

    function ground(element) {
        if (!element) {
            // what `color-scheme` paints where nothing else is painted
            return matchMedia('(prefers-color-scheme: dark)').matches
                ? [18, 18, 18] : [255, 255, 255];
        }

        return blend(parse(getComputedStyle(element).backgroundColor),
                     ground(element.parentElement));
    }

    const luminance = (rgb) => rgb.map((value) => value / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);

    function contrast(one, other) {
        const [low, high] = [luminance(one), luminance(other)]
            .sort((a, b) => a - b);

        return (high + 0.05) / (low + 0.05);
    }

    function mustContrast(element, color, under, least) {
        const ratio = contrast(blend(parse(color), under), under);

        if (ratio < least) {
            problems.push(`contrast ${ratio.toFixed(2)} of ${named(element)}`);
        }
    }

    // the page

    if (!document.documentElement.lang) {
        problems.push('no language');
    }

    if (!document.title) {
        problems.push('no title');
    }

    for (const [what, selector] of [['h1', 'h1'], ['main', 'main']]) {
        const count = [...document.querySelectorAll(selector)]
            .filter(visible).length;

        if (count !== 1) {
            problems.push(`${count} of ${what}`);
        }
    }

    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);

    if (new Set(ids).size < ids.length) {
        problems.push('an id twice');
    }

    // what one reads: WCAG 1.4.3

    const texts = document.createTreeWalker(document.body,
                                            NodeFilter.SHOW_TEXT);

    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;

        if (!texts.currentNode.data.trim() || !visible(element)
            || element.closest('[aria-disabled=true], script, style'))
        {
            continue;
        }

        const style = getComputedStyle(element);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);

        mustContrast(element, style.color, ground(element), large ? 3 : 4.5);
    }

    // what one uses: a name, a size (2.5.8), an edge (1.4.11)

    for (const control of document.querySelectorAll(
        'a[href], button, input:not([type=hidden])'))
    {
        if (!visible(control)) {
            continue;
        }

        const label = control.labels?.[0] ?? control;

        if (!label.textContent.trim()) {
            problems.push(`no name: ${named(control)}`);
        }

        const { width, height } = control.getBoundingClientRect();

        if (Math.min(width, height) < 24) {
            problems.push(`too small: ${named(control)}`);
        }

        if (control.matches('input')) {
            mustContrast(control, getComputedStyle(control).borderTopColor,
                         ground(control.parentElement), 3);
        }
    }

    return problems;
}

const SIZES = [[320, 640], [1280, 800]];
const SCHEMES = ['light', 'dark'];

// Looks at a page as a small phone and a desk show it, light and dark, and
// takes pictures where DIR is given: DIR/NAME-WIDTH-SCHEME.png.  Says what does
// not fit, cannot be read or has no name, as a list of words.

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

        for (const colorScheme of SCHEMES) {
            await page.emulateMedia({ colorScheme });

            const barriers = await page.evaluate(findBarriers);

            problems.push(...barriers.map((what) =>
                `${name}, ${width} px, ${colorScheme}: ${what}`));

            if (dir) {
                await page.screenshot({
                    path: join(dir, `${name}-${width}-${colorScheme}.png`),
                    fullPage: true,
                    animations: 'disabled',
                });
            }
        }
    }

    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize(before);

    return problems;
}
