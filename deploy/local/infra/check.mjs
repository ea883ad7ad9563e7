// node deploy/local/infra/check.mjs: what can be said about the Docker path on a machine without an engine.
// Compares docker-compose.yml with the native settings and drives docker.mjs against a fake `docker` command.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { dockerServer, inspectDocker, startDocker, stopDocker } from './docker.mjs';
import { attachInfra, reserveFreePorts, startInfra } from './index.mjs';
import { COMMON_SETTINGS } from './kafka.mjs';
import { COMPOSE_FILE, KAFKA_VERSION } from './paths.mjs';
import { probes } from './probes.mjs';
import { readState } from './state.mjs';

const compose = readFileSync(COMPOSE_FILE, 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'daya-check-'));
const calls = join(folder, 'calls');

const CHECKS = {
  'the containers get the broker settings of the native servers': () => {
    for (const [key, value] of Object.entries(COMMON_SETTINGS)) {
      const name = `KAFKA_${key.replaceAll('.', '_').toUpperCase()}`;
      const found = new RegExp(`^ +${name}: ['"]?([^'"\\n]*)['"]?$`, 'm').exec(compose)?.[1];
      assert.equal(found, value, name);
    }
    assert.match(compose, new RegExp(`image: apache/kafka:${KAFKA_VERSION.replaceAll('.', '\\.')}\\n`));
  },
  'every image is pinned and every port is bound to loopback': () => {
    for (const [, tag] of compose.matchAll(/^ +image: \S+?:(\S+)$/gm)) assert.match(tag, /^\d+\.\d+/);
    const ports = [...compose.matchAll(/^ +ports:\n +- (\S+)$/gm)].map((match) => match[1]);
    assert.equal(ports.length, 3);
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
  },
  'Docker is refused with its reason when a part is missing': async () => {
    for (const [broken, why] of [
      ['info', /no Docker engine answers/],
      ['compose version', /compose is not installed/],
      ['image inspect', /image redis:1 is not here/],
    ]) {
      fakeDocker({ broken });
      const found = await inspectDocker();
      assert.equal(found.usable, false);
      assert.match(found.why, why);
    }
    await assert.rejects(
      startInfra({ runDir: join(folder, 'forced'), durable: false, log: () => {}, mode: 'docker' }),
      /DAYA_INFRA=docker, but image/,
    );
  },
  'a stack is started, controlled and taken down by compose': async () => {
    fakeDocker({});
    assert.equal((await inspectDocker()).usable, true);
    const runDir = mkdtempSync(join(folder, 'run-'));
    const servers = await pretendServers();
    try {
      await startDocker({ runDir, durable: true, log: () => {}, why: 'check', ports: servers.ports });
      const infra = await attachInfra({ runDir });
      assert.equal(infra.mode, 'docker');
      assert.equal(infra.servers.redis.pid(), 4242);
      await infra.servers.kafka.kill();
      await dockerServer(runDir, 'postgres').restart();
      assert.equal(readState(runDir).docker.variables.durable, true);
      await stopDocker(runDir);
    } finally {
      servers.close();
    }
    assert.equal(existsSync(join(runDir, 'infra.json')), false);
    const said = readFileSync(calls, 'utf8');
    for (const part of [
      /up -d --wait --pull never$/m,
      /kill --signal SIGKILL kafka$/m,
      /stop --timeout 20 postgres$/m,
      /up -d --wait --no-recreate --pull never postgres$/m,
      /down --volumes --remove-orphans/m,
      /safety=on fsync=everysec/m,
    ]) {
      assert.match(said, part);
    }
  },
};

/** A `docker` that answers like an engine with all images; the sub-command `broken` fails. Calls go to a file. */
function fakeDocker({ broken }) {
  const script = `#!/bin/sh
echo "$* safety=$DAYA_POSTGRES_SAFETY fsync=$DAYA_REDIS_FSYNC" >> '${calls}'; echo "$*" >> '${calls}'
case "$*" in ${broken === undefined ? '' : `"${broken}"*) [ "$*" != "image inspect postgres:1" ] && exit 1 ;;`}
esac
case "$*" in
  info*) echo 28.0.0 ;;
  *"config --images") printf 'postgres:1\\nredis:1\\n' ;;
  *"ps -q"*) echo abc ;;
  "inspect -f"*) echo 4242 ;;
esac
`;
  writeFileSync(join(folder, 'docker'), script);
  chmodSync(join(folder, 'docker'), 0o755);
}

/** Loopback servers that answer the probes as the containers would. */
async function pretendServers() {
  const ports = await reserveFreePorts(['postgres', 'redis', 'kafka']);
  const reply = {
    postgres: undefined,
    redis: Buffer.from('+PONG\r\n'),
    kafka: Buffer.from('00000008000000010000000100', 'hex'),
  };
  const servers = Object.entries(ports).map(([name, port]) =>
    createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.write(reply[name] ?? ''));
    }).listen(port, '127.0.0.1'),
  );
  await Promise.all(
    servers.map((server) => new Promise((done) => (server.listening ? done() : server.once('listening', done)))),
  );
  for (const name of Object.keys(ports)) assert.equal(await probes[name]({ port: ports[name] }), true, name);
  return { ports, close: () => servers.forEach((server) => server.close()) };
}

process.env.PATH = `${folder}${delimiter}${process.env.PATH}`;
try {
  for (const [name, check] of Object.entries(CHECKS)) {
    await check();
    console.log(`ok  ${name}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
