// The platform that e2e runs against: demo timers, a canary and a small image in the store, an audit database.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../../images/build.mjs';
import { canarySpec } from '../demo/canary.mjs';
import { Client } from '../demo/client.mjs';
import { uploadImage } from '../demo/image-upload.mjs';
import { DEMO_TIMER_SCALE } from './catalogue.mjs';
import { createAuditDatabase } from './audit-database.mjs';
import { down } from './down.mjs';
import { startPlatform } from './launch.mjs';

const AUDITOR_PASSWORD = 'auditor';
/** Tests enrol by the dozen from one address. */
const TEST_ENVIRONMENT = { dispatch: { ENROL_BURST: '10000', ENROL_PER_MINUTE: '100000' } };

export async function startTestPlatform({ runDir, infra, log }) {
  const povray = await buildImage('povray', { log });
  const platform = await startPlatform({
    runDir,
    infra,
    timerScale: DEMO_TIMER_SCALE,
    canary: canarySpec(povray),
    extra: TEST_ENVIRONMENT,
    log,
  });
  await uploadImage(new Client(platform.http, platform.operatorKey), povray);
  const auditUrl = await createAuditDatabase({ infra, databases: platform.databases, password: AUDITOR_PASSWORD });
  writeFileSync(join(runDir, 'images.json'), JSON.stringify({ povray }));
  writeFileSync(join(runDir, 'audit.json'), JSON.stringify({ url: auditUrl }), { mode: 0o600 });
  return platform;
}

/** Ends agents, services and servers, whoever of them was restarted meanwhile by a test. */
export const stopTestPlatform = (runDir) => down(runDir);
