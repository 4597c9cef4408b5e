// The IdP's own pages in a real browser, in every state, behind a plain nginx
// that names the subject: no module yet, so what fails here is not its fault.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startIdP } from '../idp/start.mjs';
import { addAuthenticator, openBrowser, takeShots } from './browser.mjs';
import * as tap from './tap.mjs';

const SUBJECT = 'maria.magdalena.gonzalez-fernandez@research.example.com';
const shots = process.env.WALK_SHOTS;

async function freePort() {
    const server = createServer().listen(0, '127.0.0.1');

    await once(server, 'listening');

    const { port } = server.address();

    server.close();
    await once(server, 'close');

    return port;
}

async function startProxy(dir, port, upstream) {
    const conf = join(dir, 'nginx.conf');

    await writeFile(conf, `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events { }
http {
    access_log off;
    client_body_temp_path ${dir}/body;
    proxy_temp_path ${dir}/proxy;
    fastcgi_temp_path ${dir}/fastcgi;
    uwsgi_temp_path ${dir}/uwsgi;
    scgi_temp_path ${dir}/scgi;
    server {
        listen 127.0.0.1:${port};
        location / {
            proxy_pass http://127.0.0.1:${upstream};
            proxy_set_header Enroll-Subject ${SUBJECT};
        }
        location = /register/nobody {
            proxy_pass http://127.0.0.1:${upstream}/register;
            proxy_set_header Enroll-Subject "";
        }
    }
}
`);

    const child = spawn('nginx', ['-p', dir, '-e', 'stderr', '-c', conf], {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    });

    for (let tries = 100; ; tries--) {
        try {
            await fetch(`http://127.0.0.1:${port}/`);
            break;

        } catch (error) {
            if (tries === 0 || child.exitCode !== null) {
                throw new Error('nginx did not start', { cause: error });
            }

            await sleep(50);
        }
    }

    return async () => {
        child.kill('SIGTERM');
        await once(child, 'exit');
    };
}

const dir = await mkdtemp(join(tmpdir(), 'enroll-pages-'));
const port = await freePort();
const origin = `http://localhost:${port}`;
const idp = await startIdP({ origin });
let stopProxy, browser;

async function picture(page, name) {
    tap.is(await takeShots(page, shots, `idp-${name}`), [], `${name}: it fits`);
}

try {
    stopProxy = await startProxy(dir, port, idp.port);
    browser = await openBrowser();

    const errors = [];

    // a fresh page, with a person before it
    async function openPage(path = '/register') {
        const page = await browser.newPage();

        page.on('pageerror', (error) => errors.push(error.message));
        page.on('console', (message) => {
            if (/Content.Security.Policy/i.test(message.text())) {
                errors.push(message.text());
            }
        });

        await page.goto(origin + path);

        return { page, phone: await addAuthenticator(page) };
    }

    const state = (page, wanted) =>
        page.locator(`main[data-state="${wanted}"]`).waitFor();

    // what looks at the pages sees, itself

    const bad = await browser.newPage();

    await bad.setContent(`<p id="a" style="width:2000px; color:#999">pale</p>
        <input id="a" style="width:10px; border:1px solid #ddd">`);
    tap.is((await takeShots(bad, null, 'bad')).slice(0, 9), [
        'bad needs 2008 px, has 320',
        'bad, 320 px, light: no language',
        'bad, 320 px, light: no title',
        'bad, 320 px, light: 0 of h1',
        'bad, 320 px, light: 0 of main',
        'bad, 320 px, light: an id twice',
        'bad, 320 px, light: contrast 2.85 of '
        + '<p id="a" style="width:2000px; color:#999">pale</p>',
        'bad, 320 px, light: no name: '
        + '<input id="a" style="width:10px; border:1px solid #ddd">',
        'bad, 320 px, light: too small: '
        + '<input id="a" style="width:10px; border:1px solid #ddd">',
    ], 'a bad page is seen through');
    await bad.close();

    // one spoilt answer, and the state that it leads to

    for (const [name, fault, wanted, words, again] of [
        ['begin-down', { path: '/register/begin', status: 502 },
         'failed', /nothing was lost/i, true],
        ['begin-closed', { path: '/register/begin', status: 410 },
         'closed', /new link/i, false],
        ['begin-cut', { path: '/register/begin', mode: 'truncate',
                        status: 200 },
         'failed', /nothing was lost/i, true],
        ['finish-refused', { path: '/register/finish', status: 400 },
         'failed', /nothing was lost/i, true],
        ['finish-error', { path: '/register/finish', status: 500 },
         'unknown', /service desk/i, false],
        ['finish-cut', { path: '/register/finish', mode: 'truncate',
                         status: 200 },
         'unknown', /service desk/i, false],
        ['finish-busy', { path: '/register/finish', status: 503,
                          headers: { 'Retry-After': '1' } },
         'failed', /nothing was lost/i, true],
        ['finish-in-flight', { path: '/register/finish', status: 409 },
         'closed', /service desk/i, false],
        ['finish-locked', { path: '/register/finish', status: 429 },
         'closed', /new link/i, false]])
    {
        await idp.post('/fail', fault);

        const { page } = await openPage();

        await page.locator('#create').click();
        await state(page, wanted);
        tap.like(await page.locator('#message').innerText(), words,
                 `${name}: said in plain words`);
        tap.is(await page.locator('#create').isVisible(), again,
               `${name}: ${again ? 'offers' : 'offers no'} other try`);
        tap.is(await page.evaluate(() => document.activeElement.id),
               again ? 'create' : 'message', `${name}: the focus is there`);
        await picture(page, name);
        await page.close();
    }

    // waiting, declining, then agreeing, by keyboard alone

    const { page, phone } = await openPage();

    tap.is((await page.locator('#subject').innerText()).trim(), SUBJECT,
           'the subject is shown');
    await picture(page, 'ready');

    await phone.walksAway();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await state(page, 'working');
    await picture(page, 'working');

    const { page: second, phone: other } = await openPage();

    await page.close();
    await other.declines();
    await second.keyboard.press('Tab');
    await second.keyboard.press('Enter');
    await state(second, 'cancelled');
    tap.like(await second.locator('#message').innerText(),
             /nothing was lost\. try again/i, 'cancelled: nothing was lost');
    await picture(second, 'cancelled');

    await other.agrees();
    await second.keyboard.press('Enter');
    await state(second, 'done');
    tap.is(await second.evaluate(() => document.activeElement.id),
           'done-title', 'done: the focus is there');
    tap.is((await idp.get('/credentials')).map(({ subject }) => subject),
           [SUBJECT], 'done: the IdP knows it');
    await picture(second, 'done');

    await second.reload();
    await second.locator('#create').click();
    await state(second, 'already');
    tap.like(await second.locator('#message').innerText(),
             /already holds a passkey/i, 'the same device again: told so');
    await picture(second, 'already');

    for (const [name, path, words] of [
        ['home', '/', /Example Company/],
        ['login', '/login', /Sign in/],
        ['admin', '/admin', /Admin console/],
        ['no-subject', '/register/nobody', /no subject/],
        ['not-found', '/nowhere', /no such page/]])
    {
        await second.goto(origin + path);
        tap.like(await second.locator('main').innerText(), words, name);
        await picture(second, name);
    }

    tap.is(errors, [], 'no page complains');

    const strangers = (await browser.seen.settled()).filter(
        ({ url }) => !url.startsWith(origin + '/')
                     && !url.startsWith('data:'));

    tap.is(strangers, [], 'no page asks anybody else');

    // without JavaScript

    const plain = await openBrowser({ options: { javaScriptEnabled: false } });

    try {
        const bare = await plain.newPage();

        await bare.goto(origin + '/register');
        tap.like(await bare.locator('noscript').innerText(), /JavaScript/,
                 'without JavaScript: told so');
        tap.is(await bare.locator('#create').isVisible(), false,
               'without JavaScript: no button');
        await picture(bare, 'no-script');

    } finally {
        await plain.close();
    }

    tap.done();

} catch (error) {
    tap.bailOut(error);

} finally {
    await browser?.close();
    await stopProxy?.();
    await idp.stop();
    await rm(dir, { recursive: true, force: true });
}
