// The IdP where its proxy has to sign what it says: each word that is refused
// is a good one but for one thing.

import { createServer } from 'node:http';
import { connect } from 'node:net';

import { SignJWT, exportJWK, generateKeyPair } from 'jose';

import * as tap from '../browser/tap.mjs';
import { makePasskey } from './authenticator.mjs';
import { startIdP } from './start.mjs';

const ORIGIN = 'http://localhost:7777';
const PATHS = { page: '/register', begin: '/register/begin',
                finish: '/register/finish' };

const keys = {};

for (const kid of ['first', 'second', 'foreign']) {
    keys[kid] = await generateKeyPair('ES256');
}

let shown = ['first'];

const proxy = createServer(async (req, res) => {
    const set = await Promise.all(shown.map(async (kid) => (
        { ...await exportJWK(keys[kid].publicKey), kid, alg: 'ES256',
          use: 'sig' })));

    res.setHeader('Content-Type', 'application/jwk-set+json');
    res.end(JSON.stringify({ keys: set }));
}).listen(0, '127.0.0.1');

await new Promise((resolve) => { proxy.once('listening', resolve); });

const idp = await startIdP({ origin: ORIGIN, env: {
    IDP_ASSERTION_JWKS: `http://127.0.0.1:${proxy.address().port}/jwks`,
    IDP_ASSERTION_ISSUER: 'https://proxy.example',
    IDP_ASSERTION_AUDIENCE: 'https://idp.example',
} });

let count = 0;

const now = () => Math.floor(Date.now() / 1000);

const claims = (step, more) => ({
    iss: 'https://proxy.example', aud: 'https://idp.example',
    sub: 'anna', iat: now(), exp: now() + 60, jti: `j${++count}`,
    id: '0123456789abcdef0123456789abcdef', class: 'standard', proof: 'none',
    step, method: step === 'page' ? 'GET' : 'POST', host: 'localhost',
    uri: PATHS[step], ...more,
});

const sign = (payload, { kid = 'first', key = kid, typ = 'enroll+jwt' } = {}) =>
    new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid, typ })
        .sign(keys[key].privateKey);

async function call(step, word, { headers = {}, body, uri = PATHS[step],
    method = step === 'page' ? 'GET' : 'POST' } = {})
{
    const response = await fetch(idp.url + uri, { method, body, headers: {
        ...(word !== undefined && { 'Enroll-Assertion': word }), ...headers,
    } });

    return [response.status, await response.text()];
}

const status = async (...args) => (await call(...args))[0];

async function register(more) {
    const [, options] = await call('begin', await sign(claims('begin', more)));
    const passkey = makePasskey(JSON.parse(options), { origin: ORIGIN });

    return call('finish', await sign(claims('finish', more)),
                { body: JSON.stringify(passkey) });
}

try {
    const [code, page] = await call('page', await sign(claims('page')));

    tap.is(code, 200, 'page: a good word');
    tap.like(page, /anna/, 'page: of whom it is');

    const named = { 'Enroll-Subject': 'anna' };

    for (const step of Object.keys(PATHS)) {
        tap.is(await status(step, undefined, { headers: named }), 401,
               `${step}: a header alone says nothing`);
    }

    const word = await sign(claims('page'));

    const twice = await new Promise((resolve, reject) => {
        const socket = connect(idp.port, '127.0.0.1');
        let text = '';

        socket.on('data', (part) => { text += part; });
        socket.on('close', () => resolve(text));
        socket.on('error', reject);
        socket.write('GET /register HTTP/1.1\r\nHost: x\r\n'
                     + `Enroll-Assertion: ${word}\r\n`.repeat(2)
                     + 'Connection: close\r\n\r\n');
    });

    tap.like(twice, /^HTTP\/1\.1 401 /, 'page: two words');

    for (const [what, more, signing] of [
        ['another issuer', { iss: 'https://other.example' }],
        ['another audience', { aud: 'https://other.example' }],
        ['another typ', {}, { typ: 'JWT' }],
        ['a key that nobody shows', {}, { kid: 'foreign' }],
        ['another key under a known kid', {}, { key: 'foreign' }],
        ['another step', { step: 'begin' }],
        ['another method', { method: 'HEAD' }],
        ['another path', { uri: '/register/' }],
        ['another query', { uri: '/register?x=1' }],
        ['another host', { host: 'localhost.example' }],
        ['no token', { id: undefined }],
        ['no subject', { sub: undefined }],
        ['no exp', { exp: undefined }],
        ['no iat', { iat: undefined }],
        ['long ago', { iat: now() - 61, exp: now() + 60 }],
        ['past', { iat: now() - 30, exp: now() - 1 }]])
    {
        tap.is(await status('page', await sign(claims('page', more), signing)),
               401, `page: ${what}`);
    }

    tap.is(await status('page', `${word.split('.').slice(0, 2).join('.')}.`),
           401, 'page: no signature');
    tap.is(await status('page', await sign(claims('page',
        { uri: '/register?x=1' })), { uri: '/register?x=1' }), 200,
           'page: its own query');
    tap.is(await status('page', await sign(claims('page',
        { method: 'HEAD' })), { method: 'HEAD' }), 200, 'page: by HEAD');

    // the clock

    const old = await sign(claims('page'));

    await idp.post('/clock', { ahead: 50000 });
    tap.is(await status('page', old), 200, 'good for 50 s');
    await idp.post('/clock', { ahead: 61000 });
    tap.is(await status('page', old), 401, 'and not for 61 s');
    await idp.post('/clock', { ahead: 0 });

    // rotation

    shown = ['first', 'second'];
    tap.is(await status('page', await sign(claims('page'),
        { kid: 'second' })), 200, 'a new key is found');
    tap.is(await status('page', await sign(claims('page'))), 200,
           'beside the old one');

    // one registration a token

    const [verified] = await register();

    tap.is(verified, 200, 'finish: a good word');

    const [again, why] = await register();

    tap.is([again, JSON.parse(why).error],
           [409, 'this token has registered already'],
           'finish: a token is for one registration');
    tap.is((await register({ sub: 'eve' }))[0], 409,
           'finish: whoever comes with it');
    tap.is((await register({ id: 'f'.repeat(32) }))[0], 200,
           'finish: another token is for another');
    tap.is((await idp.get('/credentials')).length, 2, 'two are stored');

    const failed = { sub: 'bert', id: 'e'.repeat(32) };

    await call('begin', await sign(claims('begin', failed)));
    tap.is(await status('finish', await sign(claims('finish', failed)),
        { body: '{}' }), 400, 'finish: no passkey');
    tap.is((await register(failed))[0], 200,
           'finish: a failure does not use the token up');

    tap.is(await idp.stop(), 0, 'leaves cleanly');
    tap.done();

} catch (error) {
    tap.bailOut(error);

} finally {
    await idp.stop();
    proxy.close();
    proxy.closeAllConnections();
}
