import { spawn, spawnSync } from 'node:child_process';

const TOOLS = [
  { name: 'mmdebstrap', probe: ['mmdebstrap', '--version'], debianPackage: 'mmdebstrap' },
  // Elsewhere than on Debian (and without recommended packages) apt could not verify what it downloads.
  {
    name: "Debian's archive keys",
    probe: ['test', '-r', '/usr/share/keyrings/debian-archive-keyring.gpg'],
    debianPackage: 'debian-archive-keyring',
  },
  { name: 'tar', probe: ['tar', '--version'], debianPackage: 'tar' },
];
const WHEEL_TOOL = {
  name: 'pip for python3',
  probe: ['python3', '-m', 'pip', '--version'],
  debianPackage: 'python3-pip',
};

/**
 * Tools that a build needs and this machine lacks, with the Debian package of each.
 *
 * @param {{ wheels: boolean }} needs whether the recipe installs Python wheels
 */
export function missingTools({ wheels }) {
  return [...TOOLS, ...(wheels ? [WHEEL_TOOL] : [])].filter(({ probe: [command, ...args] }) => {
    return spawnSync(command, args, { stdio: 'ignore' }).status !== 0;
  });
}

/**
 * Runs a command to its end; its output is shown only when it fails.
 *
 * @throws {Error} with the last lines of the output
 */
export function runTool(command, args, { env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.slice(0, 3).join(' ')} … ended with ${signal ?? code}:\n${output}`));
    });
  });
}
