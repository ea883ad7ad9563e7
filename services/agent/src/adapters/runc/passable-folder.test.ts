import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { passableFolder } from './passable-folder';

describe('a folder that a user namespace can reach', () => {
  it('is the wanted one, or one below /var/tmp when a parent is private', () => {
    const home = mkdtempSync(join(tmpdir(), 'passable-'));
    chmodSync(home, 0o711);
    const wanted = join(home, 'deep', 'images');
    expect(passableFolder(wanted)).toBe(wanted);
    chmodSync(home, 0o700);
    const instead = passableFolder(wanted);
    expect(instead).toMatch(/^\/var\/tmp\/daya-agent-[0-9a-f]{16}$/);
    expect(passableFolder(wanted)).toBe(instead);
    expect(passableFolder(join(home, 'other'))).not.toBe(instead);
    rmSync(instead, { recursive: true });
    rmSync(passableFolder(join(home, 'other')), { recursive: true });
    rmSync(home, { recursive: true });
  });
});
