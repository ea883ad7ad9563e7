import { DomainError, FieldChecks, type Caller } from '@daya/kernel';
import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
import { PageTokens } from '@daya/postgres';
import { BillingServiceService } from '@daya/proto/billing';
import type * as proto from '@daya/proto/billing';
import { PlaceHold } from '../../application/place-hold';
import { PriceQuote } from '../../application/price-quote';
import { ReadBilling } from '../../application/read-billing';
import { RecordDeposit } from '../../application/record-deposit';
import { ReleaseHold } from '../../application/release-hold';
import {
  toProtoBalance,
  toProtoHold,
  toProtoInvoice,
  toProtoQuote,
  toProtoStatement,
  toProtoTransfer,
} from '../proto/messages';
import { fromProtoDeposit, fromProtoPlaceHold, fromProtoPriceQuote, fromProtoReleaseHold } from '../proto/requests';

/** All accounts of a small platform fit on one page. */
const TRIAL_LIMITS = { default: 200, max: 200 } as const;

@GrpcService(BillingServiceService, [PriceQuote, PlaceHold, ReleaseHold, RecordDeposit, ReadBilling, PageTokens])
export class BillingController implements GrpcHandlers<typeof BillingServiceService> {
  constructor(
    private readonly price: PriceQuote,
    private readonly place: PlaceHold,
    private readonly release: ReleaseHold,
    private readonly deposit: RecordDeposit,
    private readonly read: ReadBilling,
    private readonly pages: PageTokens,
  ) {}

  async priceQuote(request: proto.PriceQuoteRequest): Promise<proto.PriceQuoteResponse> {
    const quote = this.price.execute(fromProtoPriceQuote(request));
    return { quote: toProtoQuote(quote, quote.signature) };
  }

  async placeHold(request: proto.PlaceHoldRequest): Promise<proto.PlaceHoldResponse> {
    return { hold: toProtoHold(await this.place.execute(fromProtoPlaceHold(request))) };
  }

  async releaseHold(request: proto.ReleaseHoldRequest, { caller }: CallContext): Promise<proto.ReleaseHoldResponse> {
    const service = caller.kind === 'system' ? caller.service : caller.organisationId;
    return { hold: toProtoHold(await this.release.execute(fromProtoReleaseHold(request, service))) };
  }

  async getHold({ jobId }: proto.GetHoldRequest, { caller }: CallContext): Promise<proto.GetHoldResponse> {
    new FieldChecks().uuid('job_id', jobId).refuse();
    return { hold: toProtoHold(await this.read.hold(caller, jobId)) };
  }

  async recordDeposit(
    request: proto.RecordDepositRequest,
    { caller }: CallContext,
  ): Promise<proto.RecordDepositResponse> {
    return { transfer: toProtoTransfer(await this.deposit.execute(fromProtoDeposit(request, operatorOf(caller)))) };
  }

  async getBalance(
    { organisationId }: proto.GetBalanceRequest,
    { caller }: CallContext,
  ): Promise<proto.GetBalanceResponse> {
    new FieldChecks().optionalUuid('organisation_id', organisationId).refuse();
    return { accounts: (await this.read.balances(caller, organisationId)).map(toProtoBalance) };
  }

  async listTransfers(
    request: proto.ListTransfersRequest,
    { caller }: CallContext,
  ): Promise<proto.ListTransfersResponse> {
    const { rows, next } = await this.read.transfers(caller, this.pages.read(request, 'transfers'));
    return { transfers: rows.map(toProtoTransfer), nextPageToken: this.pages.write(next, 'transfers') };
  }

  async getJobStatement(
    { jobId }: proto.GetJobStatementRequest,
    { caller }: CallContext,
  ): Promise<proto.GetJobStatementResponse> {
    new FieldChecks().uuid('job_id', jobId).refuse();
    return { statement: toProtoStatement(await this.read.statement(caller, jobId)) };
  }

  async getInvoice({ invoiceId }: proto.GetInvoiceRequest, { caller }: CallContext): Promise<proto.GetInvoiceResponse> {
    new FieldChecks().uuid('invoice_id', invoiceId).refuse();
    return { invoice: toProtoInvoice(await this.read.invoice(caller, invoiceId)) };
  }

  async listInvoices(request: proto.ListInvoicesRequest, { caller }: CallContext): Promise<proto.ListInvoicesResponse> {
    const checks = new FieldChecks().optionalUuid('job_id', request.jobId);
    const list = `invoices/${request.jobId}`;
    const page = this.pages.read(request, list, { checks });
    const { rows, next } = await this.read.invoices(caller, request.jobId, page);
    return { invoices: rows.map(toProtoInvoice), nextPageToken: this.pages.write(next, list) };
  }

  async getTrialBalance(request: proto.GetTrialBalanceRequest): Promise<proto.GetTrialBalanceResponse> {
    const page = this.pages.read(request, 'trial-balance', { limits: TRIAL_LIMITS });
    const { rows, next, sums } = await this.read.trialBalance(page);
    return {
      accounts: rows.map(toProtoBalance),
      nextPageToken: this.pages.write(next, 'trial-balance'),
      sums: [...sums],
    };
  }
}

/** The rule of the RPC lets only the operator's members in; their organisation owns the request ids. */
function operatorOf(caller: Caller): string {
  if (caller.kind === 'member') return caller.organisationId;
  throw new DomainError('denied', 'OPERATOR_ONLY', 'a deposit is recorded by a person');
}
