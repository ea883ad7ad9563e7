// Ends whatever a run folder says is running: agents, services, servers. Nothing to do is fine.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attachInfra } from '../infra/index.mjs';
import { readPlatform } from './launch.mjs';

const PATIENCE_MS = 15_000;

const alive = (pid, marker) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(marker);
  } catch {
    return false;
  }
};

async function end(pid, marker) {
  if (!alive(pid, marker)) return;
  process.kill(pid, 'SIGTERM');
  const deadline = Date.now() + PATIENCE_MS;
  while (alive(pid, marker) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  if (alive(pid, marker)) process.kill(pid, 'SIGKILL');
}

/** Agents carry their folder in their command line, services their dist file; no other process is touched. */
export async function down(runDir, log) {
  const agents = join(runDir, 'agents');
  const folders = existsSync(agents) ? readdirSync(agents) : [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const name of folders)
      if (alive(pid, join(agents, name, 'agent.js'))) await end(Number(pid), join(agents, name, 'agent.js'));
  }
  for (const [name, pid] of Object.entries(readPlatform(runDir)?.pids ?? {}).reverse()) {
    await end(pid, `services/${name}/dist/main.js`);
    log(`  ${name} has ended`);
  }
  if (existsSync(join(runDir, 'infra/infra.json'))) await (await attachInfra({ runDir: join(runDir, 'infra') })).stop();
  rmSync(join(runDir, 'platform.json'), { force: true });
}
