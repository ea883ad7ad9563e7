// Prints every phase of a long command with its seconds, so that nobody waits in the dark.

/** Runs phases one after the other or side by side and remembers how long each took. */
export class Phases {
  timingsMs = {};

  constructor(log = (line) => process.stderr.write(`${line}\n`)) {
    this.log = log;
    this.startMs = performance.now();
  }

  /** Runs `work`, adds its time to the phase `name`, and announces both ends. Errors pass through, named. */
  async run(name, work) {
    const begin = performance.now();
    this.log(`▸ ${name} …`);
    const ticker = setInterval(() => this.log(`  ${name}: ${seconds(performance.now() - begin)} so far`), 15_000);
    try {
      return await work();
    } catch (error) {
      this.log(`✗ ${name} failed after ${seconds(performance.now() - begin)}: ${error.message}`);
      throw error;
    } finally {
      clearInterval(ticker);
      const ms = Math.round(performance.now() - begin);
      this.timingsMs[name] = (this.timingsMs[name] ?? 0) + ms;
      this.log(`  ${name}: ${seconds(ms)}`);
    }
  }

  /** Milliseconds since the command began. */
  totalMs() {
    return Math.round(performance.now() - this.startMs);
  }
}

export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
