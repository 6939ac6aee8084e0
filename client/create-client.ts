/** Creates the client for merchants: it signs, retries safely, and checks every address. */

import type {
  DepositReleaseIntent,
  PeriodCloseIntent,
  PeriodReopenIntent,
  PolicyIntent,
  SettlementResumeIntent,
  WhitelistIntent,
} from '../domain/controls/intent.js'
import type { Address, AddressFilter, NewAddress } from '../wire/address.js'
import type { ApiKey, ApiKeyWithSecret, KeyRotation, NewApiKey, RevokedApiKey } from '../wire/api-key.js'
import type { AuditEntry, AuditFilter, AuditVerification } from '../wire/audit-entry.js'
import type { BalanceFilter, BalanceTotals, BalanceTotalsFilter, SpendableBalance } from '../wire/balance.js'
import type { CashierSession, NewCashierSession } from '../wire/cashier.js'
import type { Deposit, DepositAwaitingApproval, DepositFilter, DepositWithHistory } from '../wire/deposit.js'
import type { MerchantEvent } from '../wire/event.js'
import type { NetworkStatus } from '../wire/network.js'
import type { Paging } from '../wire/paging.js'
import type { Period, PeriodFilter, PeriodSummary } from '../wire/period.js'
import type { PolicyChange, PolicyUpdate, PolicyVersion } from '../wire/policy.js'
import type { Reason } from '../wire/reason.js'
import type { SettlementQuery, SettlementReport } from '../wire/report.js'
import type { PauseSettlement, ResumeSettlement, Settlement } from '../wire/settlement.js'
import type { Statement } from '../wire/statement.js'
import type { NewTransfer, Transfer, TransferFilter } from '../wire/transfer.js'
import type { NewWallet, Wallet, WalletFilter } from '../wire/wallet.js'
import type { WebhookConformance } from '../wire/webhook-conformance.js'
import type { DeliveryFilter, WebhookDelivery } from '../wire/webhook-delivery.js'
import type {
  DeletedWebhookEndpoint,
  NewWebhookEndpoint,
  ReplayRange,
  WebhookEndpoint,
  WebhookEndpointChange,
  WebhookEndpointWithSecret,
  WebhookTest,
} from '../wire/webhook-endpoint.js'
import type { NewWebhookReplay, StartedReplay, WebhookReplay } from '../wire/webhook-replay.js'
import type { StatsWindow, WebhookStats } from '../wire/webhook-stats.js'
import type { NewWhitelistEntry, WhitelistEntry, WhitelistFilter } from '../wire/whitelist.js'
import { type ClientPage, createCalls, type Sent } from './calls.js'
import { checkAddress, type ExportedXpub } from './check-address.js'
import { exceptionCalls } from './exceptions.js'
import { exportCalls } from './exports.js'
import { operatorCalls } from './operator.js'
import { paymentCalls } from './payments.js'
import { payoutCalls } from './payouts.js'
import { reconciliationCalls } from './reconciliation.js'
import { createOpener, createSender, type SenderOptions } from './send-request.js'

/** Time for a conformance test, of which the platform needs at most 90 s. */
const CONFORMANCE_MS = 100_000

export interface ClientOptions extends SenderOptions {
  /**
   * `networks` of the output of `keyturn-signer export-xpubs`. With it the client derives every returned
   * address again, and throws for a foreign one.
   */
  readonly xpubs?: readonly ExportedXpub[]
}

export type Client = ReturnType<typeof createClient>

/**
 * Creates a client. Every method throws `ApiError` for an error answer.
 *
 * @example
 * const client = createClient({ baseUrl, apiKey, apiSecret, xpubs })
 * const { address } = await client.addresses.create({ user_reference: 'user-7', network: 'bitcoin' })
 */
export function createClient(options: ClientOptions) {
  const send = createSender(options)
  const openStream = createOpener(options)
  const calls = createCalls(send)
  const { one, at, post, page, approvable } = calls
  const trusted = (address: Address): Address => {
    if (options.xpubs) checkAddress(address, options.xpubs)
    return address
  }

  return {
    /** Sends a request that has no method of its own. */
    request: send,

    addresses: {
      /**
       * Returns the user's address on a network, and creates it first if there is none. `new: true` always
       * creates one.
       */
      create: async (address: NewAddress, sent?: Sent): Promise<Address> =>
        trusted(await post('/addresses', address, sent)),
      get: async (id: string): Promise<Address> =>
        trusted(await one({ method: 'GET', path: at('/addresses', id) })),
      list: async (filter?: AddressFilter): Promise<ClientPage<Address>> => {
        const found = await page<Address>('/addresses', filter)
        found.items.forEach(trusted)
        return found
      },
    },

    payments: paymentCalls(calls, (payment) => {
      if (options.xpubs) checkAddress(payment, options.xpubs)
      return payment
    }),

    cashierSessions: {
      /** Makes a link by which a user enters the cashier once. Redirect the user to its `url` at once. */
      create: (session: NewCashierSession, sent?: Sent) =>
        post<CashierSession>('/cashier-sessions', session, sent),
    },

    deposits: {
      get: (id: string) => one<DepositWithHistory>({ method: 'GET', path: at('/deposits', id) }),
      list: (filter?: DepositFilter) => page<Deposit>('/deposits', filter),
      /**
       * Credits a held deposit. When the policy requires two approvals, it waits for them. Needs the scope
       * `admin` or the key of a reviewer.
       */
      release: (id: string, decision: Reason, sent?: Sent) =>
        post<DepositWithHistory & Partial<Pick<DepositAwaitingApproval, 'approval'>>>(
          at('/deposits', id, '/release'),
          decision,
          sent,
        ),
      /** Keeps a held deposit out of the available balance. */
      reject: (id: string, decision: Reason, sent?: Sent) =>
        post<DepositWithHistory>(at('/deposits', id, '/reject'), decision, sent),
      /** Releases that wait for two approvals. Their id stands in `approval.path`. */
      releases: approvable<DepositReleaseIntent>('/deposits/releases'),
    },

    balances: {
      list: (filter?: BalanceFilter) => page<SpendableBalance>('/balances', filter),
      /** Lists what came in, left and was paid in fees since the beginning. */
      totals: (filter?: BalanceTotalsFilter) => page<BalanceTotals>('/balances/totals', filter),
    },
    reports: {
      /** Reads how a month (`2026-11`) settled: float, and times of deposits and withdrawals. */
      settlement: (query: SettlementQuery) => page<SettlementReport>('/reports/settlement', query),
    },
    exceptions: exceptionCalls(calls),
    reconciliation: reconciliationCalls(calls),
    operator: operatorCalls(calls),
    periods: {
      /** Lists the months of the books, the newest first. */
      list: (filter?: PeriodFilter) => page<PeriodSummary>('/periods', filter),
      get: (period: string) => one<Period>({ method: 'GET', path: at('/periods', period) }),
      /** Asks for the close of a month (`2026-11`), which two other people must approve. */
      close: (period: string, sent?: Sent) => post<Period>('/periods/close', { period }, sent),
      /** Asks for the re-opening of the last closed month, which two other people must approve. */
      reopen: (period: string, body: { readonly reason?: string } = {}, sent?: Sent) =>
        post<Period>(at('/periods', period, '/reopen'), body, sent),
      ...approvable<PeriodCloseIntent | PeriodReopenIntent>('/periods'),
    },
    statements: {
      /** Reads what a month (`2026-11`) did to each coin. Provisional until the period is closed. */
      get: (period: string) => one<Statement>({ method: 'GET', path: at('/statements', period) }),
      /** Downloads the statement as a file. */
      download: (period: string, format: 'csv' | 'pdf'): Promise<Response> =>
        openStream({ method: 'GET', path: at('/statements', period), query: { format } }),
    },
    settlement: {
      get: () => one<Settlement>({ method: 'GET', path: '/settlement' }),
      /** Stops broadcasts, schedules and sweeps at once. Needs the scope `admin`, or finance or security. */
      pause: (body: PauseSettlement, sent?: Sent) => post<Settlement>('/settlement/pause', body, sent),
      /** Asks for the end of the pause. Its id stands in `approval.path`. */
      resume: (body: ResumeSettlement, sent?: Sent) => post<Settlement>('/settlement/resume', body, sent),
      resumptions: approvable<SettlementResumeIntent>('/settlement/resumptions'),
    },
    keys: {
      /** Makes an API key. Only this answer shows its secret. Needs the scope `admin`. */
      create: (key: NewApiKey, sent?: Sent) => post<ApiKeyWithSecret>('/keys', key, sent),
      list: (paging?: Paging) => page<ApiKey>('/keys', paging),
      /** Replaces key and secret. The replaced ones stay valid until the overlap is over. */
      rotate: (id: string, body: KeyRotation = {}, sent?: Sent) =>
        post<ApiKeyWithSecret>(at('/keys', id, '/rotate'), body, sent),
      revoke: (id: string) => one<RevokedApiKey>({ method: 'DELETE', path: at('/keys', id) }),
    },
    transfers: {
      /** Moves an available amount between users, or a user and the merchant (`null`), on the books alone. */
      create: (transfer: NewTransfer, sent?: Sent) => post<Transfer>('/transfers', transfer, sent),
      list: (filter?: TransferFilter) => page<Transfer>('/transfers', filter),
      get: (id: string) => one<Transfer>({ method: 'GET', path: at('/transfers', id) }),
    },
    wallets: {
      /** Lists wallets, the newest first. */
      list: (filter?: WalletFilter) => page<Wallet>('/wallets', filter),
      /** Creates a further hot wallet. Needs the scope `admin`. */
      create: (wallet: NewWallet, sent?: Sent) => post<Wallet>('/wallets', wallet, sent),
    },
    networks: { list: () => page<NetworkStatus>('/networks') },

    ...payoutCalls(calls),

    policy: {
      get: () => one<PolicyVersion>({ method: 'GET', path: '/policy' }),
      /**
       * Requests a change. Two other people must approve it. Then its tightening edits take effect; its
       * loosening edits take effect after the cool-down.
       */
      update: (update: PolicyUpdate) => one<PolicyChange>({ method: 'PUT', path: '/policy', body: update }),
      changes: {
        get: (id: string) => one<PolicyChange>({ method: 'GET', path: at('/policy/changes', id) }),
        list: (paging?: Paging) => page<PolicyChange>('/policy/changes', paging),
        /** Revokes the edits that have not taken effect yet. */
        revoke: (id: string) => one<PolicyChange>({ method: 'DELETE', path: at('/policy/changes', id) }),
        ...approvable<PolicyIntent>('/policy/changes'),
      },
    },

    whitelist: {
      create: (entry: NewWhitelistEntry, sent?: Sent) =>
        post<WhitelistEntry>('/whitelist/addresses', entry, sent),
      get: (id: string) => one<WhitelistEntry>({ method: 'GET', path: at('/whitelist/addresses', id) }),
      list: (filter?: WhitelistFilter) => page<WhitelistEntry>('/whitelist/addresses', filter),
      /** Removes an entry, with immediate effect. */
      remove: (id: string) => one<WhitelistEntry>({ method: 'DELETE', path: at('/whitelist/addresses', id) }),
      ...approvable<WhitelistIntent>('/whitelist/addresses'),
    },

    webhookEndpoints: {
      /** Registers an endpoint. Only this answer shows the secret. */
      create: (endpoint: NewWebhookEndpoint, sent?: Sent) =>
        post<WebhookEndpointWithSecret>('/webhook-endpoints', endpoint, sent),
      get: (id: string) => one<WebhookEndpoint>({ method: 'GET', path: at('/webhook-endpoints', id) }),
      list: (paging?: Paging) => page<WebhookEndpoint>('/webhook-endpoints', paging),
      update: (id: string, changes: WebhookEndpointChange) =>
        one<WebhookEndpoint>({ method: 'PATCH', path: at('/webhook-endpoints', id), body: changes }),
      remove: (id: string) =>
        one<DeletedWebhookEndpoint>({ method: 'DELETE', path: at('/webhook-endpoints', id) }),
      /** Holds the deliveries of an endpoint. Their 24 hours stand still. */
      pause: (id: string, sent?: Sent) =>
        post<WebhookEndpoint>(at('/webhook-endpoints', id, '/pause'), {}, sent),
      /** Makes a paused or disabled endpoint active. What was held is sent one at a time, by sequence. */
      resume: (id: string, sent?: Sent) =>
        post<WebhookEndpoint>(at('/webhook-endpoints', id, '/resume'), {}, sent),
      /** Makes a new secret. The old secret also signs until the grace ends. */
      rotateSecret: (id: string, grace_seconds?: number) =>
        one<WebhookEndpointWithSecret>({
          method: 'POST',
          path: at('/webhook-endpoints', id, '/rotate-secret'),
          body: grace_seconds === undefined ? {} : { grace_seconds },
        }),
      /** Ends the overlap of a rotation now: the old secret signs no longer. */
      endPreviousSecret: (id: string) =>
        one<WebhookEndpoint>({ method: 'DELETE', path: at('/webhook-endpoints', id, '/previous-secret') }),
      test: (id: string) =>
        one<WebhookTest>({
          method: 'POST',
          path: at('/webhook-endpoints', id, '/test'),
          body: {},
        }),
      /** Sends right and wrong webhooks to your consumer and reports what it answers. It takes up to 90 s. */
      conformance: (id: string, sent?: Sent) =>
        one<WebhookConformance>({
          method: 'POST',
          path: at('/webhook-endpoints', id, '/conformance'),
          body: {},
          timeoutMs: CONFORMANCE_MS,
          ...(sent?.idempotencyKey === undefined ? {} : { idempotencyKey: sent.idempotencyKey }),
        }),
      /** Returns how the endpoint did, in the last hour by default. */
      stats: (id: string, query?: StatsWindow) =>
        one<WebhookStats>({
          method: 'GET',
          path: at('/webhook-endpoints', id, '/stats'),
          ...(query?.window === undefined ? {} : { query: { window: query.window } }),
        }),
      /** Delivers the events from `since` up to `until` again. */
      replay: (id: string, range: ReplayRange) =>
        one<StartedReplay>({
          method: 'POST',
          path: at('/webhook-endpoints', id, '/replay'),
          body: range,
        }),
      replays: {
        /** Sends past events again: those that failed, those without a delivery, or all. */
        create: (id: string, replay: NewWebhookReplay, sent?: Sent) =>
          post<WebhookReplay>(at('/webhook-endpoints', id, '/replays'), replay, sent),
        list: (id: string, paging?: Paging) =>
          page<WebhookReplay>(at('/webhook-endpoints', id, '/replays'), paging),
        get: (id: string, replayId: string) =>
          one<WebhookReplay>({
            method: 'GET',
            path: at(`${at('/webhook-endpoints', id)}/replays`, replayId),
          }),
        /** Stops a replay. The few deliveries that it has under way are still sent. */
        cancel: (id: string, replayId: string) =>
          one<WebhookReplay>({
            method: 'POST',
            path: at(`${at('/webhook-endpoints', id)}/replays`, replayId, '/cancel'),
            body: {},
          }),
      },
    },

    webhookDeliveries: {
      get: (id: string) => one<WebhookDelivery>({ method: 'GET', path: at('/webhook-deliveries', id) }),
      list: (filter?: DeliveryFilter) => page<WebhookDelivery>('/webhook-deliveries', filter),
      redeliver: (id: string) =>
        one<WebhookDelivery>({ method: 'POST', path: at('/webhook-deliveries', id, '/redeliver'), body: {} }),
    },

    /** Lists the events after a sequence, the oldest first and without a gap. */
    events: (range?: { readonly after?: number; readonly limit?: number }) =>
      page<MerchantEvent>('/events', range),

    exports: exportCalls(calls, openStream),

    auditLog: {
      list: (filter?: AuditFilter) => page<AuditEntry>('/audit-log', filter),
      verify: () =>
        one<AuditVerification>({
          method: 'GET',
          path: '/audit-log/verify',
        }),
    },
  }
}
