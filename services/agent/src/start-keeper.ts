import { runKeeper } from './adapters/keeper/keeper';
import { RuncEngine } from './adapters/runc/runc-engine';

/** Makes this process a run-keeper: it takes its order from stdin and leaves when the container is gone and released. */
export async function startKeeper(engineType: string | undefined): Promise<void> {
  if (engineType !== 'docker') {
    return runKeeper(({ engine, containerId, runFolder }, log) => {
      if (engine.type !== 'runc') throw new Error('the order is for another engine');
      return new RuncEngine(engine.root, containerId, runFolder, log);
    });
  }
  // Docker's client loads slowly; runc's keepers must not wait for it.
  const { DockerEngine } = await import('./adapters/docker/docker-engine.js');
  runKeeper(({ engine, containerId }, log) => {
    if (engine.type !== 'docker') throw new Error('the order is for another engine');
    return new DockerEngine(engine.socket, containerId, engine.create, log);
  });
}
