import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
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
import { toProtoEpoch, toProtoReward } from '../proto';
import { PageTokens, RequestFields, toEpochCursor } from './requests';

@GrpcService(RewardsServiceService, [ReadEpochs, PageTokens])
export class RewardsController implements GrpcHandlers<typeof RewardsServiceService> {
  constructor(
    private readonly read: ReadEpochs,
    private readonly tokens: PageTokens,
  ) {}

  async getEpoch(request: GetEpochRequest, { caller }: CallContext): Promise<GetEpochResponse> {
    const fields = new RequestFields();
    const [number, asset] = [fields.number(request.number), fields.asset(request.asset)];
    fields.refuse();
    return { epoch: toProtoEpoch(await this.read.epoch(caller, asset, number)) };
  }

  async listEpochs(request: ListEpochsRequest, { caller }: CallContext): Promise<ListEpochsResponse> {
    const fields = new RequestFields();
    const limit = fields.pageSize(request.pageSize);
    const token = fields.pageToken(request.pageToken);
    const asset = request.asset === '' ? undefined : fields.asset(request.asset);
    fields.refuse();
    const list = `epochs/${request.asset}`;
    const rows = await this.read.epochs(caller, asset, toEpochCursor(this.tokens.decode(list, token)), limit + 1);
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      epochs: page.map(toProtoEpoch),
      nextPageToken:
        last === undefined ? '' : this.tokens.encode(list, { number: last.number.toString(), asset: last.asset }),
    };
  }

  async listRewards(request: ListRewardsRequest, { caller }: CallContext): Promise<ListRewardsResponse> {
    const fields = new RequestFields();
    const [number, asset] = [fields.number(request.number), fields.asset(request.asset)];
    const [limit, token] = [fields.pageSize(request.pageSize), fields.pageToken(request.pageToken)];
    fields.refuse();
    const list = `rewards/${asset}/${number}`;
    const rows = await this.read.rewards(
      caller,
      asset,
      number,
      this.tokens.decode(list, token)?.['account'] ?? '',
      limit + 1,
    );
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      rewards: page.map((row) => toProtoReward(asset, number, row)),
      nextPageToken: last === undefined ? '' : this.tokens.encode(list, { account: last.account }),
    };
  }

  async getRewardProof(request: GetRewardProofRequest, { caller }: CallContext): Promise<GetRewardProofResponse> {
    const fields = new RequestFields();
    const [number, asset] = [fields.number(request.number), fields.asset(request.asset)];
    const account = fields.account(request.account);
    fields.refuse();
    const { proof, ...rest } = await this.read.proof(caller, asset, number, account);
    return { ...rest, proof: [...proof] };
  }
}
