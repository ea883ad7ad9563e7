import { mapPath } from '@daya/kernel';
import type { Fields } from './fields';

export const ORGANISATION_KINDS = ['customer', 'provider', 'platform'] as const;
export type OrganisationKind = (typeof ORGANISATION_KINDS)[number];

/** The platform's own organisation and project: the same everywhere, so that other services can name them. */
export const PLATFORM_ORGANISATION_ID = '00000000-0000-7000-8000-000000000001';
export const PLATFORM_PROJECT_ID = '00000000-0000-7000-8000-000000000002';
export const DEFAULT_PROJECT_NAME = 'default';

const LABELS_MAX = 32;
const LABEL_KEY = /^[a-z][a-z0-9._-]{0,62}$/;
const LABEL_VALUE_LENGTH_MAX = 128;

export interface Organisation {
  readonly organisationId: string;
  readonly displayName: string;
  readonly kind: OrganisationKind;
  readonly createTime: Date;
  readonly version: bigint;
}

export interface Team {
  readonly teamId: string;
  readonly organisationId: string;
  readonly displayName: string;
  readonly createTime: Date;
}

export interface Project {
  readonly projectId: string;
  readonly organisationId: string;
  readonly teamId: string | undefined;
  readonly displayName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: Date;
  readonly version: bigint;
}

/** The next version of an aggregate with some of its fields changed. */
export function changed<T extends { readonly version: bigint }>(aggregate: T, change: Partial<T>): T {
  return { ...aggregate, ...change, version: aggregate.version + 1n };
}

/** The fields of `values` that a mask names, by their domain names. */
export function masked<T extends object>(
  values: T,
  paths: readonly string[],
  names: Readonly<Record<string, keyof T>>,
): Partial<T> {
  const picked: Partial<T> = {};
  for (const path of paths) {
    const name = names[path];
    if (name !== undefined) picked[name] = values[name];
  }
  return picked;
}

export function checkLabels(fields: Fields, field: string, labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  if (entries.length > LABELS_MAX) fields.add(field, 'TOO_MANY', `must have at most ${LABELS_MAX} labels`);
  for (const [key, value] of entries.slice(0, LABELS_MAX)) {
    const path = mapPath(field, key);
    fields.require(
      LABEL_KEY.test(key),
      path,
      'MALFORMED',
      'a key is a lower-case letter and up to 62 of a-z 0-9 . _ -',
    );
    fields.optionalText(path, value, LABEL_VALUE_LENGTH_MAX);
  }
}
