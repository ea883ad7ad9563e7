import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';
const FIRST_PORT = 10_000;
const BLOCK_SIZE = 50;
const MAX_TRIES = 2_000;

/** Held sockets, one per block of ports: they tell other processes that the block is taken. */
const heldBlocks = [];
let freePorts = [];

/**
 * Picks a distinct free TCP port on 127.0.0.1 for each name and returns `{ name: port }`.
 *
 * The ports lie below the range from which the kernel takes the source ports of outgoing connections:
 * otherwise a client that redials a server that is down may be given the server's own port and keep it.
 * Every process draws from blocks of its own (the first port of a block is a lock that lives as long as
 * the process), so stacks that start at the same moment do not pick the same ports.
 */
export async function reserveFreePorts(names) {
  if (new Set(names).size !== names.length) throw new Error(`port names are not distinct: ${names.join(', ')}`);
  const ports = {};
  for (const name of names) ports[name] = await nextFreePort();
  return ports;
}

/** One free port, see reserveFreePorts. */
export async function reserveFreePort() {
  return nextFreePort();
}

async function nextFreePort() {
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const port = freePorts.shift() ?? (await openBlock());
    if (port !== undefined && (await isFree(port))) return port;
  }
  throw new Error(`no free port found on ${HOST} between ${FIRST_PORT} and ${endOfRange()}`);
}

/** Locks a random block; its ports go to freePorts. Returns its first usable port, or undefined when it is taken. */
async function openBlock() {
  const blockCount = Math.floor((endOfRange() - FIRST_PORT) / BLOCK_SIZE);
  const first = FIRST_PORT + BLOCK_SIZE * Math.floor(Math.random() * blockCount);
  const lock = await listen(first);
  if (lock === undefined) return undefined;
  lock.unref();
  heldBlocks.push(lock);
  freePorts = Array.from({ length: BLOCK_SIZE - 1 }, (_, index) => first + 1 + index);
  return freePorts.shift();
}

function endOfRange() {
  try {
    const lowest = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
    // Some machines hand out source ports from 1024 on; then no range is safe and the usual one is as good as any.
    return lowest >= FIRST_PORT + 100 * BLOCK_SIZE ? Math.min(lowest, 32_768) : 32_768;
  } catch {
    return 32_768;
  }
}

async function isFree(port) {
  const server = await listen(port);
  if (server === undefined) return false;
  await new Promise((done) => server.close(done));
  return true;
}

function listen(port) {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: HOST, exclusive: true }, () => resolve(server));
  });
}
