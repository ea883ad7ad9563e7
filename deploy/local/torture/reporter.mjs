// A jest reporter that writes down each file's outcome at once: with --bail jest ends without its own report.
import { appendFileSync } from 'node:fs';

const MESSAGE_CHARACTERS = 2_000_000;

export default class Reporter {
  onTestResult(test, { testResults, testExecError, failureMessage }) {
    const failures = testResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => ({
        name: fullName,
        message: failureMessages.join('\n').slice(0, MESSAGE_CHARACTERS),
      }));
    const passed = testResults.filter(({ status }) => status === 'passed').length;
    const unloaded = testExecError && failures.length === 0 ? (failureMessage ?? testExecError.message) : undefined;
    const line = { file: test.path, passed, failures, unloaded };
    appendFileSync(process.env.DAYA_TORTURE_REPORT, `${JSON.stringify(line)}\n`);
  }
}
