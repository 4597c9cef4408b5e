// The IdP alone, spoken to as its proxy would.

import { connect } from 'node:net';

import * as tap from '../browser/tap.mjs';
import { makePasskey } from './authenticator.mjs';
import { startIdP } from './start.mjs';

const ORIGIN = 'http://localhost:7777';

const idp = await startIdP({ origin: ORIGIN });

const call = (path, { method = 'GET', subject, headers = {}, body } = {}) =>
    fetch(idp.url + path, {
        method,
        headers: subject === undefined
            ? headers : { ...headers, 'Enroll-Subject': subject },
        body: body === undefined || typeof body === 'string'
            ? body : JSON.stringify(body),
        redirect: 'manual',
    });

const status = async (...args) => (await call(...args)).status;

const authenticate = (options, twist) =>
    makePasskey(options, { origin: ORIGIN, ...twist });

const begin = async (subject) =>
    (await call('/register/begin', { method: 'POST', subject })).json();

async function finish(subject, body) {
    const response = await call('/register/finish',
                                { method: 'POST', subject, body });

    return [response.status, await response.json()];
}

try {
    // who may speak

    tap.is(await status('/register'), 401, 'page: no subject');
    tap.is(await status('/register/begin', { method: 'POST' }), 401,
           'begin: no subject');
    tap.is(await status('/register/finish', { method: 'POST', body: '{}' }),
           401, 'finish: no subject');
    tap.is(await status('/register', { subject: '' }), 401, 'empty subject');

    const twice = await new Promise((resolve, reject) => {
        const socket = connect(idp.port, '127.0.0.1');
        let text = '';

        socket.on('data', (part) => { text += part; });
        socket.on('close', () => resolve(text));
        socket.on('error', reject);
        socket.write('GET /register HTTP/1.1\r\nHost: x\r\n'
                     + 'Enroll-Subject: anna\r\nEnroll-Subject: eve\r\n'
                     + 'Connection: close\r\n\r\n');
    });

    tap.like(twice, /^HTTP\/1\.1 401 /, 'two subjects');

    const page = await call('/register', { subject: '<b>anna&co' });

    tap.is(page.status, 200, 'page: a subject');
    tap.like(await page.text(), /&lt;b&gt;anna&amp;co/, 'page: escaped');
    tap.like(page.headers.get('Content-Security-Policy'),
             /^default-src 'none'/, 'page: strict CSP');
    tap.is(page.headers.get('Cache-Control'), 'no-store', 'page: not stored');

    // methods, paths

    for (const path of ['/', '/login', '/admin', '/register/assets/site.css',
        '/register/assets/register.js',
        '/register/assets/simplewebauthn-browser.js'])
    {
        tap.is(await status(path), 200, `${path} is open`);
    }

    tap.is(await status('/register/begin', { subject: 'anna' }), 405,
           'begin: not with GET');
    tap.is(await status('/register', { subject: 'anna', method: 'POST' }), 405,
           'page: not with POST');
    tap.is(await status('/register/assets/../server.js'), 404, 'no escape');
    tap.is(await status('/nowhere'), 404, 'no such page');
    tap.is(await status('/register/finish', { method: 'POST', subject: 'anna',
        body: 'x'.repeat(100000) }), 413, 'a body too large');

    // registration

    const options = await begin('anna');

    tap.is([options.rp.id, options.user.name,
            options.authenticatorSelection.userVerification],
           ['localhost', 'anna', 'required'], 'begin: options');

    const good = authenticate(options);

    tap.is((await finish('eve', good))[0], 400,
           'finish: not with another subject\'s challenge');
    tap.is((await finish('anna', good))[0], 200, 'finish: verified');
    tap.is((await idp.get('/credentials')).map(
        ({ subject, id }) => [subject, id]), [['anna', good.id]],
           'the credential is stored');
    tap.is(await finish('anna', good),
           [400, { verified: false, error: 'no registration is under way' }],
           'finish: a challenge is for one use');

    tap.is((await begin('anna')).excludeCredentials.map(({ id }) => id),
           [good.id], 'begin: names what is there already');

    await begin('anna');
    tap.is((await finish('anna', good))[0], 400,
           'finish: not with an old challenge');

    for (const [name, twist] of [
        ['origin', { origin: 'http://localhost:7778' }],
        ['challenge', { challenge: 'AAAA' }],
        ['relying party', { rpID: 'example.com' }]])
    {
        const bad = authenticate(await begin('bert'), twist);
        const [code, result] = await finish('bert', bad);

        tap.is([code, result.verified], [400, false],
               `finish: not with another ${name}`);
    }

    await begin('bert');
    tap.is((await finish('bert', 'no json'))[0], 400, 'finish: no JSON');
    tap.is((await idp.get('/credentials')).length, 1, 'nothing else is stored');

    // the tests' door

    await idp.post('/reset');
    await call('/admin?x=1', { headers: { 'X-Mixed-Case': 'a' } });

    const [request, ...more] = await idp.get('/requests');

    tap.is([request.method, request.path, more.length],
           ['GET', '/admin?x=1', 0], 'a request is recorded');
    tap.ok(request.headers.some(([name, value]) =>
        name.toLowerCase() === 'x-mixed-case' && value === 'a'),
           'with its headers');
    tap.is(await idp.get('/credentials'), [], 'reset forgets');

    await idp.post('/fail', { path: '/register/begin', status: 503,
                              headers: { 'Retry-After': '7' } });

    const spoilt = await call('/register/begin', { method: 'POST',
                                                   subject: 'anna' });

    tap.is([spoilt.status, spoilt.headers.get('Retry-After')], [503, '7'],
           'fault: a status');
    tap.is(await status('/register/begin', { method: 'POST',
        subject: 'anna' }), 200, 'fault: once');

    for (const mode of ['reset', 'truncate']) {
        await idp.post('/fail', { path: '/login', mode, status: 200 });
        tap.ok(await call('/login').then((r) => r.text()).then(() => false,
            () => true), `fault: ${mode}`);
    }

    await idp.post('/fail', { path: '/login', mode: 'hang' });

    const patience = AbortSignal.timeout(300);

    tap.is(await fetch(idp.url + '/login', { signal: patience })
        .catch((error) => error.name), 'TimeoutError', 'fault: hang');

    const start = Date.now();

    await idp.post('/fail', { path: '/login', mode: 'slow', delay: 200 });
    tap.is(await status('/login'), 200, 'fault: slow, but well');
    tap.ok(Date.now() - start >= 195, 'fault: slow');

    await idp.post('/fail', { path: '/register/finish', status: 500,
                              after: true });
    tap.is((await finish('carl', authenticate(await begin('carl'))))[0], 500,
           'fault: after the work');
    tap.is((await idp.get('/credentials')).length, 1,
           'fault: the work is done');

    await idp.post('/fail', { path: '/login', times: 0 });
    await idp.post('/fail', { path: null });
    tap.is(await status('/login'), 200, 'faults are cleared');
    tap.is((await fetch(idp.control + '/fail', { method: 'POST',
        body: '{"path":"/","mode":"odd"}' })).status, 400,
           'a fault that nobody knows');

    // while a request hangs
    await idp.post('/fail', { path: '/login', mode: 'hang' });

    const hanging = call('/login').catch(() => {});

    tap.is(await idp.stop(), 0, 'leaves cleanly');
    await hanging;
    tap.done();

} catch (error) {
    tap.bailOut(error);

} finally {
    await idp.stop();
}
