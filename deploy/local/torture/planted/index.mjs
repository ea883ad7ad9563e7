// The catalogue of domain faults that must not live: each takes away one promise of the platform, by one exact replacement.
// `tests` are those that must turn red, the quickest first.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../lib/command.mjs';
import { BILLING } from './billing.mjs';
import { LEASES } from './leases.mjs';
import { LIBS } from './libs.mjs';
import { REWARDS } from './rewards.mjs';
import { TENANTS } from './tenants.mjs';

/** @typedef {{ project: string, files: string, servers?: boolean }} Tests */
/** @type {{ id: string, promise: string, file: string, old: string, new: string, tests: Tests[] }[]} */
export const PLANTED = [...LIBS, ...LEASES, ...BILLING, ...REWARDS, ...TENANTS];

/** Faults of the same catalogue that cannot be planted yet: what they would break does not exist. */
export const NOT_HERE = [
  ['withdrawal-renonce', 'there are no withdrawals yet: money leaves by no rail, rewards are claimed on a chain later'],
  ['challenge-reuse', 'there are no proofs of GPUs yet, so no challenges'],
  ['verdict-by-one-checker', 'there are no checkers yet: licences come as input rows and decide nothing'],
  ['timing-from-prover', 'there are no proofs of GPUs yet, so nobody measures one'],
  [
    'nonce-shorter-than-window',
    'requests carry neither nonce nor time: they are repeated under a request id, for ever',
  ],
  ['optional-nonce', 'the same; that a request id may not be left out is a field check (validations.mjs)'],
];

/** The text of a file with a planted fault in it. Throws when the source has moved: the fault must be planted anew. */
export function planted(text, { id, file, old, new: replacement }) {
  const places = text.split(old).length - 1;
  if (places !== 1)
    throw new Error(`${id}: ${file} holds its place ${places} times; adapt deploy/local/torture/planted`);
  return text.replace(old, () => replacement);
}

/** Part of `npm test`: whoever moves a promise takes its fault along. Throws at the first fault without a place. */
export function demandPlaces() {
  for (const fault of PLANTED) planted(readFileSync(join(ROOT, fault.file), 'utf8'), fault);
}
