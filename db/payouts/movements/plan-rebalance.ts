/** Creates the movement that brings a hot wallet back between its watermarks. */

import type { Coin, Network, Networks } from '../../../domain/chain/network.js'
import { requiredApprovals } from '../../../domain/controls/multisig.js'
import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import { BROKEN_PAYOUTS, STOPPED_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import { NO_TREASURY, rebalanceOf, type Watermarks } from '../../../domain/payouts/treasury.js'
import { inTransaction, type Queryable, type Sql } from '../../connect.js'
import { findPause } from '../../controls/pauses/find-pause.js'
import { readPolicy } from '../../controls/policy/read-policy.js'
import { members } from '../../members.js'
import { estimateWithdrawal } from '../withdrawals/estimate-withdrawal.js'
import { createMovement, NO_APPROVAL } from './create-movement.js'
import type { MovedWallet } from './list-moved-wallets.js'

/** Pause after a rebalance that people rejected or let expire. */
const AGAIN_AFTER_MS = 86_400_000
/** Time that people have to approve a movement to a hot wallet. */
const APPROVAL_MS = 86_400_000

/**
 * Creates the movement: from the hot wallet to the master wallet automatically, the other way with approvals.
 * Does nothing while another movement of the two wallets in this coin is open, or settlement is paused.
 *
 * @returns The movement's id. `null` when there is nothing to do.
 */
export async function planRebalance(
  sql: Sql,
  networks: Networks,
  request: {
    readonly network: Network
    readonly coin: Coin
    readonly wallet: MovedWallet
    readonly marks: Watermarks
  },
): Promise<string | null> {
  const { network, coin, wallet, marks } = request
  const rules = network.treasury ?? NO_TREASURY
  const rail = { merchantId: wallet.merchantId, network: network.name, coin: coin.name }
  if (await findPause(sql, rail)) return null
  const [master] = await sql<{ id: string; address: string }[]>`
    SELECT id, address FROM addresses
    WHERE merchant_id = ${wallet.merchantId} AND network = ${network.name} AND kind = 'master' ORDER BY index LIMIT 1`
  if (!master) return null
  const found = rebalanceOf(await settledBalance(sql, wallet, network.name, coin.name), marks)
  if (!found || (await isRecent(sql, wallet, coin.name, rules.consolidation.retryMs))) return null
  const up = found.direction === 'to_master'
  const [from, to] = up ? [wallet, master] : [master, wallet]
  const estimate = await estimateWithdrawal(
    sql,
    wallet.merchantId,
    network,
    coin,
    found.amount,
    'normal',
    new Date(),
  )
  const reserve = coin.contract === null ? estimate.feeLimit : 0n
  const there = await settledBalance(sql, { ...wallet, id: from.id }, network.name, coin.name)
  const spare = there - reserve
  const amount = up || spare > found.amount ? found.amount : spare
  // The master wallet has nothing to give. That is reported as a low balance; people are not asked.
  if (amount <= 0n || amount < (rules.consolidation.least[coin.name] ?? 0n)) return null
  const { policy } = await readPolicy(sql, wallet.merchantId)
  const approvals = up
    ? NO_APPROVAL
    : requiredApprovals(policy.multisig_config, { network: network.name, coin, amount })
  const shown = `${formatAmount(amount, coin.decimals)} ${coin.name}`
  try {
    return await inTransaction(sql, (tx) =>
      createMovement(tx, networks, {
        kind: 'rebalance',
        merchantId: wallet.merchantId,
        network,
        coin,
        amount,
        from,
        toAddress: to.address,
        feePayer: 'sender',
        fee: estimate.fee,
        feeLimit: estimate.feeLimit,
        requirement: approvals,
        details: {
          cause: up
            ? `the hot wallet ${wallet.address} is above its high watermark: ${shown} to the master wallet`
            : `the hot wallet ${wallet.address} is below its low watermark: ${shown} from the master wallet`,
        },
        expiryMs: up ? rules.consolidation.expiryMs : APPROVAL_MS,
      }),
    )
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'INSUFFICIENT_BALANCE') return null
    throw error
  }
}

/** Returns a wallet's balance in the books, less what is leaving it. */
async function settledBalance(
  sql: Queryable,
  wallet: Pick<MovedWallet, 'id' | 'merchantId'>,
  network: string,
  coin: string,
): Promise<bigint> {
  const [row] = await sql<{ balance: bigint }[]>`
    SELECT (coalesce((SELECT balance FROM ledger_accounts
                      WHERE merchant_id = ${wallet.merchantId} AND network = ${network} AND coin = ${coin}
                        AND kind = 'chain' AND owner = ${wallet.id}), 0)
            - coalesce((SELECT sum(amount) FROM (
                SELECT DISTINCT ON (payout_id) amount FROM attempts
                WHERE from_address_id = ${wallet.id} AND coin = ${coin} AND state IN ('built', 'signed', 'broadcast', 'mined')
                ORDER BY payout_id, number DESC) leaving), 0)
            - coalesce((SELECT sum(output.amount) FROM utxo_reservations reservation
                JOIN utxos output ON output.network = reservation.network AND output.txid = reservation.txid
                  AND output.vout = reservation.vout
                WHERE output.address_id = ${wallet.id} AND reservation.network = ${network}
                  AND reservation.released_at IS NULL), 0))::numeric AS balance`
  return row?.balance ?? 0n
}

/** Whether a rebalance of this coin is open for either wallet, or was rejected or failed recently. */
async function isRecent(
  sql: Queryable,
  wallet: MovedWallet,
  coin: string,
  retryMs: number,
): Promise<boolean> {
  const rows = await sql`
    SELECT 1 FROM payouts
    WHERE merchant_id = ${wallet.merchantId} AND kind = 'rebalance' AND coin = ${coin}
      AND (from_address_id = ${wallet.id} OR to_address = ${wallet.address})
      AND CASE WHEN stage IN ${members(sql, STOPPED_PAYOUTS)}
                 THEN updated_at > clock_timestamp() - ${AGAIN_AFTER_MS} * interval '1 millisecond'
               WHEN stage IN ${members(sql, BROKEN_PAYOUTS)}
                 THEN updated_at > clock_timestamp() - ${retryMs} * interval '1 millisecond'
               ELSE stage <> 'confirmed' END
    ORDER BY updated_at DESC LIMIT 1`
  return rows.length > 0
}
