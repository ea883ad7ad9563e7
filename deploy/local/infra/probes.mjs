import { connect } from 'node:net';
import { readFileSync } from 'node:fs';

const HOST = '127.0.0.1';
const PROBE_TIMEOUT_MS = 1_000;
/** Metadata request, version 1, of no topics: 4-byte length, key 3, version 1, correlation 1, client id "p", empty array. */
const KAFKA_METADATA = Buffer.from('0000000f000300010000000100017000000000', 'hex');

/** Each probe resolves to true once the server really serves requests; it never throws. */
export const probes = {
  postgres: ({ port, pidFile, pid }) =>
    pidFile === undefined || postmasterSaysReady(pidFile, pid) ? canConnect(port) : false,
  redis: ({ port }) => exchange(port, 'PING\r\n', (reply) => reply.toString().startsWith('+PONG')),
  kafka: ({ port }) => exchange(port, KAFKA_METADATA, hasBroker),
};

/** The postmaster writes its number in line 1 of its pid file and "ready" in line 8 when connections are accepted. */
function postmasterSaysReady(pidFile, pid) {
  try {
    const lines = readFileSync(pidFile, 'utf8').split('\n');
    return Number(lines[0]) === pid && (lines[7] ?? '').trim() === 'ready';
  } catch {
    return false;
  }
}

/** A fenced broker is not listed yet: an answer with at least one broker means that topics can be made. */
function hasBroker(reply) {
  if (reply.length < 12) return undefined;
  return reply.readInt32BE(8) > 0;
}

function canConnect(port) {
  return exchange(port, undefined, () => true);
}

/** Sends `request` and lets `judge` look at the reply so far; undefined means: wait for more. */
function exchange(port, request, judge) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: HOST });
    let reply = Buffer.alloc(0);
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => resolve(false));
    socket.on('connect', () => (request === undefined ? end(true) : socket.write(request)));
    socket.on('data', (chunk) => {
      reply = Buffer.concat([reply, chunk]);
      const verdict = judge(reply);
      if (verdict !== undefined) end(verdict);
    });
  });
}
