/**
 * Compares accounts on an EVM chain with the books, some at a time, because not every change of a balance or
 * nonce has a transaction that the scan saw.
 */

import type { AccountState, EvmAdapter } from '../../chains/adapter.js'
import { knownUses } from '../../db/chain/known-uses.js'
import { nextAccounts } from '../../db/chain/next-accounts.js'
import { quietBalances } from '../../db/chain/quiet-balances.js'
import { type Fall, recordFalls } from '../../db/chain/record-falls.js'
import { type ForeignNonces, recordForeignNonces } from '../../db/chain/record-foreign-nonces.js'
import { type Rise, recordRises } from '../../db/chain/record-rises.js'
import { keepWatch, type Watch } from '../../db/chain/take-watch.js'
import type { Sql } from '../../db/connect.js'
import { appendEvents } from '../../db/events/log/append-events.js'
import { lockCursor, readCursor } from '../../db/networks/chain-cursor.js'
import { repeatTransaction } from '../../db/repeat-transaction.js'
import { mapConcurrently } from '../../domain/map-concurrently.js'

/** Accounts of one comparison. Each is one batch to the node. */
const BATCH = 20
/** Batches to the node under way at a time. */
const CONCURRENCY = 4

interface Suspect {
  /** Surplus (positive), deficit (negative), or number of uses of nonces. */
  readonly difference: bigint
  /** Height at which it was first seen. */
  readonly height: number
}

/**
 * Progress of the comparison, and the differences that it found once. A second comparison must confirm them.
 */
export interface AccountLook {
  /** Accounts to compare. `wallets`: the merchants' own wallets only, whose turn comes sooner. */
  readonly of: 'all' | 'wallets'
  after: string
  suspects: ReadonlyMap<string, Suspect>
}

/** Makes the state with which a watcher begins. */
export const createAccountLook = (of: AccountLook['of'] = 'all'): AccountLook => ({
  of,
  after: '',
  suspects: new Map(),
})

/**
 * Compares the next accounts at the block up to which the chain was scanned: balances with the ledger, if
 * nothing is under way, and the number of used nonces with the known uses. A difference that a later
 * comparison confirms is recorded with an exception: a rise at the next comparison, a fall and a foreign use
 * of a nonce when the block of the first comparison is final.
 */
export async function compareAccounts(
  sql: Sql,
  adapter: EvmAdapter,
  look: AccountLook,
  watch?: Watch,
): Promise<void> {
  const { network } = adapter
  const coins = network.coins.map((coin) => coin.name)
  const cursor = await readCursor(sql, network.name)
  if (!cursor) return
  const { accounts, after } = await nextAccounts(sql, network.name, look.of, look.after, BATCH)
  const states = new Map<string, AccountState>()
  await mapConcurrently(accounts, CONCURRENCY, async ({ addressId, address }) => {
    const state = await adapter.accountAt(address, coins, cursor)
    if (state) states.set(addressId, state)
  })
  const settled = await repeatTransaction(sql, async (tx): Promise<ReadonlyMap<string, Suspect> | null> => {
    const locked = await lockCursor(tx, network.name)
    await keepWatch(tx, network.name, watch)
    // Figures of one block are compared with the books of that block.
    if (locked?.height !== cursor.height || locked.hash !== cursor.hash) return null
    const ids = [...states.keys()]
    // A run that the database gives up must not count as a comparison.
    const suspects = new Map(look.suspects)
    const decide = (key: string, difference: bigint, depth: number): Suspect | null => {
      const before = suspects.get(key)
      if (difference === 0n) suspects.delete(key)
      else if (before?.difference !== difference) suspects.set(key, { difference, height: cursor.height })
      else if (cursor.height >= before.height + depth) {
        suspects.delete(key)
        return before
      }
      return null
    }
    const rises: Rise[] = []
    const falls: Fall[] = []
    for (const quiet of await quietBalances(tx, network.name, coins, ids)) {
      const balance = states.get(quiet.addressId)?.balances.get(quiet.coin)
      if (balance === undefined) continue
      const difference = balance - quiet.expected
      const depth = difference > 0n ? 0 : network.confirmations - 1
      const found = decide(`${quiet.addressId} ${quiet.coin}`, difference, depth)
      if (!found) continue
      const { merchantId, addressId, address, coin } = quiet
      if (difference > 0n) {
        const reference = String(cursor.height)
        rises.push({
          ...{ merchantId, addressId, address, coin, reference },
          source: 'unexplained',
          height: cursor.height,
          amount: difference,
        })
      } else
        falls.push({
          merchantId,
          addressId,
          address,
          coin,
          height: found.height,
          onChain: balance,
          expected: quiet.expected,
        })
    }
    const foreign: ForeignNonces[] = []
    const known = await knownUses(tx, network.name, ids, cursor.height)
    for (const { addressId, merchantId, address } of accounts) {
      const state = states.get(addressId)
      if (!state) continue
      const explained = known.get(addressId) ?? 0
      const uses = Math.max(0, state.nonce - explained)
      const found = decide(`${addressId} nonce`, BigInt(uses), network.confirmations - 1)
      if (found)
        foreign.push({
          merchantId,
          addressId,
          address,
          height: found.height,
          nonce: state.nonce,
          explained,
          uses,
        })
    }
    await appendEvents(tx, [
      ...(await recordRises(tx, network, rises)),
      ...(await recordFalls(tx, network, falls)),
      ...(await recordForeignNonces(tx, network, foreign)),
    ])
    return suspects
  })
  if (!settled) return
  look.suspects = settled
  look.after = after ?? ''
}
