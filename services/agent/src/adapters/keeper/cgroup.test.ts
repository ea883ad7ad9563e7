import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyedNumber, processesIn, readCgroup } from './cgroup';

describe('cgroup counters', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cgroup-'));
    writeFileSync(join(folder, 'memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n');
    writeFileSync(join(folder, 'cpuacct.usage'), '35595365\n');
    writeFileSync(join(folder, 'memory.events'), 'low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n');
    writeFileSync(join(folder, 'cpu.stat'), 'usage_usec 1234567\nuser_usec 1\n');
    writeFileSync(join(folder, 'cgroup.procs'), '12\n345\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('version 1, also where version 2 is mounted beside it', () => {
    expect(readCgroup({ memory: folder, cpuacct: folder })).toEqual({ oomKills: 2, cpuMs: 35 });
    expect(readCgroup({ '': folder, memory: folder, cpuacct: folder })).toEqual({ oomKills: 2, cpuMs: 35 });
  });

  it('version 2', () => {
    expect(readCgroup({ '': folder })).toEqual({ oomKills: 3, cpuMs: 1_234 });
  });

  it('a folder that is gone counts nothing', () => {
    expect(readCgroup({})).toEqual({ oomKills: 0, cpuMs: 0 });
    expect(readCgroup({ '': '/nonexistent' })).toEqual({ oomKills: 0, cpuMs: 0 });
    expect(processesIn({ memory: '/nonexistent' })).toEqual([]);
  });

  it('reads whole keys only and lists processes', () => {
    expect(keyedNumber('oom_kill_disable 7\noom_kill 1\n', 'oom_kill')).toBe(1);
    expect(processesIn({ pids: folder })).toEqual([12, 345]);
  });
});
