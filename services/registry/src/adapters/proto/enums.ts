import {
  AdmissionState as AdmissionProto,
  Connectivity as ConnectivityProto,
  OfferState,
  OrganisationKind as OrganisationProto,
  ProviderKind as ProviderProto,
  UnschedulableReason as UnschedulableProto,
} from '@daya/proto/registry';
import type { AdmissionState, Connectivity, OwnerReason, UnschedulableReason } from '../../domain/node';
import type { Offer } from '../../domain/offer';
import type { OrganisationKind } from '../../domain/organisation';
import type { ProviderKind } from '../../domain/provider';

export const ORGANISATION_KIND: Readonly<Record<OrganisationKind, OrganisationProto>> = {
  customer: OrganisationProto.CUSTOMER,
  provider: OrganisationProto.PROVIDER,
  platform: OrganisationProto.PLATFORM,
};

export const PROVIDER_KIND: Readonly<Record<ProviderKind, ProviderProto>> = {
  individual: ProviderProto.INDIVIDUAL,
  institution: ProviderProto.INSTITUTION,
};

export const CONNECTIVITY: Readonly<Record<Connectivity, ConnectivityProto>> = {
  online: ConnectivityProto.ONLINE,
  suspect: ConnectivityProto.SUSPECT,
  lost: ConnectivityProto.LOST,
};

export const UNSCHEDULABLE_REASON: Readonly<Record<UnschedulableReason, UnschedulableProto>> = {
  'not-admitted': UnschedulableProto.NOT_ADMITTED,
  draining: UnschedulableProto.DRAINING,
  maintenance: UnschedulableProto.MAINTENANCE,
  revoked: UnschedulableProto.REVOKED,
  'gpu-bound-elsewhere': UnschedulableProto.GPU_BOUND_ELSEWHERE,
};

/** What an owner may say about their node. */
export const OWNER_REASON: Readonly<Record<OwnerReason, UnschedulableProto>> = {
  none: UnschedulableProto.UNSPECIFIED,
  draining: UnschedulableProto.DRAINING,
  maintenance: UnschedulableProto.MAINTENANCE,
};

export const ADMISSION_STATE: Readonly<Record<AdmissionState, AdmissionProto>> = {
  pending: AdmissionProto.PENDING,
  admitted: AdmissionProto.ADMITTED,
  refused: AdmissionProto.REFUSED,
};

export const OFFER_STATE: Readonly<Record<Offer['state'], OfferState>> = {
  open: OfferState.OPEN,
  closed: OfferState.CLOSED,
};

/** The domain's word for a proto value; undefined for unspecified and unknown ones. */
export function wordOf<K extends string, V extends string>(table: Readonly<Record<K, V>>, value: V): K | undefined {
  return (Object.keys(table) as K[]).find((word) => table[word] === value);
}
