// Provider nodes on this machine: each agent is the shipped single file, in a folder of its own without node_modules.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/command.mjs';
import { ManagedProcess } from './service-process.mjs';

const BUNDLE = join(ROOT, 'services/agent/bundle/agent.js');

export class AgentProcess extends ManagedProcess {
  constructor({ platform, name, token, inventory, bundle = BUNDLE, env = {} }) {
    const folder = join(platform.runDir, 'agents', name);
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    const inFolder = (file) => join(folder, file);
    copyFileSync(bundle, inFolder('agent.js'));
    copyFileSync(join(platform.tlsFolder, 'ca.pem'), inFolder('ca.pem'));
    writeFileSync(inFolder('inventory.json'), JSON.stringify(inventory));
    super({
      name,
      program: inFolder('agent.js'),
      cwd: folder,
      logFile: join(platform.runDir, 'logs', `agent-${name}.log`),
      env: {
        PATH: process.env.PATH,
        STATE_FOLDER: inFolder('state'),
        ENROLMENT_ADDRESS: platform.enrolment,
        ENROLMENT_TOKEN: token,
        CA_CERTIFICATE_FILE: inFolder('ca.pem'),
        PLATFORM_SERVER_NAME: 'dispatch',
        INVENTORY_FILE: inFolder('inventory.json'),
        ALLOW_EMULATED_GPUS: 'true',
        CONTAINER_DRIVER: 'auto',
        // Unpacked once for all agents of this machine, and there again in the next run.
        IMAGE_FOLDER: join(ROOT, '.daya/cache/agent-images'),
        TIMER_SCALE: String(platform.timerScale),
        LOG_LEVEL: 'info',
        ...env,
      },
    });
  }

  start() {
    this.launch();
  }
}
