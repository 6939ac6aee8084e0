/** Takes back what was booked of rises of balances that are none, or not as high. */

import { knownCoin, type Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { appendAudit } from '../audit/append-audit.js'
import { balanceChanged } from '../books/balances/balance-changed.js'
import { type NewException, raiseExceptions } from '../books/exceptions/raise-exception.js'
import { reverseJournal } from '../books/ledger/reverse-journal.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'

/** A rise, of which only what is booked is taken back. */
export interface TakenBack {
  readonly merchantId: string
  readonly addressId: string
  readonly address: string
  readonly coin: string
  /** Journal that booked it. `null`: nothing did. */
  readonly journalId: bigint | null
}

/** Why bookings are taken back, with the facts that prove it. */
export type Undoing =
  | { readonly by: 'reorg'; readonly evidence: Readonly<Record<string, unknown>> }
  /** A deposit has the coins, and is credited to `owner` (the merchant itself: `''`). */
  | { readonly by: 'deposit'; readonly owner: string; readonly evidence: Readonly<Record<string, unknown>> }

interface Credit {
  /** Exception that was resolved by it. */
  readonly reference: string
  readonly owner: string
  readonly amount: bigint
}

/**
 * Reverses the journals, each once. If the owner has spent the coins meanwhile, their balance becomes negative. An
 * exception names each booking whose owner is not credited by a deposit instead.
 *
 * @returns The events to append.
 */
export async function takeBackRises(
  tx: Transaction,
  network: Network,
  rises: readonly TakenBack[],
  undoing: Undoing,
): Promise<NewEvent[]> {
  const events: NewEvent[] = []
  const lost: NewException[] = []
  for (const { merchantId, addressId, address, coin, journalId } of rises) {
    if (journalId === null) continue
    const { reference, owner, amount } = await readCredit(tx, journalId)
    await reverseJournal(tx, {
      merchantId,
      journalId,
      idempotencyKey: `rise:${journalId}:reverted`,
      type: 'deposit.rise_reverted',
      reference,
    })
    const { decimals } = knownCoin(network, coin)
    const party = owner === '' ? null : owner
    const account = { merchantId, network: network.name, coin, decimals, party }
    const event = await balanceChanged(tx, {
      ...account,
      available: -amount,
      reserved: 0n,
      subject: reference,
    })
    events.push(event)
    const evidence = {
      network: network.name,
      address,
      coin,
      amount: formatAmount(amount, decimals),
      exception_id: reference,
      ...undoing.evidence,
    }
    await appendAudit(tx, {
      merchantId,
      actor: 'system:chain-watcher',
      action: 'balance_rise.reverted',
      subject: addressId,
      data: { ...evidence, user_reference: party },
    })
    if (undoing.by === 'deposit' && undoing.owner === owner) continue
    const isSpent = party !== null && (await isOverdrawn(tx, merchantId, network.name, coin, owner))
    lost.push({
      merchantId,
      ...TERMS[undoing.by],
      cause: `rise_reverted:${journalId}`,
      ...(isSpent ? { severity: 'critical' as const } : {}),
      subject: { type: 'address', id: addressId },
      expected: formatAmount(amount, decimals),
      actual: '0',
      userReference: party,
      evidence,
    })
  }
  return [...events, ...(await raiseExceptions(tx, lost))]
}

const TERMS = {
  reorg: {
    kind: 'reorged',
    detail: 'balance.rise_reverted',
    reason:
      'The chain took back the block at which coins were found that two people had credited; the credit was taken back. Coins that are still there are found again',
  },
  deposit: {
    kind: 'unattributed',
    detail: 'balance.rise_explained',
    reason:
      'A transaction was found for coins that two people had credited to someone else than the owner of the address; that credit was taken back, and the owner gets the deposit',
  },
} as const satisfies Readonly<
  Record<Undoing['by'], Pick<NewException, 'kind' | 'reason'> & { readonly detail: string }>
>

async function readCredit(tx: Transaction, journalId: bigint): Promise<Credit> {
  const [credit] = await tx<Credit[]>`
    SELECT journal.reference, account.owner, -entry.amount AS amount
    FROM ledger_journals journal
    JOIN ledger_entries entry ON entry.journal_id = journal.id
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE journal.id = ${journalId} AND account.kind = 'available'`
  if (!credit) throw new Error(`The journal ${journalId} credits no one`)
  return credit
}

async function isOverdrawn(
  tx: Transaction,
  merchantId: string,
  network: string,
  coin: string,
  owner: string,
): Promise<boolean> {
  const [debt] = await tx`
    SELECT FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin} AND kind = 'available'
      AND owner = ${owner} AND balance > 0`
  return debt !== undefined
}
