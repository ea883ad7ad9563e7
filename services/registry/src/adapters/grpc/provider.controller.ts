import { PageTokens } from '@daya/postgres';
import { GrpcService, type CallContext, type GrpcHandlers, type RequestOf } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import { ProviderServiceService } from '@daya/proto/registry';
import type { CertificateCheck } from '../../application/check-node-certificate';
import { ReadRegistry } from '../../application/read-registry';
import { CONNECTIVITY, OWNER_REASON, PROVIDER_KIND, wordOf } from '../proto/enums';
import { fromProtoInventory, toProtoNode, toProtoProvider } from '../proto/fleet';
import { fromProtoTime } from '../proto/times';
import { listPage } from './list-pages';
import { FleetUseCases } from './use-cases';

type Rpc = typeof ProviderServiceService;

@GrpcService(ProviderServiceService, [FleetUseCases, ReadRegistry, PageTokens])
export class ProviderController implements GrpcHandlers<Rpc> {
  constructor(
    private readonly use: FleetUseCases,
    private readonly read: ReadRegistry,
    private readonly tokens: PageTokens,
  ) {}

  async createProvider(request: RequestOf<Rpc['createProvider']>, { caller }: CallContext) {
    const command = { ...request, kind: wordOf(PROVIDER_KIND, request.kind) };
    return { provider: toProtoProvider(await this.use.createProvider.execute(caller, command)) };
  }

  async getProvider({ providerId }: RequestOf<Rpc['getProvider']>, { caller }: CallContext) {
    return { provider: toProtoProvider(await this.read.provider(caller, providerId)) };
  }

  async listProviders(request: RequestOf<Rpc['listProviders']>, { caller }: CallContext) {
    const list = { name: 'providers', load: this.read.list(caller, 'providers') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoProvider);
    return { providers: rows, nextPageToken };
  }

  async createEnrolmentToken(request: RequestOf<Rpc['createEnrolmentToken']>, { caller }: CallContext) {
    const { token, expireTime } = await this.use.createEnrolmentToken.execute(caller, request);
    return { token, expireTime: toTimestamp(expireTime) };
  }

  async enrolNode(request: RequestOf<Rpc['enrolNode']>) {
    const { nodeId, certificateChain, generation, expireTime } = await this.use.enrolNode.execute(request);
    const schedulerPublicKey = Buffer.from(this.use.policy.schedulerPublicKey);
    return { nodeId, certificateChain, schedulerPublicKey, generation, expireTime: toTimestamp(expireTime) };
  }

  async renewNodeCertificate(request: RequestOf<Rpc['renewNodeCertificate']>) {
    const { certificateChain, generation, expireTime } = await this.use.renewNodeCertificate.execute(request);
    return { certificateChain, generation, expireTime: toTimestamp(expireTime) };
  }

  async checkNodeCertificate(request: RequestOf<Rpc['checkNodeCertificate']>) {
    return toProtoCheck(await this.use.checkNodeCertificate.execute(request));
  }

  async batchCheckNodeCertificates({ certificates }: RequestOf<Rpc['batchCheckNodeCertificates']>) {
    return { checks: (await this.use.checkNodeCertificate.executeAll(certificates)).map(toProtoCheck) };
  }

  async revokeNode(request: RequestOf<Rpc['revokeNode']>, { caller }: CallContext) {
    return { node: toProtoNode(await this.use.revokeNode.execute(caller, request)) };
  }

  async reportInventory(request: RequestOf<Rpc['reportInventory']>, { caller }: CallContext) {
    const { requestId, nodeId } = request;
    const inventory = request.inventory && fromProtoInventory(request.inventory);
    return { node: toProtoNode(await this.use.reportInventory.execute(caller, { requestId, nodeId, inventory })) };
  }

  async reportConnectivity({ requestId, nodes }: RequestOf<Rpc['reportConnectivity']>, context: CallContext) {
    const heard = nodes.map(({ nodeId, connectivity, sinceTime }) => ({
      nodeId,
      connectivity: wordOf(CONNECTIVITY, connectivity),
      since: fromProtoTime(sinceTime),
    }));
    await this.use.reportConnectivity.execute(context.caller, requestId, heard, context.signal);
    return {};
  }

  async getNode({ nodeId }: RequestOf<Rpc['getNode']>, { caller }: CallContext) {
    return { node: toProtoNode(await this.read.node(caller, nodeId)) };
  }

  async listNodes(request: RequestOf<Rpc['listNodes']>, { caller }: CallContext) {
    const list = { name: 'nodes', load: this.read.list(caller, 'nodes') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoNode);
    return { nodes: rows, nextPageToken };
  }

  async updateNode({ requestId, node, updateMask }: RequestOf<Rpc['updateNode']>, { caller }: CallContext) {
    const { nodeId = '', displayName = '', region = '' } = node ?? {};
    const ownerReason = node && wordOf(OWNER_REASON, node.unschedulableReason);
    const command = { requestId, nodeId, displayName, region, ownerReason, paths: updateMask ?? [] };
    return { node: toProtoNode(await this.use.updateNode.execute(caller, command)) };
  }
}

const toProtoCheck = ({ valid, publicKey, emulated }: CertificateCheck) => ({
  valid,
  publicKey: Buffer.from(publicKey, 'hex'),
  emulated,
});
