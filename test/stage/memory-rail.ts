/**
 * Opens a rail on a chain in memory: a test decides its blocks, its forks and what strangers spend. All else
 * is real.
 */

import { advanceChain } from '../../activities/chain/advance-chain.js'
import { followWithdrawal } from '../../activities/payouts/withdrawal/follow-withdrawal.js'
import type { BroadcastOutcome, ChainAdapter, TransactionOutcome } from '../../chains/adapter.js'
import type { Sql } from '../../db/connect.js'
import { newId } from '../../db/new-id.js'
import { loseWithdrawal } from '../../db/payouts/lose-withdrawal.js'
import { settleWithdrawal } from '../../db/payouts/settle-withdrawal.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import { ChainModel, type ModelTransaction } from './chain-model.js'
import { type Stage, startStage } from './start-stage.js'
import { testNetworks } from './test-networks.js'

/** Base units that every withdrawal of the rail pays. */
export const PAID = 10_000_000n
const STRANGER = 'ff'.repeat(20)

export interface Coin {
  readonly txid: string
  readonly vout: number
  readonly amount: bigint
}

export interface TestAttempt {
  readonly id: string
  readonly transaction: ModelTransaction
}

export interface MemoryRail {
  readonly stage: Stage
  readonly sql: Sql
  readonly model: ChainModel
  /** Faults of the node: it knows no transaction, or accepts none. */
  readonly node: { forgets: boolean; refuses: boolean }
  /** Makes a stranger's transaction with outputs of these amounts to the hot wallet. It is not mined yet. */
  fund(
    amounts: readonly bigint[],
    inputs?: readonly string[],
  ): { transaction: ModelTransaction; coins: Coin[] }
  /** Makes a stranger's transaction that spends these coins. */
  steal(coins: readonly Coin[], outputs?: ModelTransaction['outputs']): ModelTransaction
  /** Makes a withdrawal that has its hold and waits for a block, without an attempt. @returns Its id. */
  withdrawal(): Promise<string>
  /**
   * Stores a signed attempt of a withdrawal. The attempt spends these coins and returns the rest as change.
   */
  attempt(id: string, coins: readonly Coin[], fee: bigint): Promise<TestAttempt>
  /** Scans the chain up to its head. */
  scan(): Promise<void>
  /** Scans, then takes the steps that the workflow would take. @returns The stage of the withdrawal. */
  step(id: string): Promise<WithdrawalStage>
  /** Returns the base units that the books hold for withdrawals. */
  held(): Promise<bigint>
  payeeOf(kind: 'hot' | 'change'): Promise<string>
  /** Whether the next withdrawal may select this coin. */
  isFree(coin: Coin): Promise<boolean>
}

export interface MemoryRailOptions {
  /** Whether the books begin with an amount that no transaction paid. Default: true. */
  readonly credited?: boolean
  /** Variables of `testNetworks` that enable further networks. */
  readonly variables?: Record<string, string>
  /** Wraps the adapters of further networks. */
  readonly wrap?: (adapter: ChainAdapter) => ChainAdapter
}

/** Opens the rail on Bitcoin. */
export async function openMemoryRail(options: MemoryRailOptions = {}): Promise<MemoryRail> {
  const { credited = true, variables = {}, wrap = (real) => real } = options
  const networks = testNetworks({ BITCOIN_ENABLED: 'true', ...variables })
  const network = networks.get('bitcoin')
  if (!network) throw new Error('no bitcoin')
  const model = new ChainModel(network)
  const node = { forgets: false, refuses: false }
  const adapter = nodeOf(model, node)
  const stage = await startStage({
    networks,
    wrap: (real) => (real.network.name === network.name ? adapter : wrap(real)),
  })
  const { sql } = stage.api.database
  if (credited) await stage.credit('bitcoin', 'btc', '', 100n * PAID)
  await advanceChain(sql, adapter)
  const dependencies = { sql, networks, adapters: stage.adapters }
  const payees = new Map<string, string>()
  const payeeOf = async (kind: 'hot' | 'change') => {
    const { id } = await stage.wallet('bitcoin', kind)
    const [row] = await sql<
      { payee: string }[]
    >`SELECT encode(payee, 'hex') AS payee FROM addresses WHERE id = ${id}`
    return row?.payee ?? ''
  }
  for (const kind of ['hot', 'change'] as const) payees.set(kind, await payeeOf(kind))

  return {
    stage,
    sql,
    model,
    node,
    payeeOf,
    fund(amounts, inputs) {
      const payee = payees.get('hot') ?? ''
      const transaction = model.transaction(
        amounts.map((amount) => ({ payee, coin: 'btc', amount })),
        inputs,
      )
      return { transaction, coins: amounts.map((amount, vout) => ({ txid: transaction.txid, vout, amount })) }
    },
    steal: (coins, outputs = [{ payee: STRANGER, coin: 'btc', amount: 1n }]) =>
      model.transaction(outputs, coins.map(nameOf)),
    async withdrawal() {
      const to_address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
      const { status, json } = await stage.create({
        network: 'bitcoin',
        coin: 'btc',
        amount: '0.1',
        to_address,
      })
      if (status !== 201) throw new Error(JSON.stringify(json))
      await sql`UPDATE payouts SET stage = 'confirming' WHERE id = ${json.data.id}`
      return json.data.id
    },
    async attempt(id, coins, fee) {
      const hot = await stage.wallet('bitcoin', 'hot')
      const change = await stage.wallet('bitcoin', 'change')
      const left = coins.reduce((sum, coin) => sum + coin.amount, 0n) - PAID - fee
      const transaction = model.transaction(
        [
          { payee: STRANGER, coin: 'btc', amount: PAID },
          ...(left > 0n ? [{ payee: payees.get('change') ?? '', coin: 'btc', amount: left }] : []),
        ],
        coins.map(nameOf),
      )
      const attempt = newId('tx')
      const inputs = coins.map(({ txid, vout, amount }) => ({
        address_id: hot.id,
        txid,
        vout,
        amount: amount.toString(),
      }))
      const back = left > 0n ? { address_id: change.id, amount: left.toString() } : null
      await sql`
        INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount,
                                  max_fee, inputs, change, txid, signed_transaction, vsize)
        SELECT ${attempt}, ${stage.api.merchantId}, 'withdrawal', ${id}, coalesce(max(number), 0) + 1, 'bitcoin', 'signed',
               '{"family": "utxo", "network": "bitcoin", "psbt": ""}', 'btc', ${PAID.toString()}, ${fee.toString()},
               ${sql.json(inputs)}, ${back === null ? null : sql.json(back)}, ${transaction.txid}, ${transaction.txid}, 141
        FROM attempts WHERE payout_id = ${id}`
      await sql`
        INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, state, answer)
        VALUES (${newId('srq')}, ${stage.api.merchantId}, ${stage.signer.signerId}, ${attempt}, ${id}, 'signed', '{}')`
      for (const { txid, vout } of coins) {
        await sql`
          INSERT INTO utxo_reservations (network, txid, vout, payout_id, transaction_id)
          VALUES ('bitcoin', ${txid}, ${vout}, ${id}, ${attempt}) ON CONFLICT DO NOTHING`
      }
      return { id: attempt, transaction }
    },
    async scan() {
      await advanceChain(sql, adapter)
    },
    async step(id) {
      await advanceChain(sql, adapter)
      const found = await followWithdrawal(dependencies, id)
      if (found.kind === 'lost') await loseWithdrawal(sql, networks, id, found)
      if (found.kind === 'final') await settleWithdrawal(sql, networks, id, found.outcome)
      const [row] = await sql<{ stage: WithdrawalStage }[]>`SELECT stage FROM payouts WHERE id = ${id}`
      if (!row) throw new Error(`${id} is gone`)
      return row.stage
    },
    held: () => stage.balance('bitcoin', 'btc', 'reserved', '').then((balance) => -balance),
    async isFree({ txid, vout }) {
      const rows = await sql`
        SELECT FROM utxos WHERE network = 'bitcoin' AND txid = ${txid} AND vout = ${vout} AND spent_by IS NULL
          AND block_number IS NOT NULL AND NOT EXISTS (
            SELECT FROM utxo_reservations WHERE network = 'bitcoin' AND txid = ${txid} AND vout = ${vout}
              AND released_at IS NULL)`
      return rows.length === 1
    },
  }
}

export function nameOf({ txid, vout }: Pick<Coin, 'txid' | 'vout'>): string {
  return `${txid}:${vout}`
}

/**
 * Returns the model's node: it accepts what is valid on its chain, and forgets the rest. Signed bytes are the
 * txid here.
 */
function nodeOf(
  model: ChainModel,
  node: { readonly forgets: boolean; readonly refuses: boolean },
): ChainAdapter {
  const outcome = async (txid: string): Promise<TransactionOutcome> => {
    if (node.forgets) return { kind: 'unknown' }
    const block = model.blocks.find((each) =>
      each.transactions.some((transaction) => transaction.txid === txid),
    )
    if (block) {
      const confirmations = model.height - block.height + 1
      return { kind: 'mined', block, confirmations, fee: 0n, succeeded: true }
    }
    const waiting = model.mempool.get(txid)
    // A node drops a transaction whose inputs are spent or gone.
    return { kind: waiting && isValid(model, waiting) ? 'mempool' : 'unknown' }
  }
  const broadcast = async (txid: string): Promise<BroadcastOutcome> => {
    const transaction = model.known.get(txid)
    if (node.refuses || !transaction)
      return { kind: 'rejected', reason: 'insufficient_fee: mempool min fee not met' }
    if (!isValid(model, transaction)) return { kind: 'rejected', reason: 'missing_inputs: missing' }
    model.send(transaction)
    return { kind: 'accepted' }
  }
  return Object.assign(model.adapter(), { outcome, broadcast }) as ChainAdapter
}

/**
 * Whether every input exists on the canonical chain and is unspent there. Coins of strangers are not checked.
 */
export function isValid(model: ChainModel, transaction: ModelTransaction): boolean {
  const mined = model.blocks.flatMap((block) => block.transactions)
  const spent = new Set(mined.flatMap((each) => each.inputs))
  const made = new Set(mined.map((each) => each.txid))
  return transaction.inputs.every((input) => {
    const parent = input.split(':')[0] ?? ''
    return !spent.has(input) && (made.has(parent) || !model.known.has(parent))
  })
}
