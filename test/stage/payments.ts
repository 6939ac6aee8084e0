/** Payments through the API beside a chain in memory, whose steps the test takes. */

import { expect } from 'vitest'
import { findOvertaken } from '../../activities/chain/find-overtaken.js'
import type { EvmAdapter } from '../../chains/adapter.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import type { Sql } from '../../db/connect.js'
import { advancePayment } from '../../db/payments/advance-payment.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findNetwork, type Network } from '../../domain/chain/network.js'
import { parseAmount } from '../../domain/money.js'
import type { Payment } from '../../wire/payment.js'
import type { TestTemporal } from '../support/temporal.js'
import { ChainModel, type ModelTransaction } from './chain-model.js'
import { networks, scan, settle } from './deposit-steps.js'
import { type Answer, startTestApi, type TestApi } from './test-api.js'

export interface PaymentStage {
  readonly api: TestApi
  readonly model: ChainModel
  readonly network: Network
  /** Coin of the payments, and another one of the network where it has one. */
  readonly coin: string
  /** Requests a payment of 1 coin. `fields` replace the defaults; `undefined` removes one. */
  request(fields?: Readonly<Record<string, unknown>>): Promise<Answer>
  /** As `request`, for one that has to be accepted. */
  open(fields?: Readonly<Record<string, unknown>>): Promise<Payment>
  read(id: string): Promise<Payment>
  /** Sends whole coins to an address, into the mempool. */
  send(address: string, amount: string, coin?: string, inputs?: readonly string[]): ModelTransaction
  /** Reads the mempool and new blocks. */
  look(): Promise<void>
  /** Mines so many blocks, and takes every step that becomes due. */
  mine(blocks: number): Promise<void>
  /** Removes the top blocks, and mines empty ones in their place and one more. */
  reorganise(depth: number): Promise<readonly ModelTransaction[]>
  /** Moves the end of a payment into the past, and lets its timer fire. */
  expire(id: string): Promise<void>
  /** Returns `status flags` of each event about a payment, oldest first. */
  reported(id: string): Promise<string[]>
  /** Returns the kinds of exceptions about a payment. */
  exceptions(id: string): Promise<string[]>
  close(): Promise<void>
}

/** Moves the end of a payment into the past, and lets its timer fire. */
export async function expirePayment(sql: Sql, id: string): Promise<void> {
  await sql`
    UPDATE payments SET created_at = created_at - interval '2 hours', expires_at = clock_timestamp() - interval '1 ms'
    WHERE id = ${id}`
  await advancePayment(sql, id)
}

/**
 * Starts the stage. Deposits need 3 blocks on Bitcoin and 4 on Ethereum.
 *
 * @param temporal - Where the API starts workflows. Absent: payments have none, and the stage takes their steps.
 */
export async function startPaymentStage(
  name: 'bitcoin' | 'ethereum',
  temporal?: TestTemporal,
): Promise<PaymentStage> {
  const api = await startTestApi(
    { KEYTURN_PUBLIC_URL: 'https://pay.example.com' },
    { networks, temporal: temporal ? { workflow: temporal.client.workflow } : null },
  )
  await api.enrol(api.merchantId)
  const { sql } = api.database
  await rememberCoins(sql, networks)
  const network = findNetwork(networks, name)
  const coin = network.coins[0]?.name ?? ''
  const model = new ChainModel(network)
  await scan(sql, model.adapter())
  const payeeOf = (address: string) => parseAddress(network, address).payee ?? ''
  const stage: PaymentStage = {
    api,
    model,
    network,
    coin,
    request: (fields = {}) =>
      api.call({
        method: 'POST',
        path: '/api/v1/payments',
        body: { user_reference: 'user-1', network: name, coin, amount: '1', ...fields },
      }),
    async open(fields) {
      const { status, json } = await stage.request(fields)
      expect(json).toMatchObject({ success: true })
      expect(status).toBe(201)
      return json.data
    },
    read: async (id) => (await api.call({ path: `/api/v1/payments/${id}` })).json.data,
    send(address, amount, paid = coin, inputs) {
      const decimals = network.coins.find((each) => each.name === paid)?.decimals ?? 0
      return model.send(
        model.transaction(
          [{ payee: payeeOf(address), coin: paid, amount: parseAmount(amount, decimals) }],
          inputs,
        ),
      )
    },
    look: () => scan(sql, model.adapter()),
    async mine(blocks) {
      for (let block = 0; block < blocks; block++) {
        model.mine()
        await scan(sql, model.adapter())
      }
      await settle(sql)
    },
    async reorganise(depth) {
      const lost = model.orphan(depth)
      for (let block = 0; block <= depth; block++) model.mine([])
      await scan(sql, model.adapter())
      if (network.family === 'evm') await findOvertaken(sql, model.adapter() as EvmAdapter)
      return lost
    },
    expire: (id) => expirePayment(sql, id),
    async reported(id) {
      const rows = await sql<{ reported: string }[]>`
        SELECT trim((data ->> 'status') || ' ' || translate(data ->> 'flags', '[]",', '')) AS reported FROM events
        WHERE type = 'payment.status_changed' AND subject = ${id} ORDER BY position`
      return rows.map((row) => row.reported)
    },
    async exceptions(id) {
      const rows = await sql<{ kind: string }[]>`
        SELECT data ->> 'kind' AS kind FROM events
        WHERE type = 'exception.raised' AND subject = ${id} ORDER BY position`
      return rows.map((row) => row.kind)
    },
    close: () => api.database.drop(),
  }
  return stage
}
