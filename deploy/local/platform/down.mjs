// Ends whatever a run folder says is running: agents, services, servers. Nothing to do is fine.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attachInfra } from '../infra/index.mjs';
import { attachPlatform, readPlatform } from './launch.mjs';
import { ManagedProcess } from './service-process.mjs';

/** Agents carry their folder in their command line; no other process is touched. */
export async function downAgents(runDir) {
  const agents = join(runDir, 'agents');
  const programs = existsSync(agents) ? readdirSync(agents).map((name) => join(agents, name, 'agent.js')) : [];
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const running = pids.flatMap((pid) => programs.map((program) => new ManagedProcess({ name: program, program, pid })));
  // Keepers carry the same file; they end with their agent.
  await Promise.all(running.filter((candidate) => candidate.isAlive()).map((agent) => agent.stop()));
}

export async function down(runDir) {
  await downAgents(runDir);
  if (readPlatform(runDir) !== undefined) await attachPlatform(runDir).stop();
  if (existsSync(join(runDir, 'infra/infra.json'))) await (await attachInfra({ runDir: join(runDir, 'infra') })).stop();
  rmSync(join(runDir, 'platform.json'), { force: true });
}
