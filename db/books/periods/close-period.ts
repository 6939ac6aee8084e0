/** Closes a period that two people approved, in the transaction of the last decision. */

import { type PeriodBooks, periodHash } from '../../../domain/books/period-books.js'
import type { Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import type { PeriodCloseRow } from '../../controls/changes/control-change-row.js'
import { readDecimals } from '../../networks/read-decimals.js'
import type { RunBlock } from '../reconciliation/run-row.js'
import { findPeriod } from './find-window.js'
import { noteLate } from './note-late.js'
import { lockPeriods, type StoredLine, type StoredOutside } from './period-row.js'
import { isGreen, readChecklist } from './read-checklist.js'
import { readOutside } from './read-outside.js'
import { readStatement, type StatementUnits } from './read-statement.js'
import { readTrialBalance } from './read-trial-balance.js'
import { setFence } from './set-fence.js'

/**
 * Closes the period as it was signed: checks everything again, and stores the statement.
 *
 * @returns `null`, or why the period is not closed. Then the caller ends the request, which opens it again.
 */
export async function closePeriod(
  tx: Transaction,
  networks: Networks,
  change: PeriodCloseRow,
  actor: string,
): Promise<string | null> {
  const { merchant_id: merchantId, intent } = change
  const { period } = intent
  await lockPeriods(tx, merchantId)
  await tx`SET LOCAL statement_timeout = '30min'`
  const found = await findPeriod(tx, merchantId, period)
  if (found?.row?.status !== 'closing' || found.row.change_id !== change.id)
    return 'the period is no longer asked to close'
  const { row, window } = found
  const checklist = await readChecklist(
    tx,
    merchantId,
    window,
    found.followsClosed,
    row.proof ?? [],
    row.run_id,
  )
  if (!isGreen(checklist)) {
    await tx`
      UPDATE periods SET checklist = ${json(tx, checklist)} WHERE merchant_id = ${merchantId} AND period = ${period}`
    const red = checklist.filter(({ ok }) => !ok).map(({ name }) => name)
    return `the checklist is red: ${red.join(', ')}`
  }
  const books: PeriodBooks = {
    period,
    trial_balance: await readTrialBalance(tx, networks, merchantId, window.to),
    proof: row.proof ?? [],
  }
  if (periodHash(books) !== intent.hash) return 'the books are not those that were signed'
  const left = await findLeftBlock(tx, books)
  if (left !== null) return `the block of ${left} has left the chain`
  const unseen = await findUncompared(tx, books, row.run_id)
  if (unseen !== null) return `the reconciliation did not compare ${unseen} up to the block of the proof`

  const lines = await readStatement(tx, merchantId, window)
  const unequal = findUnequal(await readDecimals(tx, networks), books, lines)
  if (unequal !== null) return `the statement of ${unequal} does not close with the signed balance`
  const stored: StoredLine[] = lines.map((line) => ({
    network: line.network,
    coin: line.coin,
    opening: String(line.opening),
    in: String(line.in),
    out: String(line.out),
    fees: String(line.fees),
    transfers: String(line.transfers),
    adjustments: String(line.adjustments),
    closing: String(line.closing),
  }))
  const outside: StoredOutside[] = (await readOutside(tx, merchantId, books.proof, window.to)).map(
    ({ amount, ...each }) => ({ ...each, amount: String(amount) }),
  )
  await tx`
    UPDATE periods SET status = 'closed', checklist = ${json(tx, checklist)}, statement = ${json(tx, stored)},
      outside_books = ${json(tx, outside)}, closed_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE merchant_id = ${merchantId} AND period = ${period}`
  await setFence(tx, merchantId)
  await noteLate(tx, merchantId)
  await appendAudit(tx, {
    merchantId,
    actor,
    action: 'period.closed',
    subject: period,
    data: { request: change.id, from: intent.from, to: intent.to, hash: intent.hash, proof: books.proof },
  })
  return null
}

/** Returns the coin whose statement closes with another sum than what the signed balance has on addresses. */
function findUnequal(
  decimalsOf: Awaited<ReturnType<typeof readDecimals>>,
  { trial_balance }: PeriodBooks,
  lines: readonly StatementUnits[],
): string | null {
  const signed = new Map<string, string>()
  for (const { account, network, coin, balance } of trial_balance)
    if (account === 'chain') signed.set(`${coin} on ${network}`, balance)
  for (const { network, coin, closing } of lines) {
    const name = `${coin} on ${network}`
    const shown = formatAmount(closing, decimalsOf(network, coin))
    if (shown !== (signed.get(name) ?? '0')) return name
    signed.delete(name)
  }
  const [missing] = signed.keys()
  return missing ?? null
}

/** Returns the network of the proof whose block is known not to be on the chain. `null` if there is none. */
async function findLeftBlock(tx: Transaction, { proof }: PeriodBooks): Promise<string | null> {
  const [left] = await tx<{ network: string }[]>`
    SELECT block.network
    FROM unnest(${proof.map((each) => each.network)}::text[], ${proof.map((each) => String(each.block_number))}::bigint[],
                ${proof.map((each) => each.block_hash)}::text[]) AS block (network, height, hash)
    JOIN chain_blocks known ON known.network = block.network AND known.height = block.height
    WHERE known.hash <> block.hash LIMIT 1`
  return left?.network ?? null
}

/**
 * Returns the network of the proof that the reconciliation compared at a block below the proof's, or at another
 * block of the same height. `null` if there is none. A later block that it compared stands on the proof's, because
 * both are on the chain. A network on which the merchant has no keys is not compared.
 */
async function findUncompared(
  tx: Transaction,
  { proof }: PeriodBooks,
  runId: string | null,
): Promise<string | null> {
  const [run] = await tx<{ blocks: readonly RunBlock[] }[]>`
    SELECT blocks FROM reconciliation_runs WHERE id = ${runId}`
  const unseen = proof.find(({ network, block_number: height, block_hash: hash }) =>
    (run?.blocks ?? []).some(
      (compared) =>
        compared.network === network &&
        (compared.block_number < height ||
          (compared.block_number === height && compared.block_hash !== hash)),
    ),
  )
  return unseen?.network ?? null
}
