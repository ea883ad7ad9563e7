import { JOB_NEXT, JOB_STATES, moved, RUN_NEXT, RUN_STATES, TASK_NEXT, TASK_STATES } from './states';

type Table = Readonly<Record<string, readonly string[]>>;

/** Every pair of states; `legal` lists the allowed ones as they are meant, independent of the code. */
function checkMatrix(states: readonly string[], table: Table, legal: readonly string[]): void {
  for (const from of states) {
    for (const to of states) {
      const allowed = legal.includes(`${from}>${to}`);
      if (allowed) expect(moved(table, from, to)).toBe(to);
      else expect(() => moved(table, from, to)).toThrow(`illegal move from ${from} to ${to}`);
    }
  }
}

test('a job moves only as the table says', () => {
  checkMatrix(JOB_STATES, JOB_NEXT, [
    'FUNDING>QUEUED',
    'FUNDING>REJECTED',
    'FUNDING>CANCELLED',
    'QUEUED>RUNNING',
    'QUEUED>SUCCEEDED',
    'QUEUED>FAILED',
    'QUEUED>CANCELLED',
    'RUNNING>SUCCEEDED',
    'RUNNING>FAILED',
    'RUNNING>CANCELLED',
  ]);
});

test('a task moves only as the table says', () => {
  checkMatrix(TASK_STATES, TASK_NEXT, [
    'BLOCKED>QUEUED',
    'BLOCKED>CANCELLED',
    'QUEUED>LEASED',
    'QUEUED>FAILED',
    'QUEUED>CANCELLED',
    'LEASED>RUNNING',
    'LEASED>QUEUED',
    'LEASED>SUCCEEDED',
    'LEASED>FAILED',
    'LEASED>CANCELLED',
    'RUNNING>QUEUED',
    'RUNNING>SUCCEEDED',
    'RUNNING>FAILED',
    'RUNNING>CANCELLED',
  ]);
});

test('a run moves only as the table says', () => {
  checkMatrix(RUN_STATES, RUN_NEXT, [
    'OFFERED>ACCEPTED',
    'OFFERED>RUNNING',
    'OFFERED>REFUSED',
    'OFFERED>SUCCEEDED',
    'OFFERED>FAILED',
    'OFFERED>CANCELLED',
    'OFFERED>LOST',
    'ACCEPTED>RUNNING',
    'ACCEPTED>REFUSED',
    'ACCEPTED>SUCCEEDED',
    'ACCEPTED>FAILED',
    'ACCEPTED>CANCELLED',
    'ACCEPTED>LOST',
    'RUNNING>SUCCEEDED',
    'RUNNING>FAILED',
    'RUNNING>CANCELLED',
    'RUNNING>LOST',
  ]);
});
