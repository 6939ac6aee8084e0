/** Compares balances on an EVM chain with the books, some addresses at a time: not every rise has a transaction. */

import type { EvmAdapter } from '../../chains/adapter.js'
import { lockCursor } from '../../db/chain/chain-cursor.js'
import { type QuietBalance, quietBalances } from '../../db/chain/quiet-balances.js'
import { recordRises } from '../../db/chain/record-rises.js'
import { keepWatch, type Watch } from '../../db/chain/take-watch.js'
import type { Sql } from '../../db/connect.js'
import { appendEvents } from '../../db/events/append-events.js'
import { mapConcurrently } from '../map-concurrently.js'

/** Addresses compared in one look. */
const BATCH = 20
/** Questions to the node under way at a time. */
const CONCURRENCY = 4

/** How far the comparison got, and what it found once: a second look must find the same. */
export interface RiseLook {
  after: string
  readonly suspects: Map<string, { readonly excess: bigint; readonly head: number }>
}

/** Where a watcher begins. */
export const createRiseLook = (): RiseLook => ({ after: '', suspects: new Map() })

/**
 * Compares the next addresses. An address that holds more than the books say is looked at again in the next round, when
 * every block up to the first look was scanned: what is still too much then is recorded, with an exception.
 */
export async function findRises(sql: Sql, adapter: EvmAdapter, look: RiseLook, watch?: Watch): Promise<void> {
  const { network } = adapter
  const coins = network.coins.map((coin) => coin.name)
  const { balances, after } = await quietBalances(sql, network.name, coins, look.after, BATCH)
  const head = await adapter.head()
  const found = await mapConcurrently(balances, CONCURRENCY, async (each) => ({
    each,
    excess: (await adapter.balance(each.address, each.coin)) - each.expected,
  }))
  // The head of the second question: a node may have moved on while balances were asked for.
  const asked = Math.max(head.height, (await adapter.head()).height)
  const sure: { readonly each: QuietBalance; readonly excess: bigint }[] = []
  await sql.begin(async (tx) => {
    const cursor = await lockCursor(tx, network.name)
    await keepWatch(tx, network.name, watch)
    if (!cursor) return
    for (const { each, excess } of found) {
      const key = `${each.addressId} ${each.coin}`
      const before = look.suspects.get(key)
      if (excess <= 0n) look.suspects.delete(key)
      else if (before?.excess !== excess) look.suspects.set(key, { excess, head: asked })
      else if (cursor.height >= before.head) sure.push({ each, excess })
    }
    const events = await recordRises(
      tx,
      network,
      sure.map(({ each, excess }) => ({
        merchantId: each.merchantId,
        addressId: each.addressId,
        address: each.address,
        coin: each.coin,
        source: 'unexplained',
        reference: String(cursor.height),
        height: cursor.height,
        amount: excess,
      })),
    )
    await appendEvents(tx, events)
  })
  for (const { each } of sure) look.suspects.delete(`${each.addressId} ${each.coin}`)
  look.after = after ?? ''
}
