/** Requires that a rise of a balance can be credited as it is asked for. */

import { confirmationsUnder } from '../../domain/chain/confirmations.js'
import type { Coin, Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount } from '../../domain/money.js'
import type { Transaction } from '../connect.js'
import { readPolicy } from '../controls/policy/read-policy.js'
import { readCursor } from '../networks/chain-cursor.js'
import type { RecordedRise } from './find-rise.js'

/** The journal that is asked for, its amount in base units. */
interface Asked {
  readonly network: Network
  readonly coin: Coin
  readonly amount: bigint
  /** User who pays. `null`: none does. */
  readonly from: string | null
}

/**
 * Requires the coin and the amount that rose, no sender, and the confirmations that a deposit of the amount needs.
 *
 * @throws KeyturnError `VALIDATION_FAILED`, `INVALID_AMOUNT`, `INVALID_STATE`.
 */
export async function requireBookable(tx: Transaction, rise: RecordedRise, asked: Asked): Promise<void> {
  const { network, coin, amount } = asked
  requireField('network', network.name === rise.network, `must be ${rise.network}, where the balance rose`)
  requireField('coin', coin.name === rise.coin, `must be ${rise.coin}, whose balance rose`)
  requireField('from_user_reference', asked.from === null, 'must be null: the coins came by the chain')
  if (amount !== rise.amount) {
    const [requested, rose] = [amount, rise.amount].map((units) => formatAmount(units, coin.decimals))
    throw new KeyturnError(
      'INVALID_AMOUNT',
      `The balance rose by ${rose} ${coin.name}; credit exactly that`,
      {
        details: { requested, rose, coin: coin.name },
      },
    )
  }
  if (rise.journalId !== null) {
    throw new KeyturnError('INVALID_STATE', 'This rise of the balance is booked already', {
      details: { journal_id: String(rise.journalId) },
    })
  }
  const { policy } = await readPolicy(tx, rise.merchantId)
  const required = confirmationsUnder(policy.confirmation_tiers, network, coin.name, amount)
  const cursor = await readCursor(tx, network.name)
  const confirmations = cursor === null ? 0 : cursor.height - Number(rise.height) + 1
  if (confirmations >= required) return
  throw new KeyturnError(
    'INVALID_STATE',
    `The rise has ${confirmations} of ${required} confirmations; try again when it has all of them`,
    { details: { confirmations, required_confirmations: required } },
  )
}

function requireField(name: string, holds: boolean, reason: string): void {
  if (holds) return
  throw new KeyturnError('VALIDATION_FAILED', `journal.${name} ${reason}`, {
    details: { in: 'body', fields: [{ path: `journal.${name}`, reason }] },
  })
}
