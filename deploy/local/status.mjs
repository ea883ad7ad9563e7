// `npm run status`: what of the demo's platform is running, and where. Exit code 1 when something is not ready.
import { join } from 'node:path';
import { ROOT } from './lib/command.mjs';
import { readPlatform } from './platform/launch.mjs';

const platform = readPlatform(join(ROOT, '.daya/demo'));
if (platform === undefined) {
  process.stdout.write('no platform is running (npm run demo -- --keep)\n');
  process.exit(1);
}
process.stdout.write(
  `gateway   ${platform.http}  (OpenAPI: ${platform.http}/openapi.json)\npartners  ${platform.partner}  (gRPC over TLS, ca ${platform.tlsFolder}/ca.pem)\n`,
);
for (const [name, env] of Object.entries(platform.env)) {
  const reply = await fetch(`http://127.0.0.1:${env.ADMIN_PORT}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(
    () => undefined,
  );
  process.stdout.write(
    `${name.padEnd(10)}${reply?.ok ? 'ready' : 'NOT READY'}  pid ${platform.pids[name]}  metrics http://127.0.0.1:${env.ADMIN_PORT}/metrics\n`,
  );
  if (!reply?.ok) process.exitCode = 1;
}
process.stdout.write(`operator's key: in ${join('.daya/demo', 'platform.json')} (mode 0600)\n`);
