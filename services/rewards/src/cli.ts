import { runCommand } from './adapters/cli/run-command';

void runCommand(process.argv.slice(2)).then(({ exitCode, stdout, stderr }) => {
  process.exitCode = exitCode;
  process.stdout.write(stdout);
  process.stderr.write(stderr);
});
