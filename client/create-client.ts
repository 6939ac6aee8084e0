/** The TypeScript client for merchants: signed, typed, safe to retry, and suspicious of addresses. */

import type { EventEnvelope } from '../domain/event.js'
import type { Intent, PolicyIntent, WhitelistIntent } from '../domain/intent.js'
import type { PolicyUpdate } from '../domain/policy.js'
import { checkAddress, type ExportedXpub } from './check-address.js'
import { createSender, type Pagination, type Request, type SenderOptions } from './send-request.js'
import type {
  Address,
  Approval,
  ApprovalDecision,
  AuditEntry,
  Balance,
  BalanceFilter,
  Deposit,
  DepositFilter,
  NetworkStatus,
  NewAddress,
  NewWebhookEndpoint,
  NewWhitelistEntry,
  NewWithdrawal,
  Paging,
  PolicyChange,
  PolicyVersion,
  ReviewDecision,
  Wallet,
  WebhookDelivery,
  WebhookEndpoint,
  WhitelistEntry,
  WhitelistFilter,
  Withdrawal,
  WithdrawalFilter,
} from './types.js'

export interface ClientOptions extends SenderOptions {
  /** `networks` of what `keyturn-signer export-xpubs` printed; with it every returned address is derived anew and a foreign one throws. */
  readonly xpubs?: readonly ExportedXpub[]
}

/** A page of a list. */
export interface ClientPage<T> {
  readonly items: readonly T[]
  readonly pagination: Pagination
}

interface Sent {
  /** Give your own (e.g. your order's id) to be safe across restarts of yours. */
  readonly idempotencyKey?: string
}

export type Client = ReturnType<typeof createClient>

/**
 * Makes a client. Every method throws `ApiError` for an error answer.
 *
 * @example
 * const client = createClient({ baseUrl, apiKey, apiSecret, xpubs })
 * const { address } = await client.addresses.create({ user_reference: 'user-7', network: 'bitcoin' })
 */
export function createClient(options: ClientOptions) {
  const send = createSender(options)
  const one = async <T>(request: Request): Promise<T> => (await send<T>(request)).data
  const page = async <T>(path: string, query: object = {}): Promise<ClientPage<T>> => {
    const { data, pagination } = await send<readonly T[]>({ method: 'GET', path, query: { ...query } })
    if (!pagination) throw new Error(`${path} did not answer with a page`)
    return { items: data, pagination }
  }
  const trusted = (address: Address): Address => {
    if (options.xpubs) checkAddress(address, options.xpubs)
    return address
  }
  const at = (path: string, id: string, rest = ''): string => `${path}/${encodeURIComponent(id)}${rest}`
  const key = (sent: Sent | undefined) =>
    sent?.idempotencyKey === undefined ? {} : { idempotencyKey: sent.idempotencyKey }

  const approvable = <T>(path: string) => ({
    /** What approvers sign. */
    intent: (id: string) =>
      one<{ readonly intent: T; readonly intent_hash: string }>({
        method: 'GET',
        path: at(path, id, '/intent'),
      }),
    /** With an approver's own key. */
    decide: (id: string, decision: ApprovalDecision, sent?: Sent) =>
      one<Approval>({ method: 'POST', path: at(path, id, '/approvals'), body: decision, ...key(sent) }),
  })

  return {
    /** For what has no method of its own. */
    request: send,

    addresses: {
      /** The user's address on a network; a fresh one with `new: true`. */
      create: async (address: NewAddress, sent?: Sent): Promise<Address> =>
        trusted(await one({ method: 'POST', path: '/addresses', body: address, ...key(sent) })),
      get: async (id: string): Promise<Address> =>
        trusted(await one({ method: 'GET', path: at('/addresses', id) })),
      list: async (
        filter?: Paging &
          Partial<Pick<Address, 'network' | 'address'>> & { readonly user_reference?: string },
      ): Promise<ClientPage<Address>> => {
        const found = await page<Address>('/addresses', filter)
        found.items.forEach(trusted)
        return found
      },
    },

    deposits: {
      get: (id: string) => one<Deposit>({ method: 'GET', path: at('/deposits', id) }),
      list: (filter?: DepositFilter) => page<Deposit>('/deposits', filter),
    },

    balances: { list: (filter?: BalanceFilter) => page<Balance>('/balances', filter) },
    wallets: { list: () => page<Wallet>('/wallets') },
    networks: { list: () => page<NetworkStatus>('/networks') },

    withdrawals: {
      create: (withdrawal: NewWithdrawal, sent?: Sent) =>
        one<Withdrawal>({ method: 'POST', path: '/withdrawals', body: withdrawal, ...key(sent) }),
      /** The fee for every priority. */
      estimate: (withdrawal: Pick<NewWithdrawal, 'network' | 'coin' | 'amount' | 'to_address'>) =>
        one<Readonly<Record<string, unknown>>>({
          method: 'POST',
          path: '/withdrawals/estimate',
          body: withdrawal,
        }),
      get: (id: string) => one<Withdrawal>({ method: 'GET', path: at('/withdrawals', id) }),
      list: (filter?: WithdrawalFilter) => page<Withdrawal>('/withdrawals', filter),
      /** Only while it is pending. */
      cancel: (id: string) => one<Withdrawal>({ method: 'DELETE', path: at('/withdrawals', id) }),
      /** With the key of a person who may review and did not ask for it. */
      review: (id: string, decision: ReviewDecision, sent?: Sent) =>
        one<Withdrawal>({
          method: 'POST',
          path: at('/withdrawals', id, '/review'),
          body: decision,
          ...key(sent),
        }),
      ...approvable<Intent>('/withdrawals'),
    },

    policy: {
      get: () => one<PolicyVersion>({ method: 'GET', path: '/policy' }),
      /** Asks for a change; what tightens holds once two others approved it, what loosens after the cool-down. */
      update: (update: PolicyUpdate) => one<PolicyChange>({ method: 'PUT', path: '/policy', body: update }),
      changes: {
        get: (id: string) => one<PolicyChange>({ method: 'GET', path: at('/policy/changes', id) }),
        list: (paging?: Paging) => page<PolicyChange>('/policy/changes', paging),
        /** Takes back what does not hold yet. */
        revoke: (id: string) => one<PolicyChange>({ method: 'DELETE', path: at('/policy/changes', id) }),
        ...approvable<PolicyIntent>('/policy/changes'),
      },
    },

    whitelist: {
      create: (entry: NewWhitelistEntry, sent?: Sent) =>
        one<WhitelistEntry>({ method: 'POST', path: '/whitelist/addresses', body: entry, ...key(sent) }),
      get: (id: string) => one<WhitelistEntry>({ method: 'GET', path: at('/whitelist/addresses', id) }),
      list: (filter?: WhitelistFilter) => page<WhitelistEntry>('/whitelist/addresses', filter),
      /** At once. */
      remove: (id: string) => one<WhitelistEntry>({ method: 'DELETE', path: at('/whitelist/addresses', id) }),
      ...approvable<WhitelistIntent>('/whitelist/addresses'),
    },

    webhookEndpoints: {
      /** The secret is in this answer and never again. */
      create: (endpoint: NewWebhookEndpoint, sent?: Sent) =>
        one<WebhookEndpoint & { readonly secret: string }>({
          method: 'POST',
          path: '/webhook-endpoints',
          body: endpoint,
          ...key(sent),
        }),
      get: (id: string) => one<WebhookEndpoint>({ method: 'GET', path: at('/webhook-endpoints', id) }),
      list: (paging?: Paging) => page<WebhookEndpoint>('/webhook-endpoints', paging),
      update: (
        id: string,
        changes: Partial<NewWebhookEndpoint> & { readonly status?: 'active' | 'disabled' },
      ) => one<WebhookEndpoint>({ method: 'PATCH', path: at('/webhook-endpoints', id), body: changes }),
      remove: (id: string) => one<WebhookEndpoint>({ method: 'DELETE', path: at('/webhook-endpoints', id) }),
      /** The old secret keeps signing beside the new one for the grace. */
      rotateSecret: (id: string, grace_seconds?: number) =>
        one<WebhookEndpoint & { readonly secret: string }>({
          method: 'POST',
          path: at('/webhook-endpoints', id, '/rotate-secret'),
          body: grace_seconds === undefined ? {} : { grace_seconds },
        }),
      test: (id: string) =>
        one<{ readonly event_id: string; readonly delivery_id: string }>({
          method: 'POST',
          path: at('/webhook-endpoints', id, '/test'),
          body: {},
        }),
      /** Delivers what happened from `since` up to `until` again. */
      replay: (
        id: string,
        range: { readonly since: string; readonly until: string; readonly event_types?: readonly string[] },
      ) =>
        one<{ readonly deliveries: number }>({
          method: 'POST',
          path: at('/webhook-endpoints', id, '/replay'),
          body: range,
        }),
    },

    webhookDeliveries: {
      get: (id: string) => one<WebhookDelivery>({ method: 'GET', path: at('/webhook-deliveries', id) }),
      list: (
        filter?: Paging & { readonly endpoint_id?: string; readonly status?: WebhookDelivery['status'] },
      ) => page<WebhookDelivery>('/webhook-deliveries', filter),
      redeliver: (id: string) =>
        one<WebhookDelivery>({ method: 'POST', path: at('/webhook-deliveries', id, '/redeliver'), body: {} }),
    },

    /** Events after a sequence, oldest first and without a gap. */
    events: (range?: { readonly after?: number; readonly limit?: number }) =>
      page<EventEnvelope>('/events', range),

    auditLog: {
      list: (paging?: Paging) => page<AuditEntry>('/audit-log', paging),
      verify: () =>
        one<{ readonly valid: boolean; readonly entries: number; readonly head_hash: string }>({
          method: 'GET',
          path: '/audit-log/verify',
        }),
    },
  }
}
