import { PageTokens } from '@daya/postgres';
import { GrpcService, type CallContext, type GrpcHandlers, type RequestOf } from '@daya/nest';
import { OfferServiceService } from '@daya/proto/registry';
import { Fields } from '../../domain/fields';
import { ReadRegistry } from '../../application/read-registry';
import { toProtoGpuModel, toProtoOffer } from '../proto/market';
import { listPage } from './list-pages';
import { MarketUseCases } from './use-cases';

type Rpc = typeof OfferServiceService;

@GrpcService(OfferServiceService, [MarketUseCases, ReadRegistry, PageTokens])
export class OfferController implements GrpcHandlers<Rpc> {
  constructor(
    private readonly use: MarketUseCases,
    private readonly read: ReadRegistry,
    private readonly tokens: PageTokens,
  ) {}

  async createOffer(request: RequestOf<Rpc['createOffer']>, { caller }: CallContext) {
    return { offer: toProtoOffer(await this.use.createOffer.execute(caller, request)) };
  }

  async getOffer({ offerId }: RequestOf<Rpc['getOffer']>, { caller }: CallContext) {
    return { offer: toProtoOffer(await this.read.offer(caller, offerId)) };
  }

  async listOffers(request: RequestOf<Rpc['listOffers']>, { caller }: CallContext) {
    const { gpuModelId, region } = request;
    const list = {
      name: 'offers',
      filter: [gpuModelId, region],
      checks: new Fields().optionalSlug('gpu_model_id', gpuModelId).optionalSlug('region', region),
      load: this.read.offers(caller, { gpuModelId, region }),
    };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoOffer);
    return { offers: rows, nextPageToken };
  }

  async updateOffer({ requestId, offer, updateMask }: RequestOf<Rpc['updateOffer']>, { caller }: CallContext) {
    const { offerId = '', priceMicrosPerGpuHour = 0n, minRentalSeconds = 0, maxRentalSeconds = 0 } = offer ?? {};
    const terms = { priceMicrosPerGpuHour, minRentalSeconds, maxRentalSeconds };
    const command = { requestId, offerId, ...terms, paths: updateMask ?? [] };
    return { offer: toProtoOffer(await this.use.updateOffer.execute(caller, command)) };
  }

  async closeOffer(request: RequestOf<Rpc['closeOffer']>, { caller }: CallContext) {
    return { offer: toProtoOffer(await this.use.closeOffer.execute(caller, request)) };
  }

  async listGpuModels(request: RequestOf<Rpc['listGpuModels']>, { caller }: CallContext) {
    const list = { name: 'models', load: this.read.list(caller, 'models') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoGpuModel);
    return { gpuModels: rows, nextPageToken };
  }

  async putScuRating(request: RequestOf<Rpc['putScuRating']>, { caller }: CallContext) {
    return { gpuModel: toProtoGpuModel(await this.use.putScuRating.execute(caller, request)) };
  }
}
