import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from './config';
import type { ConfigError } from './config';

const GOOD = { STATE_FOLDER: '/state', ENROLMENT_ADDRESS: 'localhost:7000', CA_CERTIFICATE_FILE: '/ca.pem' };

describe('configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-config-'));
  const file = join(folder, 'agent.json');
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has defaults for all but three settings', () => {
    expect(loadConfig(GOOD)).toMatchObject({
      ALLOW_EMULATED_GPUS: false,
      ALLOW_NETWORK: false,
      CONTAINER_DRIVER: 'auto',
      TIMER_SCALE: 1,
    });
  });

  it('names every problem at once and repeats no value', () => {
    const problems = ((): readonly string[] => {
      try {
        loadConfig({
          STATE_FOLDER: 'relative',
          ENROLMENT_ADDRESS: 'nowhere',
          ALLOW_NETWORK: 'yes',
          ENROLMENT_TOKEN: 'secret',
          TIMER_SCALE: '2',
        });
      } catch (error) {
        return (error as ConfigError).problems;
      }
      return [];
    })();
    expect(problems).toHaveLength(5);
    expect(problems.join()).toContain('CA_CERTIFICATE_FILE is missing');
    expect(problems.join()).not.toContain('secret');
  });

  it('reads a file, and the environment wins', () => {
    writeFileSync(file, JSON.stringify({ ...GOOD, ALLOW_NETWORK: true, PIDS_LIMIT: 99 }));
    expect(loadConfig({ AGENT_CONFIG_FILE: file, PIDS_LIMIT: '7' })).toMatchObject({
      STATE_FOLDER: '/state',
      ALLOW_NETWORK: true,
      PIDS_LIMIT: 7,
    });
  });

  it.each<[string, string, string]>([
    ['not JSON', '{', 'is not JSON'],
    ['a list', '[]', 'not a JSON object'],
    ['an unknown setting', '{"STATE_FOLDR":"/x"}', 'STATE_FOLDR is not a setting'],
  ])('refuses a file that is %s', (_name, content, message) => {
    writeFileSync(file, content);
    expect(() => loadConfig({ ...GOOD, AGENT_CONFIG_FILE: file })).toThrow(message);
  });
});
