// The tests' own door, on a port that no proxy knows.
//
//   GET  /requests      every request that reached the IdP, in order:
//                       [{ time, method, path, headers: [[name, value], …],
//                          body, fault }, …]; ?path=… and ?method=… choose,
//                       ?count=1 gives {"count": n} instead
//   GET  /credentials   the passkeys registered
//   POST /fail          spoil the next answers, see below
//   POST /clock         {"ahead": 61000}: the clock by which assertions are
//                       verified, in milliseconds
//   POST /reset         forget requests, faults, challenges, credentials
//
// A fault is {"path": "/register/finish",    exact path of the request
//             "mode": "status"|"hang"|"reset"|"truncate"|"slow",
//             "status": 500,                 of the spoilt answer
//             "body": …, "headers": {…},     of it, too
//             "times": 1,                    how many requests (0: all)
//             "delay": 0,                    milliseconds before the answer
//             "after": false}                true: do the work, then spoil the
//                                            answer: the credential is stored
//                                            and nobody hears of it
// mode "hang" never answers, "reset" resets the connection once the whole
// request was read, "truncate" closes in the middle of the answer, "slow" only
// delays the true one.  Faults are taken in the order in which they were set;
// {"path": null} clears them.

import http from 'node:http';

const MODES = ['status', 'hang', 'reset', 'truncate', 'slow'];

export class Recorder {
    constructor() {
        this.reset();
    }

    reset() {
        this.requests = [];
        this.faults = [];
    }

    record(req) {
        const headers = [];

        for (let i = 0; i < req.rawHeaders.length; i += 2) {
            headers.push([req.rawHeaders[i], req.rawHeaders[i + 1]]);
        }

        const entry = {
            time: Date.now(),
            method: req.method,
            path: req.url,
            headers,
            body: '',
            fault: null,
        };

        this.requests.push(entry);

        return entry;
    }

    // what never became a request counts, too: it reached the IdP
    recordGarbage(error, raw) {
        this.requests.push({
            time: Date.now(),
            method: null,
            path: null,
            headers: [],
            body: raw?.toString('latin1') ?? '',
            fault: error.code,
        });
    }

    fault(path) {
        const i = this.faults.findIndex((fault) => fault.path === path);

        if (i < 0) {
            return null;
        }

        const fault = this.faults[i];

        if (fault.times > 0 && --fault.times === 0) {
            this.faults.splice(i, 1);
        }

        return fault;
    }

    addFault({ path, mode = 'status', status = 500, body, headers = {},
        times = 1, delay = 0, after = false })
    {
        if (path === null) {
            this.faults = [];
            return;
        }

        if (typeof path !== 'string' || !MODES.includes(mode)
            || !Number.isInteger(status) || status < 200 || status > 599
            || !Number.isInteger(times) || times < 0 || !(delay >= 0))
        {
            throw new Error('not a fault that can be played');
        }

        this.faults.push({ path, mode, status, body, headers, times, delay,
            after });
    }
}

async function readJSON(req) {
    let text = '';

    req.setEncoding('utf8');

    for await (const part of req) {
        text += part;
    }

    return text === '' ? {} : JSON.parse(text);
}

export class Control {
    constructor(rp, recorder, assertions) {
        this.rp = rp;
        this.recorder = recorder;
        this.assertions = assertions;
    }

    server() {
        return http.createServer((req, res) => {
            this.handle(req).then(
                ([status, value]) => this.send(res, status, value),
                (error) => this.send(res, 400, { error: error.message }));
        });
    }

    send(res, status, value) {
        res.writeHead(status, { 'Content-Type': 'application/json' });
        res.end(JSON.stringify(value) + '\n');
    }

    async handle(req) {
        const { pathname, searchParams } = new URL(req.url, 'http://control');

        switch (`${req.method} ${pathname}`) {

        case 'GET /requests': {
            const chosen = this.recorder.requests.filter((entry) =>
                ['path', 'method'].every((key) => !searchParams.has(key)
                    || searchParams.get(key) === entry[key]));

            return [200, searchParams.has('count') ? { count: chosen.length }
                                                   : chosen];
        }

        case 'GET /credentials':
            return [200, this.rp.credentials];

        case 'POST /fail':
            this.recorder.addFault(await readJSON(req));
            return [200, { faults: this.recorder.faults }];

        case 'POST /clock':
            this.assertions.ahead = Number((await readJSON(req)).ahead);
            return [200, { ahead: this.assertions.ahead }];

        case 'POST /reset':
            this.recorder.reset();
            this.rp.reset();
            this.assertions?.reset();
            return [200, {}];

        default:
            return [404, { error: 'GET /requests, GET /credentials, '
                                  + 'POST /fail, POST /clock, '
                                  + 'POST /reset' }];
        }
    }
}
