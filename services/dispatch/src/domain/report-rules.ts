import { isUuid } from '@daya/kernel';
import type { Artifact, Report, ReportBody } from './frames';
import { ARTIFACTS_MAX, REPORT_BYTES_MAX } from './limits';
import { isArtifactPath, isReason, isSha256 } from './shapes';
import { reportBytes } from './weights';

export type ReportFault =
  | 'REPORT_INVALID'
  | 'REPORT_TOO_LARGE'
  | 'ARTIFACTS_TOO_MANY'
  | 'ARTIFACT_PATH_INVALID'
  | 'ARTIFACT_PATH_REPEATED'
  | 'ARTIFACT_HASH_INVALID';

/**
 * What is wrong with a report, or undefined. A broken one is answered as REFUSED and not by ending the stream: its agent
 * repeats it until it has an answer, and its leases would die with the stream.
 */
export function faultOf(report: Report): ReportFault | undefined {
  const { body } = report;
  if (body === undefined || !isUuid(report.leaseId) || report.leaseToken <= 0n) return 'REPORT_INVALID';
  if (!isUuid(report.reportId) || !hasValidReason(body)) return 'REPORT_INVALID';
  if (reportBytes(report) > REPORT_BYTES_MAX) return 'REPORT_TOO_LARGE';
  return body.kind === 'exited' ? faultOfExit(body.cumulativeMs, body.artifacts) : undefined;
}

const hasValidReason = (body: ReportBody): boolean =>
  body.kind === 'accepted' || body.kind === 'running' || isReason(body.reason);

function faultOfExit(cumulativeMs: bigint, artifacts: readonly Artifact[]): ReportFault | undefined {
  if (cumulativeMs < 0n) return 'REPORT_INVALID';
  if (artifacts.length > ARTIFACTS_MAX) return 'ARTIFACTS_TOO_MANY';
  if (artifacts.some(({ path }) => !isArtifactPath(path))) return 'ARTIFACT_PATH_INVALID';
  if (new Set(artifacts.map(({ path }) => path)).size < artifacts.length) return 'ARTIFACT_PATH_REPEATED';
  if (artifacts.some(({ sha256, bytes }) => !isSha256(sha256) || bytes < 0n)) return 'ARTIFACT_HASH_INVALID';
  return undefined;
}
