/** Books an approved resolution of an exception, once. */

import { knownCoin, type Network, type Networks } from '../../../domain/chain/network.js'
import type { ExceptionResolutionIntent } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import { bookRise } from '../../chain/book-rise.js'
import { findRise, type RecordedRise } from '../../chain/find-rise.js'
import type { Transaction } from '../../connect.js'
import type { ExceptionResolutionRow } from '../../controls/changes/control-change-row.js'
import { appendEvents } from '../../events/log/append-events.js'
import { lockCursor } from '../../networks/chain-cursor.js'
import { balanceChanged } from '../balances/balance-changed.js'
import { takeFunds } from '../balances/own-funds.js'
import { type JournalEntry, postJournal } from '../ledger/post-journal.js'
import {
  commentException,
  type LockedException,
  lockException,
  requireNoRefund,
  requireStanding,
  resolveException,
} from './change-exception.js'
import { lockHeldAccounts } from './lock-held-accounts.js'
import { requireResolvable } from './require-resolvable.js'

/** Actor of what an approved request does. */
const ACTOR = 'system:controls'

/**
 * Posts the journal of a request that the caller has locked and found approved, and resolves its exception.
 *
 * @returns `null` once it is booked. Else why nothing was: the exception was resolved meanwhile, or the amount is
 * no longer there.
 */
export async function applyResolution(
  tx: Transaction,
  networks: Networks,
  change: ExceptionResolutionRow,
): Promise<string | null> {
  try {
    await tx.savepoint((point) => book(point, networks, change))
    return null
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.retryable) throw error
    return `approved, but it cannot be booked (${error.code}): ${error.message}`
  }
}

async function book(tx: Transaction, networks: Networks, change: ExceptionResolutionRow): Promise<void> {
  const { intent, merchant_id: merchantId } = change
  const network = networkOf(networks, intent.network)
  // What explains or removes a rise locks the cursor before exceptions.
  if (bookedBy(intent) === 'rise') await lockCursor(tx, network.name)
  const row = await lockException(tx, merchantId, intent.exception)
  requireStanding(row)
  requireNoRefund(row)
  const actor = { by: intent.initiator, actor: ACTOR }
  const coin = knownCoin(network, intent.asset.coin)
  const amount = BigInt(intent.amount)
  const rise = bookedBy(intent) === 'rise' ? await requireRise(tx, row) : null
  const entries = entriesOf(intent, { network: network.name, coin: coin.name }, amount)
  const payer = { network: network.name, coin: coin.name, owner: intent.from_user_reference ?? '', amount }
  if (payer.owner === '' && rise === null) await takeFunds(tx, merchantId, [payer])
  await lockHeldAccounts(tx, merchantId, [row.id], entries)
  await requireResolvable(tx, row, {
    merchantId,
    network,
    coin,
    amount,
    from: intent.from_user_reference,
    to: intent.to_user_reference,
    addressId: intent.address_id,
    rise,
  })
  // Releases first what a dispute holds, so that the journal can move it.
  await resolveException(
    tx,
    row,
    intent.resolution,
    actor,
    { request: change.id },
    rise === null ? payer : null,
  )
  await commentException(tx, row, intent.comment, actor)
  const { journalId } = await postJournal(tx, {
    merchantId,
    idempotencyKey: `exception:${row.id}:${change.id}`,
    type: TYPES[bookedBy(intent)],
    reference: row.id,
    ...(rise === null ? {} : { height: rise.height }),
    entries,
  })
  if (rise !== null) await bookRise(tx, rise, journalId)
  const shared = {
    merchantId,
    network: network.name,
    coin: coin.name,
    decimals: coin.decimals,
    reserved: 0n,
    subject: row.id,
  }
  const from = { ...shared, party: intent.from_user_reference, available: -amount }
  const to = { ...shared, party: intent.to_user_reference, available: amount }
  const changed = rise !== null ? [to] : intent.resolution === 'write_off' ? [from] : [from, to]
  await appendEvents(tx, await Promise.all(changed.map((each) => balanceChanged(tx, each))))
}

/** Returns the rise that an exception is about. @throws KeyturnError `INVALID_STATE` if it is not there any more. */
async function requireRise(tx: Transaction, row: LockedException): Promise<RecordedRise> {
  const rise = await findRise(tx, row)
  if (rise) return rise
  throw new KeyturnError('INVALID_STATE', 'The coins that rose were explained, or the chain took them back')
}

function networkOf(networks: Networks, caip2: string): Network {
  const network = [...networks.values()].find((each) => each.caip2 === caip2)
  if (!network) throw new KeyturnError('UNSUPPORTED_NETWORK', `The network ${caip2} is not enabled any more`)
  return network
}

type BookedBy = 'rise' | ExceptionResolutionIntent['resolution']

/** Returns what a resolution books. A credit with an address books the coins by which its balance rose. */
function bookedBy({ resolution, address_id: addressId }: ExceptionResolutionIntent): BookedBy {
  return resolution === 'credit' && addressId !== null ? 'rise' : resolution
}

/**
 * Types of journals. The totals of accounts count `deposit…` as deposited, `transfer…` as transferred, and the others as
 * withdrawn.
 */
const TYPES: Readonly<Record<BookedBy, string>> = {
  rise: 'deposit.rise_booked',
  credit: 'transfer.credit',
  re_attribute: 'transfer.re_attribute',
  write_off: 'exception.written_off',
}

function entriesOf(
  intent: ExceptionResolutionIntent,
  asset: { readonly network: string; readonly coin: string },
  amount: bigint,
): JournalEntry[] {
  const payer: JournalEntry = { ...asset, kind: 'available', owner: intent.from_user_reference ?? '', amount }
  const payee: JournalEntry = {
    ...asset,
    kind: 'available',
    owner: intent.to_user_reference ?? '',
    amount: -amount,
  }
  if (intent.address_id === null) return [payer, payee]
  const address: JournalEntry = { ...asset, kind: 'chain', owner: intent.address_id, amount }
  return bookedBy(intent) === 'rise' ? [address, payee] : [{ ...address, amount: -amount }, payer]
}
