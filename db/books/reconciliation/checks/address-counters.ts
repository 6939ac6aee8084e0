/** Checks that no address lies at or past the counter of its key, and that the counter left none out. */

import type { BooksCheck } from './check.js'

/** A skipped index has an address of its own, without a user, so the addresses of a key are as many as its counter. */
export const addressCounters: BooksCheck = {
  name: 'address_counters',
  async *examine(tx, { merchantId }, findings) {
    const accounts = await tx<{ id: string; network: string; next_index: number }[]>`
      SELECT id, network, next_index FROM key_accounts
      WHERE merchant_id = ${merchantId} AND role = 'deposit' ORDER BY id`
    for (const { id, network, next_index } of accounts) {
      // The whole key is counted by one scan of its part of an index.
      const [found] = await tx<{ count: number; highest: number }[]>`
        SELECT count(*)::integer AS count, coalesce(max(index), -1) AS highest FROM addresses
        WHERE key_account_id = ${id} AND branch = 0`
      const subject = { type: 'key_account', id }
      const { count, highest } = found ?? { count: 0, highest: -1 }
      if (highest >= next_index) {
        findings.differ({
          subject,
          field: 'next_index',
          network,
          coin: null,
          expected: `above ${highest}`,
          actual: String(next_index),
          reason: 'The next address of the key would be one that was given out before',
        })
      } else if (count !== next_index) {
        findings.differ({
          subject,
          field: 'addresses',
          network,
          coin: null,
          expected: String(next_index),
          actual: String(count),
          reason: 'Addresses that the counter of the key says were given out are missing',
        })
      }
      yield count
    }
  },
}
