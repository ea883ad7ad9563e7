// Ends whatever a run folder says is running: agents, services, servers. Nothing to do is fine.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

/** Scratch of containers whose keepers were killed too: their agent unmounts it at its next start, which may never come. */
function unmountBelow(folder) {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).reverse())
    execFileSync('umount', ['-l', mount]);
}

export async function down(runDir) {
  await downAgents(runDir);
  unmountBelow(runDir);
  if (readPlatform(runDir) !== undefined) await attachPlatform(runDir).stop();
  if (existsSync(join(runDir, 'infra/infra.json'))) await (await attachInfra({ runDir: join(runDir, 'infra') })).stop();
  rmSync(join(runDir, 'platform.json'), { force: true });
}
