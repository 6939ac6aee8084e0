/** Credits a screened deposit, so that its reserved amount becomes available. */

import { findNetwork, knownCoin, type Networks } from '../../domain/chain/network.js'
import { sanctionKey } from '../../domain/controls/sanction-key.js'
import type { Sql, Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { readHeight } from '../networks/chain-cursor.js'
import { repeatTransaction } from '../repeat-transaction.js'
import { bookCredit } from './book-credit.js'
import { lockDeposit } from './confirm-deposit.js'
import { type CreditOutcome, settledOutcome } from './credit-outcome.js'
import type { DepositRow } from './deposit-row.js'
import { depositEvent } from './deposit-view.js'
import { setAside } from './hold-deposit.js'
import { moveDeposit } from './move-deposit.js'
import { saveDeposits } from './save-deposits.js'

/**
 * Credits a deposit that passed screening. A deposit that is too small, or whose sender is sanctioned or held
 * by the operator, is held instead, for a person to decide (`releaseDeposit`). Safe to repeat.
 *
 * @param heldSenders - Addresses whose deposits the operator holds.
 */
export async function creditDeposit(
  sql: Sql,
  networks: Networks,
  id: string,
  heldSenders: readonly string[] = [],
): Promise<CreditOutcome> {
  return repeatTransaction(sql, async (tx): Promise<CreditOutcome> => {
    const [row] = await lockDeposit(tx, id)
    if (!row) return { kind: 'not_confirmed' }
    const decided = settledOutcome(row.status)
    if (decided !== null) return decided
    const network = findNetwork(networks, row.network)
    const { height, now } = await readHeight(tx, row.network)
    const reason = await suspicion(tx, row, heldSenders)
    if (reason !== null) {
      await setAside(tx, network, row, { height, now }, reason)
      return { kind: 'held' }
    }
    if (row.amount < knownCoin(network, row.coin).dust) {
      const held = moveDeposit(row, 'held', now, `Below the smallest amount credited by itself`)
      await saveDeposits(tx, [held])
      await appendEvents(tx, [depositEvent(network, held, height, row.status)])
      return { kind: 'held' }
    }
    const consolidation = await bookCredit(tx, network, row, height, {
      cause: 'Screening passed; available',
      actor: 'system:deposit',
      action: 'deposit.credited',
    })
    return {
      kind: 'credited',
      ...(consolidation ? { consolidation } : {}),
      ...(row.payment_id === null ? {} : { paymentId: row.payment_id }),
    }
  })
}

/** Returns why a deposit is held because of its sender. `null` if it is not. */
async function suspicion(
  tx: Transaction,
  { sources }: DepositRow,
  heldSenders: readonly string[],
): Promise<string | null> {
  if (sources.length === 0) return null
  const senders = new Map(sources.map(({ address }) => [sanctionKey(address), address]))
  const held = heldSenders.map(sanctionKey).find((key) => senders.has(key))
  if (held !== undefined) return `deposits from ${senders.get(held)} are held`
  const [listed] = await tx<{ address: string }[]>`
    SELECT address FROM sanctioned_addresses WHERE address = ANY (${[...senders.keys()]}) LIMIT 1`
  return listed ? `${senders.get(listed.address) ?? listed.address} is on the sanctions list` : null
}
