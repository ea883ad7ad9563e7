export { Authority, createAuthority, type AuthorityPem } from './authority';
export {
  BadCertificateRequestError,
  ed25519PublicKey,
  issueNodeCertificate,
  nodeOfSubjectAltName,
  type NodeCertificate,
} from './node-certificate';
export { createPlatformIdentity } from './platform-identity';
