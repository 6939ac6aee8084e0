/**
 * Fills gaps in the nonces of EVM accounts. Transactions above a gap can never be mined, so a transaction
 * must use its nonce.
 */

import { type Coin, findNetwork, type Networks, nativeCoin } from '../../../domain/chain/network.js'
import type { Intent } from '../../../domain/controls/intent.js'
import { estimateFee } from '../../../domain/payouts/withdrawal-fee.js'
import { appendAudit } from '../../audit/append-audit.js'
import { postJournal } from '../../books/ledger/post-journal.js'
import { inTransaction, json, type Queryable, type Sql, type Transaction } from '../../connect.js'
import { readFeePrice } from '../../networks/read-fee-price.js'
import { newId } from '../../new-id.js'
import type { PartOutput } from '../payout-row.js'
import { holdJournal } from '../withdrawal-journals.js'

/** Most gaps that one sweep fills. The next sweep takes the next. */
const BATCH = 50
const DAY_MS = 86_400_000
/** Initiator of the rows that fill gaps. */
const SYSTEM = 'system:nonces'

interface Gap {
  readonly network: string
  readonly address: string
  readonly nonce: bigint
}

interface LastSubject {
  readonly id: string
  readonly merchant_id: string
  readonly intent: Intent | null
  readonly intent_hash: string
  readonly outputs: readonly PartOutput[] | null
}

/**
 * Creates a row of the kind `nonce_fill` for each gap that no payout has taken for so long: a transaction
 * that sends 0 from the account to itself, signed as a cancellation of the payout that had the nonce last.
 * Its workflow is started like any other.
 *
 * @param afterMs - How long a freed nonce waits for the next payout, and the pause after a fill that failed.
 * @returns The number of rows created.
 * @throws The first error, after every gap was tried.
 */
export async function fillNonceGaps(sql: Sql, networks: Networks, afterMs: number): Promise<number> {
  let filled = 0
  const failures: unknown[] = []
  for (const gap of await findGaps(sql, networks, afterMs)) {
    try {
      const made = await inTransaction(sql, (tx) => fill(tx, networks, gap))
      if (made) filled++
    } catch (error) {
      // A failure at one account does not keep another account's gap from being filled.
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return filled
}

/**
 * Finds gaps below signed transactions that are in flight. A gap with none above it waits for the next
 * payout, however long.
 */
async function findGaps(sql: Queryable, networks: Networks, afterMs: number): Promise<Gap[]> {
  return sql<Gap[]>`
    SELECT gap.network, gap.address, gap.nonce
    FROM nonces gap JOIN nonce_accounts account ON account.network = gap.network AND account.address = gap.address
    WHERE gap.state IN ('free', 'gap') AND gap.nonce >= account.base_nonce AND gap.network = ANY (${[...networks.keys()]})
      AND gap.freed_at < clock_timestamp() - ${afterMs} * interval '1 millisecond'
      AND EXISTS (
        SELECT FROM nonces above
        WHERE above.network = gap.network AND above.address = gap.address AND above.nonce > gap.nonce AND above.state = 'signed')
    ORDER BY gap.network, gap.address, gap.nonce LIMIT ${BATCH}`
}

async function fill(tx: Transaction, networks: Networks, gap: Gap): Promise<boolean> {
  await tx`SELECT FROM nonce_accounts WHERE network = ${gap.network} AND address = ${gap.address} FOR UPDATE`
  const [nonce] = await tx<{ last_payout_id: string | null }[]>`
    SELECT last_payout_id FROM nonces
    WHERE network = ${gap.network} AND address = ${gap.address} AND nonce = ${gap.nonce} AND state IN ('free', 'gap')`
  const [wallet] = await tx<{ id: string }[]>`
    SELECT id FROM addresses WHERE network = ${gap.network} AND address = ${gap.address}`
  const last = nonce?.last_payout_id ? await findSubject(tx, nonce.last_payout_id) : null
  if (!nonce || !wallet || !last?.intent) return false
  const id = newId('fil')
  await insertFill(tx, networks, id, gap, wallet.id, last)
  await tx`
    UPDATE nonces SET state = 'allocated', payout_id = ${id}
    WHERE network = ${gap.network} AND address = ${gap.address} AND nonce = ${gap.nonce}`
  await appendAudit(tx, {
    merchantId: last.merchant_id,
    actor: SYSTEM,
    action: 'nonce.gap_found',
    subject: id,
    data: { network: gap.network, address: gap.address, nonce: Number(gap.nonce), given_to: last.id },
  })
  return true
}

/** Finds the payout that had the nonce. A part of a batch has its batch's intent. */
async function findSubject(tx: Transaction, id: string): Promise<LastSubject | null> {
  const [last] = await tx<LastSubject[]>`
    SELECT withdrawal.id, withdrawal.merchant_id, coalesce(withdrawal.intent, batch.intent) AS intent,
           withdrawal.intent_hash, withdrawal.outputs
    FROM payouts withdrawal LEFT JOIN batches batch ON batch.id = withdrawal.batch_id
    WHERE withdrawal.id = ${id}`
  return last ?? null
}

async function insertFill(
  tx: Transaction,
  networks: Networks,
  id: string,
  gap: Gap,
  walletId: string,
  last: LastSubject,
): Promise<void> {
  const network = findNetwork(networks, gap.network)
  const coin: Coin = nativeCoin(network)
  const limit = network.replacement.maxCancelFee
  const price = await readFeePrice(tx, network, 'normal')
  const now = new Date()
  const terms = {
    id,
    merchant_id: last.merchant_id,
    network: network.name,
    coin: coin.name,
    amount: 0n,
    fee_coin: coin.name,
    fee_limit: limit,
    fee_payer: 'sender' as const,
    user_reference: null,
    reopened: 0,
  }
  const cause = `nonce ${gap.nonce} of ${gap.address} was given back and others wait above it`
  await tx`
    INSERT INTO payouts (
      id, kind, merchant_id, network, coin, amount, to_address, outputs, from_address_id, from_address, fee_coin, fee_estimate,
      fee_limit, stage, intent, intent_hash, initiator, required_confirmations, history, estimated_confirmation_at, expires_at,
      created_at, updated_at)
    VALUES (
      ${id}, 'nonce_fill', ${last.merchant_id}, ${network.name}, ${coin.name}, 0, ${gap.address},
      ${last.outputs === null ? null : json(tx, last.outputs)}::jsonb, ${walletId}, ${gap.address}, ${coin.name},
      ${estimateFee(network, coin, price, 0).toString()}, ${limit.toString()}, 'approved', ${json(tx, last.intent)},
      ${last.intent_hash}, ${SYSTEM}, ${network.confirmations},
      ${tx.json([{ stage: 'approved', status: 'processing', at: now.toISOString(), cause }])}, ${now},
      ${new Date(now.getTime() + DAY_MS)}, ${now}, ${now})`
  await postJournal(tx, holdJournal(terms))
}
