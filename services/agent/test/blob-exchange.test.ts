import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

test('an upload that breaks while its file is being read is tried again; the agent lives on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'daya-upload-'));
  const outfile = join(folder, 'broken-upload.js');
  buildSync({
    entryPoints: [join(__dirname, 'support/broken-upload.ts')],
    bundle: true,
    platform: 'node',
    outfile,
    logLevel: 'silent',
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8', timeout: 20_000 });
  rmSync(folder, { recursive: true });

  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'delivered at try 2', stderr: '' });
});
