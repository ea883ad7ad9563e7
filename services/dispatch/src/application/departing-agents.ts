import type { AgentDirectory } from './agent-directory';

const CLOSE_MS = 3_000;
const POLL_MS = 50;

/** At the end of this process every agent is sent to the address where others of its kind answer. */
export class DepartingAgents {
  constructor(
    private readonly directory: AgentDirectory,
    private readonly agentAddress: string,
  ) {}

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves when their streams are closed, or after 3 s. */
  async stop(): Promise<void> {
    this.directory.close(this.agentAddress);
    for (let waitedMs = 0; this.directory.all().length > 0 && waitedMs < CLOSE_MS; waitedMs += POLL_MS) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
