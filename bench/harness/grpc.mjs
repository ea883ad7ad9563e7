// What a service's gRPC wrapper costs: server CPU of a unary call against plain grpc-js.
import { createRequire } from 'node:module';
import { measure, result } from './result.mjs';

const require = createRequire(import.meta.url);

const SETTINGS = {
  rounds: 20,
  callsPerRound: 750,
  warmUpCalls: 10_000,
  coldCalls: 200,
  connections: 4,
  inFlight: 64,
};

const GOAL = { on: 'ratio', op: '<=', number: 1.5 };

export const needs = { infra: false, platform: false };

/** @returns the result, and what RESULTS.md says besides it */
export async function run({ runDir, log }) {
  const { measureGrpc } = require('../dist/grpc/index.js');
  const { warm, cold } = await measureGrpc(runDir, SETTINGS, log);
  const ratios = (side, peer) => warm[side].map((micros, round) => micros / warm[peer][round]);
  const cpu = (side, peer, goal) => ({
    id: `server-cpu.${side}.against-${peer}`,
    rounds: warm[side],
    unit: 'µs/call',
    better: 'lower',
    peer: { name: PEERS[peer], rounds: warm[peer] },
    ...(goal && { goal }),
  });
  const ratio = (side, peer, goal) => ({
    id: `ratio-of-rounds.${side}.against-${peer}`,
    rounds: ratios(side, peer),
    unit: 'times',
    better: 'lower',
    ...(goal && { goal: { ...goal, on: 'value' } }),
  });
  const first = (side, peer) => ({
    id: `server-cpu-cold.${side}.against-${peer}`,
    rounds: [cold[side]],
    unit: 'µs/call',
    better: 'lower',
    peer: { name: PEERS[peer], rounds: [cold[peer]] },
  });
  const measures = [
    cpu('service', 'raw-service', GOAL),
    cpu('member', 'raw-member', GOAL),
    ratio('service', 'raw-service', GOAL),
    ratio('member', 'raw-member', GOAL),
    cpu('service', 'raw-bare'),
    ratio('service', 'raw-bare'),
    first('service', 'raw-service'),
    first('member', 'raw-member'),
  ];
  return {
    result: result({
      bench: 'grpc',
      load: `closed loop, ${SETTINGS.inFlight} calls in flight over ${SETTINGS.connections} connections, ${SETTINGS.callsPerRound} calls a round after ${SETTINGS.warmUpCalls} to warm up; the client is another process`,
      rounds: SETTINGS.rounds,
      measures: measures.map(measure),
    }),
    rounds: warm,
    method: METHOD,
    peers: PEER_SETTINGS,
  };
}

const PEERS = {
  'raw-service': 'raw grpc-js, same requests',
  'raw-member': 'raw grpc-js, same requests',
  'raw-bare': 'raw grpc-js, bare requests',
};

const METHOD = [
  'Server CPU is `process.cpuUsage()` (user and system) of the server process alone, read before and after each round. The five servers run side by side; each round loads them one after the other and begins with another one.',
  '`service`: a service calls with its own token, a deadline and a trace. `member`: the gateway calls with its token, its word about the member, a deadline and a trace. Identity, deadline, authz rule, strict decoding, metrics, log (level info) and errors are on, as in production.',
  '`raw-service` and `raw-member` get exactly the same requests and ignore what they carry, so the ratio is what our server does with it. `raw-bare` gets calls without any header or deadline: that ratio also holds what it costs to carry identity, deadline and trace over HTTP/2.',
  'Cold: the first 200 calls of a fresh process, before anything is compiled.',
];

const PEER_SETTINGS = {
  'every server':
    'the generated codec (ts-proto), a GetNode reply of about 330 bytes, TLS with the platform CA, max_receive_message_length 512 KiB, keepalive 30 s / 10 s, NODE_ENV=production',
  'service, member': 'libs/nest runService, compiled by swc, LOG_LEVEL info, log to a file',
  'raw-*': 'grpc-js Server.addService, callback handler, nothing else',
};
