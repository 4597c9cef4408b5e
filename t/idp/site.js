// The IdP's own site: the registration that a proxy may open to somebody, and
// pages that stand for all the rest, which it must not.

import http from 'node:http';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { TokenIsSpent } from './assertion.js';
import * as pages from './pages.js';

const BODY_MAX = 64 * 1024;

const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; "
            + "connect-src 'self'; img-src data:; base-uri 'none'; "
            + "form-action 'none'; frame-ancestors 'none'";

const HEADERS = {
    'Content-Security-Policy': CSP,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Permissions-Policy': 'publickey-credentials-create=(self), '
                          + 'camera=(), geolocation=(), microphone=()',
};

const ASSETS = {
    'site.css': ['text/css', './assets/site.css'],
    'register.js': ['text/javascript', './assets/register.js'],
    'simplewebauthn-browser.js': ['text/javascript',
        './node_modules/@simplewebauthn/browser/dist/bundle/'
        + 'index.umd.min.js'],
};

class Refusal extends Error {
    constructor(status, message, headers = {}) {
        super(message);
        this.status = status;
        this.headers = headers;
    }
}

// exactly one, said by the proxy
function subjectOf(req) {
    const values = req.headersDistinct['enroll-subject'] ?? [];

    if (values.length !== 1 || values[0] === '' || values[0].length > 256) {
        throw new Refusal(401, 'the proxy names no subject');
    }

    return Buffer.from(values[0], 'latin1').toString('utf8');
}

function parse(body) {
    try {
        return JSON.parse(body);

    } catch {
        throw new Refusal(400, 'the body is not JSON');
    }
}

export class Site {
    constructor(rp, recorder, assertions) {
        this.rp = rp;
        this.recorder = recorder;
        this.assertions = assertions;
        this.routes = {
            '/': { GET: () => this.page(pages.home()) },
            '/login': { GET: () => this.page(pages.login()) },
            '/admin': { GET: () => this.page(pages.admin()) },
            '/register': { GET: (req) => this.register(req) },
            '/register/begin': { POST: (req) => this.begin(req) },
            '/register/finish': { POST: (req, body) => this.finish(req, body) },
        };

        for (const [name, [type, file]] of Object.entries(ASSETS)) {
            this.routes[`/register/assets/${name}`] = {
                GET: () => this.asset(type, file),
            };
        }
    }

    server() {
        const server = http.createServer((req, res) => {
            this.serve(req, res).catch(() => res.destroy());
        });

        // the proxy keeps its connections, and must not find them closed just
        // as it sends on one
        server.keepAliveTimeout = 10 * 60 * 1000;

        server.on('clientError', (error, socket) => {
            if (error.code !== 'ECONNRESET') {
                this.recorder.recordGarbage(error, error.rawPacket);
            }

            socket.destroy();
        });

        return server;
    }

    async serve(req, res) {
        const entry = this.recorder.record(req);

        entry.body = await this.read(req);

        const path = req.url.split('?')[0];
        const fault = this.recorder.fault(path);
        let answer;

        if (!fault || fault.mode === 'slow' || fault.after) {
            answer = await this.answer(path, req, entry.body);
        }

        if (!fault) {
            this.send(req, res, answer);
            return;
        }

        entry.fault = fault.mode;

        if (fault.delay > 0) {
            await sleep(fault.delay, undefined, { ref: false });
        }

        this.spoil(req, res, fault, answer);
    }

    async read(req) {
        const parts = [];
        let size = 0;

        for await (const part of req) {
            size += part.length;

            if (size <= BODY_MAX) {
                parts.push(part);
            }
        }

        req.tooLarge = size > BODY_MAX;

        return Buffer.concat(parts).toString('utf8');
    }

    async answer(path, req, body) {
        try {
            if (req.tooLarge) {
                throw new Refusal(413, 'the body is too large');
            }

            const route = this.routes[path];

            if (!route) {
                throw new Refusal(404, 'there is no such page');
            }

            const method = req.method === 'HEAD' ? 'GET' : req.method;

            if (!Object.hasOwn(route, method)) {
                throw new Refusal(405, 'not with this method',
                                  { Allow: Object.keys(route).join(', ') });
            }

            return await route[method](req, body);

        } catch (error) {
            if (!(error instanceof Refusal)) {
                console.error(error);
                error = new Refusal(500, 'something went wrong here');
            }

            return this.refusal(req, error);
        }
    }

    refusal(req, { status, message, headers }) {
        const answer = (req.headers.accept ?? '').includes('text/html')
            ? this.page(pages.refusal(status, message), status)
            : this.json({ error: message }, status);

        Object.assign(answer.headers, headers);

        return answer;
    }

    page(body, status = 200) {
        return {
            status,
            headers: { 'Content-Type': 'text/html; charset=utf-8',
                       'Cache-Control': 'no-store' },
            body,
        };
    }

    json(value, status = 200) {
        return {
            status,
            headers: { 'Content-Type': 'application/json',
                       'Cache-Control': 'no-store' },
            body: JSON.stringify(value),
        };
    }

    async asset(type, file) {
        return {
            status: 200,
            headers: { 'Content-Type': `${type}; charset=utf-8`,
                       'Cache-Control': 'no-cache' },
            body: await readFile(new URL(file, import.meta.url)),
        };
    }

    // With assertions a header alone says nothing.
    async who(req, step) {
        if (!this.assertions) {
            return { sub: subjectOf(req) };
        }

        try {
            return await this.assertions.read(req, step);

        } catch (error) {
            throw new Refusal(401, error.message);
        }
    }

    async register(req) {
        const { sub } = await this.who(req, 'page');

        return this.page(pages.register(sub));
    }

    async begin(req) {
        const { sub } = await this.who(req, 'begin');

        return this.json(await this.rp.begin(sub));
    }

    async finish(req, body) {
        const { sub, id: token } = await this.who(req, 'finish');
        const register = () => this.rp.finish(sub, parse(body));

        try {
            const { id } = this.assertions
                ? await this.assertions.once(token, register)
                : await register();

            return this.json({ verified: true, credential: id });

        } catch (error) {
            return this.json({ verified: false, error: error.message },
                             error instanceof TokenIsSpent ? 409 : 400);
        }
    }

    send(req, res, { status, headers, body }) {
        res.writeHead(status, {
            ...HEADERS,
            ...headers,
            'Content-Length': Buffer.byteLength(body),
        });

        res.end(req.method === 'HEAD' ? undefined : body);
    }

    spoil(req, res, fault, answer) {
        switch (fault.mode) {

        case 'slow':
            this.send(req, res, answer);
            return;

        case 'hang':
            return;

        case 'reset':
            req.socket.resetAndDestroy();
            return;

        case 'truncate':
            res.writeHead(fault.status, { 'Content-Type': 'application/json',
                                          'Content-Length': 4096 });
            res.write('{"verified":', () => req.socket.destroySoon());
            return;

        case 'status': {
            const spoilt = this.json(fault.body ?? {
                verified: fault.status < 300,
                error: 'scripted by a test',
            }, fault.status);

            if (fault.status === 204 || fault.status === 304) {
                spoilt.body = '';
            }

            Object.assign(spoilt.headers, fault.headers);
            this.send(req, res, spoilt);
        }
        }
    }
}
