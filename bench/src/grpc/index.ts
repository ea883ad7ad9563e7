import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadTls } from '@daya/nest';
import { createPlatformIdentity } from '@daya/pki';
import { bareStyle, memberStyle, serviceStyle } from './call-styles';
import { Load, type CallStyle } from './load';
import { MeasuredServer } from './measured-server';

export interface GrpcSettings {
  readonly rounds: number;
  readonly callsPerRound: number;
  readonly warmUpCalls: number;
  readonly coldCalls: number;
  readonly connections: number;
  readonly inFlight: number;
}

/** What is compared: a server of ours or plain grpc-js, and what its calls carry. */
export const SIDES = ['service', 'raw-service', 'member', 'raw-member', 'raw-bare'] as const;
export type Side = (typeof SIDES)[number];

/** Server CPU per call in microseconds: of each round, and of the very first calls of a fresh process. */
export interface GrpcFigures {
  readonly warm: Record<Side, number[]>;
  readonly cold: Record<Side, number>;
}

interface Running {
  readonly side: Side;
  readonly server: MeasuredServer;
  readonly load: Load;
}

/** Runs all servers side by side and loads one at a time, in turns that begin with another one in every round. */
export async function measureGrpc(
  runDir: string,
  settings: GrpcSettings,
  log: (line: string) => void,
): Promise<GrpcFigures> {
  const tlsFolder = join(runDir, 'identity');
  mkdirSync(join(runDir, 'logs'), { recursive: true });
  await createPlatformIdentity(tlsFolder, ['registry', 'scheduler', 'gateway']);
  const styles: Record<Side, CallStyle> = {
    service: serviceStyle(tlsFolder),
    'raw-service': serviceStyle(tlsFolder),
    member: memberStyle(tlsFolder),
    'raw-member': memberStyle(tlsFolder),
    'raw-bare': bareStyle,
  };
  const running: Running[] = [];
  try {
    for (const side of SIDES) {
      const file = side.startsWith('raw') ? 'raw-server' : 'wrapped-server';
      const server = await MeasuredServer.start(file, environment(tlsFolder), join(runDir, 'logs', `${side}.log`));
      const { ca } = loadTls(tlsFolder, 'registry');
      running.push({ side, server, load: new Load(server.port, ca, styles[side], settings.connections) });
    }
    return await inTurns(running, settings, log);
  } finally {
    for (const { server, load } of running) {
      load.close();
      await server.stop();
    }
  }
}

async function inTurns(
  running: readonly Running[],
  settings: GrpcSettings,
  log: (line: string) => void,
): Promise<GrpcFigures> {
  const figures: GrpcFigures = {
    warm: { service: [], 'raw-service': [], member: [], 'raw-member': [], 'raw-bare': [] },
    cold: { service: 0, 'raw-service': 0, member: 0, 'raw-member': 0, 'raw-bare': 0 },
  };
  const perCall = async ({ server, load }: Running, calls: number): Promise<number> => {
    const before = await server.cpuMicros();
    await load.run(calls, settings.inFlight);
    return ((await server.cpuMicros()) - before) / calls;
  };
  for (const one of running) figures.cold[one.side] = await perCall(one, settings.coldCalls);
  for (const { load } of running) await load.run(settings.warmUpCalls, settings.inFlight);
  for (let round = 0; round < settings.rounds; round += 1) {
    const first = round % running.length;
    for (const one of [...running.slice(first), ...running.slice(0, first)])
      figures.warm[one.side].push(await perCall(one, settings.callsPerRound));
    log(
      `  round ${round + 1}: ${SIDES.map((side) => `${side} ${figures.warm[side].at(-1)?.toFixed(1)}`).join(', ')} µs`,
    );
  }
  return figures;
}

const environment = (tlsFolder: string): Record<string, string> => ({
  NODE_ENV: 'production',
  BIND_ADDRESS: '127.0.0.1',
  GRPC_PORT: '0',
  ADMIN_PORT: '0',
  TLS_FOLDER: tlsFolder,
  IDENTITY_KEY_FILE: join(tlsFolder, 'registry.jwk.json'),
  JWKS_FILE: join(tlsFolder, 'jwks.json'),
  LOG_LEVEL: 'info',
});
