// The live timeline: one line for each thing that happens to a job, a task or a run, as it happens.
import { seconds } from '../lib/phases.mjs';
import { plain } from './jobs.mjs';

export class Timeline {
  constructor(log, nodes) {
    this.log = log;
    this.names = new Map(nodes.map((node) => [node.nodeId, node.name]));
    this.begin = performance.now();
    this.seen = new Map();
    this.nodesAtOnce = 0;
  }

  line(job, text) {
    this.log(`  ${seconds(performance.now() - this.begin).padStart(7)}  ${job.padEnd(6)} ${text}`);
  }

  /** Reports what differs from the last version of this job that was seen. */
  change(label, job) {
    this.once(`${label}`, job.state, () => this.line(label, `job ${plain(job.state)}`));
    for (const task of job.tasks ?? []) {
      const index = task.taskIndex ?? 0;
      for (const run of task.runs ?? []) {
        const where = `${this.names.get(run.nodeId) ?? run.nodeId} (EMULATED ${run.gpuModelId})`;
        const why = run.reason && run.reason !== 'EXITED' ? ` ${run.reason}` : '';
        this.once(`${label}.${index}.${run.runNumber}`, run.state, () =>
          this.line(label, `task ${index} run ${run.runNumber} ${plain(run.state)}${why} on ${where}`),
        );
      }
    }
    this.countNodes(job);
  }

  once(key, state, announce) {
    if (this.seen.get(key) === state) return;
    this.seen.set(key, state);
    announce();
  }

  countNodes(job) {
    const running = (job.tasks ?? [])
      .flatMap((task) => task.runs ?? [])
      .filter((run) => run.state === 'RUN_STATE_RUNNING');
    this.nodesAtOnce = Math.max(this.nodesAtOnce, new Set(running.map((run) => run.nodeId)).size);
  }
}
