import { isUuid, type FoundViolation } from '@daya/kernel';
import type { LeaseReport } from './report';
import { EXIT_REASONS } from './run-end';
import { isRelativePath, SPEC_LIMITS } from './validate-spec';
import { Violations } from './violations';

export const REPORT_LIMITS = {
  reportsMax: 256,
  reportIdLengthMax: 64,
  artifactsMax: 1_000,
  artifactBytesMax: 1n << 40n,
  reasonLengthMax: 64,
  exitCodeMax: 255,
} as const;

const SHA256 = /^[0-9a-f]{64}$/;
const REASON = /^[A-Z][A-Z0-9_]*$/;

/** Every violated field of every report, by its index. */
export function validateReports(reports: readonly LeaseReport[]): FoundViolation[] {
  const envelope = new Violations();
  if (!envelope.count('reports', reports.length, 1, REPORT_LIMITS.reportsMax)) return envelope.list;
  return reports.flatMap((report, index) => {
    const found = new Violations(`reports[${index}]`);
    checkReport(found, report);
    return found.list;
  });
}

function checkReport(found: Violations, { reportId, nodeId, leaseId, leaseToken, body }: LeaseReport): void {
  found.length('report_id', reportId, 1, REPORT_LIMITS.reportIdLengthMax);
  found.check('report_id', !reportId.includes('\0'), 'MALFORMED', 'must not contain U+0000');
  found.uuid('node_id', nodeId);
  found.uuid('lease_id', leaseId);
  found.check('lease_token', leaseToken >= 1n, 'OUT_OF_RANGE', 'must be at least 1');
  if (body.kind === 'REFUSED') checkReason(found, 'refused.reason', body.reason);
  if (body.kind === 'EXITED') checkExit(found, body);
}

function checkReason(found: Violations, field: string, reason: string): void {
  if (!found.length(field, reason, 1, REPORT_LIMITS.reasonLengthMax)) return;
  found.check(field, REASON.test(reason), 'MALFORMED', 'must be UPPER_SNAKE');
}

function checkExit(found: Violations, exit: Extract<LeaseReport['body'], { kind: 'EXITED' }>): void {
  found.range('exited.exit_code', exit.exitCode, 0, REPORT_LIMITS.exitCodeMax);
  found.check(
    'exited.reason',
    EXIT_REASONS.some((known) => known === exit.reason),
    'UNKNOWN_VALUE',
    `must be one of ${EXIT_REASONS.join(', ')}`,
  );
  found.check('exited.cumulative_ms', exit.cumulativeMs >= 0n, 'OUT_OF_RANGE', 'must not be negative');
  if (!found.count('exited.artifacts', exit.artifacts.length, 0, REPORT_LIMITS.artifactsMax)) return;
  const seen = new Set<string>();
  exit.artifacts.forEach(({ path, bytes, sha256 }, index) => {
    const at = `exited.artifacts[${index}]`;
    found.length(`${at}.path`, path, 1, SPEC_LIMITS.pathLengthMax);
    found.check(`${at}.path`, isRelativePath(path), 'MALFORMED', 'must be a relative path without . or .. parts');
    found.check(`${at}.path`, !seen.has(path), 'DUPLICATE', 'is reported twice');
    found.range(`${at}.bytes`, bytes, 0n, REPORT_LIMITS.artifactBytesMax);
    found.check(`${at}.sha256`, SHA256.test(sha256), 'MALFORMED', 'must be 64 hexadecimal digits');
    seen.add(path);
  });
}

/** Violations of a list of ids. */
export function validateIds(field: string, ids: readonly string[], max: number): FoundViolation[] {
  const found = new Violations();
  if (!found.count(field, ids.length, 1, max)) return found.list;
  ids.forEach((id, index) => found.check(`${field}[${index}]`, isUuid(id), 'MALFORMED', 'must be a lower-case UUID'));
  return found.list;
}
