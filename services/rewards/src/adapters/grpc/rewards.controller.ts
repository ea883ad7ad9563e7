import { FieldChecks } from '@daya/kernel';
import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
import { PageTokens } from '@daya/postgres';
import {
  RewardsServiceService,
  type GetEpochRequest,
  type GetEpochResponse,
  type GetRewardProofRequest,
  type GetRewardProofResponse,
  type ListEpochsRequest,
  type ListEpochsResponse,
  type ListRewardsRequest,
  type ListRewardsResponse,
} from '@daya/proto/rewards';
import { ReadEpochs } from '../../application/read-epochs';
import { REWARD_ASSETS } from '../../domain/epoch-inputs';
import { toProtoEpoch, toProtoReward } from '../proto';
import { ACCOUNT_LENGTH_MAX, assetOf, checkEpoch, epochOf, toEpochCursor } from './requests';

@GrpcService(RewardsServiceService, [ReadEpochs, PageTokens])
export class RewardsController implements GrpcHandlers<typeof RewardsServiceService> {
  constructor(
    private readonly read: ReadEpochs,
    private readonly tokens: PageTokens,
  ) {}

  async getEpoch(request: GetEpochRequest, { caller }: CallContext): Promise<GetEpochResponse> {
    checkEpoch(request).refuse();
    return { epoch: toProtoEpoch(await this.read.epoch(caller, ...epochOf(request))) };
  }

  async listEpochs(request: ListEpochsRequest, { caller }: CallContext): Promise<ListEpochsResponse> {
    const asset = assetOf(request.asset);
    const checks = new FieldChecks();
    if (request.asset !== '') checks.known('asset', asset, REWARD_ASSETS);
    const list = `epochs/${request.asset}`;
    const { size, after } = this.tokens.read(request, list, { checks });
    const rows = await this.read.epochs(caller, asset, toEpochCursor(after), size + 1);
    const page = rows.slice(0, size);
    const last = rows.length > size ? page.at(-1) : undefined;
    const cursor = last && { number: last.number.toString(), asset: last.asset };
    return { epochs: page.map(toProtoEpoch), nextPageToken: this.tokens.write(cursor, list) };
  }

  async listRewards(request: ListRewardsRequest, { caller }: CallContext): Promise<ListRewardsResponse> {
    const list = `rewards/${request.asset}/${request.number}`;
    const { size, after } = this.tokens.read(request, list, { checks: checkEpoch(request) });
    const [asset, number] = epochOf(request);
    const rows = await this.read.rewards(caller, asset, number, after?.['account'] ?? '', size + 1);
    const page = rows.slice(0, size);
    const last = rows.length > size ? page.at(-1) : undefined;
    return {
      rewards: page.map((row) => toProtoReward(asset, number, row)),
      nextPageToken: this.tokens.write(last && { account: last.account }, list),
    };
  }

  async getRewardProof(request: GetRewardProofRequest, { caller }: CallContext): Promise<GetRewardProofResponse> {
    checkEpoch(request).text('account', request.account, ACCOUNT_LENGTH_MAX).refuse();
    const { proof, ...rest } = await this.read.proof(caller, ...epochOf(request), request.account);
    return { ...rest, proof: [...proof] };
  }
}
