/** `agent` runs the agent; `agent keeper` is what it starts for each container. */
async function main(): Promise<void> {
  const [, script = '', command, engineType] = process.argv;
  // Loaded only where they are needed: a keeper of a few megabytes starts in half the time. (Dynamic imports need the suffix.)
  if (command === 'keeper') {
    const { startKeeper } = await import('./start-keeper.js');
    return startKeeper(engineType);
  }
  const { loadConfig } = await import('./config.js');
  const config = loadConfig(process.env);
  const { PinoLog } = await import('./adapters/files/pino-log.js');
  const { startAgent } = await import('./start-agent.js');
  const { stopOnSignals } = await import('./signals.js');
  const agent = await startAgent(config, new PinoLog(config.LOG_LEVEL), [process.execPath, script, 'keeper']);
  stopOnSignals(agent);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
