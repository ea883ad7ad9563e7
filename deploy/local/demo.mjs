// `npm run demo`: from a clean clone to two paid jobs. Installs, starts real servers, builds, starts every service and five
// provider nodes, runs an AI job and a render job, explains every cent, and leaves nothing behind (`--keep`: the platform).
import { mkdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT, tool } from './lib/command.mjs';
import { install } from './lib/install.mjs';
import { Phases, seconds } from './lib/phases.mjs';
import { ensureTools, startInfra, stopOnSignals } from './infra/index.mjs';

const keep = process.argv.includes('--keep');
const json = process.argv.includes('--json');
const RUN = join(ROOT, '.daya/demo');
const phases = new Phases(json ? undefined : (line) => process.stdout.write(`${line}\n`));
const log = phases.log;

async function build() {
  await tool('nx', ['run-many', '-t', 'build', 'bundle', '--output-style=static']);
  const { buildImage } = await import('../images/build.mjs');
  const images = {};
  for (const name of ['digits', 'povray']) images[name] = await buildImage(name, { log });
  return images;
}

async function runJobs(platform, market, images) {
  const { loadJob } = await import('./jobs/load-job.mjs');
  const { uploadImage } = await import('./demo/image-upload.mjs');
  const { follow, followLog, saveArtifacts, submit } = await import('./demo/jobs.mjs');
  const { Timeline } = await import('./demo/timeline.mjs');
  const { customer } = market;
  for (const image of Object.values(images)) await uploadImage(customer.client, image);
  const digests = Object.fromEntries(Object.entries(images).map(([name, image]) => [name, image.digest]));
  const timeline = new Timeline(log, market.nodes);
  const run = async (kind) => {
    const { quote, job } = await submit(customer, await loadJob(kind, { digests }));
    timeline.line(
      kind,
      `quoted at most ${(Number(quote.totalMicros) / 1e6).toFixed(6)} USD, submitted as ${job.jobId}`,
    );
    const logs =
      kind === 'ai' ? followLog(customer.client, job.jobId, 0, (line) => timeline.line(kind, `│ ${line}`)) : undefined;
    const done = await follow(customer.client, job.jobId, (version) => timeline.change(kind, version));
    await logs;
    const artifacts = await saveArtifacts(customer.client, done, join(RUN, 'artifacts', kind));
    return {
      kind,
      job: done,
      artifacts: artifacts.map((artifact) => ({ ...artifact, path: relative(ROOT, artifact.path) })),
    };
  };
  const jobs = await Promise.all([run('render'), run('ai')]);
  return { jobs, timeline };
}

async function settle(platform, market, jobs) {
  const { ledgerResult, invoiceResult, jobResult } = await import('./demo/collect.mjs');
  const { untilSettled } = await import('./demo/jobs.mjs');
  const { epochsWith } = await import('./demo/epochs.mjs');
  const { customer, operator } = market;
  const results = [];
  for (const job of jobs)
    results.push(jobResult({ ...job, statement: await untilSettled(customer.client, job.job.jobId) }));
  const invoices = (await customer.client.list('/v1/invoices', 'invoices')).map(invoiceResult);
  const epochs = await epochsWith(platform, market);
  return { jobs: results, ledger: await ledgerResult(operator), invoices, epochs };
}

async function stopAll(market, platform, infra) {
  await Promise.all((market?.owners ?? []).flatMap((owner) => owner.agents.map((agent) => agent.stop())));
  await platform?.stop();
  await infra?.stop();
  await (await import('./platform/down.mjs')).down(RUN);
}

async function main() {
  await phases.run('install', install);
  const { down } = await import('./platform/down.mjs');
  await down(RUN);
  rmSync(RUN, { recursive: true, force: true });
  mkdirSync(RUN, { recursive: true });
  let infra, platform, market;
  try {
    await phases.run('tools', () =>
      ensureTools(['postgres', 'redis', 'kafka', 'java', 'maven', 'sandbox', 'images'], { log }),
    );
    infra = await phases.run('infra', () => startInfra({ runDir: join(RUN, 'infra'), durable: true, log }));
    const release = stopOnSignals({ stop: () => stopAll(market, platform, infra) });
    const images = await phases.run('build', build);
    const { startPlatform } = await import('./platform/launch.mjs');
    const { openMarket } = await import('./demo/market.mjs');
    const { canarySpec } = await import('./demo/canary.mjs');
    const { DEMO_TIMER_SCALE } = await import('./platform/catalogue.mjs');
    platform = await phases.run('boot', () =>
      startPlatform({ runDir: RUN, infra, timerScale: DEMO_TIMER_SCALE, canary: canarySpec(images.povray), log }),
    );
    await phases.run('boot', async () => {
      const { uploadImage } = await import('./demo/image-upload.mjs');
      const { Client } = await import('./demo/client.mjs');
      await uploadImage(new Client(platform.http, platform.operatorKey), images.povray);
      market = await openMarket(platform, log);
    });
    const { jobs, timeline } = await phases.run('jobs', () => runJobs(platform, market, images));
    const result = await phases.run('close', () => settle(platform, market, jobs));
    const broken = await finish(result, market, timeline);
    if (!keep) await phases.run('stop', () => stopAll(market, platform, infra));
    release();
    conclude(result, broken, platform);
  } catch (error) {
    await stopAll(market, platform, infra).catch((stopError) => log(`✗ while stopping: ${stopError.message}`));
    throw error;
  }
}

async function finish(result, market, timeline) {
  const { brokenPromises } = await import('./demo/collect.mjs');
  const { report } = await import('./demo/report.mjs');
  const models = new Map(
    (await market.customer.client.list('/v1/gpu-models', 'gpuModels')).map((model) => [model.gpuModelId, model]),
  );
  const names = new Map([market.customer, ...market.owners].map(({ id, name }) => [id, name]));
  log(report(result, { nodes: market.nodes, owners: market.owners, models, names }));
  return brokenPromises(result, timeline);
}

const PHASES = ['install', 'infra', 'build', 'boot', 'jobs', 'close', 'stop'];

function conclude(result, broken, platform) {
  const timings = Object.fromEntries(PHASES.map((name) => [name, phases.timingsMs[name] ?? null]));
  timings.infra = (timings.infra ?? 0) + (phases.timingsMs.tools ?? 0);
  timings.total = phases.totalMs();
  log(
    `\n${PHASES.map((name) => `${name} ${seconds(timings[name] ?? 0)}`).join(' · ')} · total ${seconds(timings.total)}`,
  );
  for (const promise of broken) log(`✗ ${promise}`);
  if (keep) log(`\nThe platform keeps running: ${platform.http} (npm run status, npm run down)`);
  if (json) process.stdout.write(`${JSON.stringify({ ...result, timings_ms: timings })}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}

main().catch((error) => {
  log(`\n✗ ${error.stack ?? error}`);
  process.exitCode = 1;
});
