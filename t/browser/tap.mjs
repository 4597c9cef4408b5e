// The little of the Test Anything Protocol that is needed here.

import { inspect, isDeepStrictEqual } from 'node:util';

let count = 0;
let failures = 0;

export function note(text) {
    console.log(String(text).replace(/^/gm, '# '));
}

export function ok(holds, name, ...why) {
    count++;
    console.log(`${holds ? '' : 'not '}ok ${count} - ${name}`);

    if (!holds) {
        failures++;
        why.forEach(note);
    }

    return Boolean(holds);
}

export function is(got, expected, name) {
    return ok(isDeepStrictEqual(got, expected), name,
              `got:      ${inspect(got)}`, `expected: ${inspect(expected)}`);
}

export function like(got, pattern, name) {
    return ok(pattern.test(got), name,
              `got:      ${inspect(got)}`, `expected: ${pattern}`);
}

// the plan comes last, so that a walk that stopped midway is not taken for a
// whole one
export function done() {
    console.log(`1..${count}`);
    process.exitCode = failures > 0 ? 1 : 0;
}

export function bailOut(error) {
    console.log(`Bail out! ${error.message.split('\n')[0]}`);
    note(error.stack);
    process.exitCode = 255;
}
