import type { RunningAgent } from './start-agent';

/** SIGTERM and SIGINT stop the agent (a second one at once), SIGUSR2 drains it: the running tasks go on, nothing new is taken. */
export function stopOnSignals(agent: RunningAgent): void {
  let stopping = false;
  const stop = (): void => {
    // The keepers see the closed pipes and kill what is left.
    if (stopping) process.exit(1);
    stopping = true;
    agent.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGUSR2', () => agent.drain());
}
